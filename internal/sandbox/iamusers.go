package sandbox

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

type userXML struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate string
	Tags       []tagXML `xml:"Tags>member,omitempty"`
}

func (u *user) xml() userXML {
	out := userXML{Path: u.path, UserName: u.name, UserID: u.id, Arn: u.arn, CreateDate: queryTime(u.created)}
	for _, t := range u.tags {
		out.Tags = append(out.Tags, tagXML(t))
	}
	return out
}

func createUser(s *Sandbox, cl *call, acct *account) (any, error) {
	name, err := requireName(cl.query, "UserName", roleNamePattern)
	if err != nil {
		return nil, err
	}
	path, err := formPath(cl.query)
	if err != nil {
		return nil, err
	}
	tags, err := formTags(cl.query)
	if err != nil {
		return nil, err
	}
	if cl.query.Get("PermissionsBoundary") != "" {
		return nil, notImplemented("PermissionsBoundary of CreateUser")
	}
	arn := userARN(acct.id, path, name)
	if err := s.iamAllow(cl, arn, tags); err != nil {
		return nil, err
	}
	if acct.users[name] != nil {
		return nil, fail(http.StatusConflict, "EntityAlreadyExists", "User with name %s already exists.", name)
	}
	u := &user{entity: entity{arn: arn, id: newID("AIDA", 17)}, name: name, path: path, account: acct.id, inline: namedDocuments{}, tags: tags, created: cl.now}
	acct.users[name] = u
	s.world.ids[u.id] = u.entity
	s.world.generation++
	return struct {
		XMLName xml.Name `xml:"CreateUserResult"`
		User    userXML
	}{User: u.xml()}, nil
}

// namedUser decides the call and finds the user it names; no name means the caller.
func (s *Sandbox) namedUser(cl *call, acct *account) (*user, error) {
	if cl.query.Get("UserName") == "" && cl.caller.user != nil {
		cl.query.Set("UserName", cl.caller.user.name)
	}
	name, err := requireName(cl.query, "UserName", roleNamePattern)
	if err != nil {
		return nil, err
	}
	u := acct.users[name]
	arn := userARN(acct.id, "/", name)
	if u != nil {
		arn = u.arn
	}
	if err := s.iamAllow(cl, arn, nil); err != nil {
		return nil, err
	}
	if u == nil {
		return nil, noSuchEntity("user", name)
	}
	return u, nil
}

func getUser(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetUserResult"`
		User    userXML
	}{User: u.xml()}, nil
}

func deleteUser(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	if len(u.inline) > 0 {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	if len(s.world.userKeys(u)) > 0 {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete access keys first.")
	}
	delete(acct.users, u.name)
	delete(s.world.ids, u.id)
	s.world.generation++
	return nil, nil
}

func (w *world) userKeys(u *user) []*accessKey {
	var out []*accessKey
	for _, k := range w.keys {
		if k.user == u {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *accessKey) int { return strings.Compare(a.id, b.id) })
	return out
}

type accessKeyXML struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      string
}

func createAccessKey(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	if len(s.world.userKeys(u)) >= maxKeysPerUser {
		return nil, fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser)
	}
	k := &accessKey{id: newID("AKIA", 16), secret: newSecret(), account: acct.id, user: u, created: cl.now}
	s.world.keys[k.id] = k
	return struct {
		XMLName   xml.Name `xml:"CreateAccessKeyResult"`
		AccessKey accessKeyXML
	}{AccessKey: accessKeyXML{u.name, k.id, "Active", k.secret, queryTime(k.created)}}, nil
}

func deleteAccessKey(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	id := cl.query.Get("AccessKeyId")
	if k := s.world.keys[id]; k == nil || k.user != u {
		return nil, fail(http.StatusNotFound, "NoSuchEntity", "The Access Key with id %s cannot be found.", id)
	}
	delete(s.world.keys, id)
	return nil, nil
}

func listAccessKeys(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	out := struct {
		XMLName     xml.Name       `xml:"ListAccessKeysResult"`
		Keys        []accessKeyXML `xml:"AccessKeyMetadata>member"`
		IsTruncated bool
	}{}
	for _, k := range s.world.userKeys(u) {
		out.Keys = append(out.Keys, accessKeyXML{UserName: u.name, AccessKeyID: k.id, Status: "Active", CreateDate: queryTime(k.created)})
	}
	return out, nil
}
