package sandbox

import (
	"encoding/xml"
	"maps"
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

	PermissionsBoundary *boundaryXML `xml:",omitempty"`
	Tags                *tagListXML  `xml:",omitempty"`
}

func (u *user) xml() userXML {
	out := userXML{Path: u.path, UserName: u.name, UserID: u.id, Arn: u.arn, CreateDate: queryTime(u.created), PermissionsBoundary: u.boundaryXML()}
	out.Tags = tagList(u.tags)
	return out
}

func createUser(s *iamService, cl *call, acct *account) (any, error) {
	name := cl.query.Get("UserName")
	path := formPath(cl.query)
	tags, err := formTags(cl.query)
	if err != nil {
		return nil, err
	}
	arn := userARN(acct.id, path, name)
	if err := s.iamAllow(cl, arn, tags); err != nil {
		return nil, err
	}
	if taken(acct.users, name) {
		return nil, fail(http.StatusConflict, "EntityAlreadyExists", "User with name %s already exists.", name)
	}
	if err := checkQuota("UsersPerAccount", len(acct.users), maxUsers); err != nil {
		return nil, err
	}
	u := &user{entity: entity{arn: arn, id: newID("AIDA", 17)}, name: name, path: path, account: acct.id, inline: namedDocuments{}, tags: tags, created: cl.now}
	if b := cl.query.Get("PermissionsBoundary"); b != "" {
		if err := u.setBoundary(s, acct, b); err != nil {
			return nil, err
		}
	}
	acct.users[name] = u
	s.ids[u.id] = u.entity
	s.generation++
	return struct {
		XMLName xml.Name `xml:"CreateUserResult"`
		User    userXML
	}{User: u.xml()}, nil
}

// namedUser decides the call and finds the user it names; no name means the caller.
func (s *iamService) namedUser(cl *call, acct *account) (*user, error) {
	name := cl.query.Get("UserName")
	if !cl.query.Has("UserName") {
		switch cl.caller.kind {
		case iamUser:
			name = cl.caller.name
		case rootUser:
			return nil, notImplemented("iam:" + cl.record.Operation + " for the root user itself")
		default:
			return nil, validationError("Must specify userName when calling with non-User credentials")
		}
	}
	u := acct.users[name]
	on := iamResource{arn: userARN(acct.id, "/", name)}
	if u != nil {
		on = iamResource{u.arn, u.tags, u.Boundary}
	}
	if err := s.iamAllowOn(cl, on, requestTags(cl)); err != nil {
		return nil, err
	}
	if u == nil {
		return nil, noSuchEntity("user", name)
	}
	return u, nil
}

// rootUserXML is the root user as GetUser shows it: without a name.
type rootUserXML struct {
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate string
}

func getUser(s *iamService, cl *call, acct *account) (any, error) {
	if cl.caller.kind == rootUser && !cl.query.Has("UserName") {
		if err := s.iamAllow(cl, cl.caller.arn, nil); err != nil {
			return nil, err
		}
		made := s.keys[s.rootKeys[acct.id].AccessKeyID].created
		return struct {
			XMLName xml.Name
			User    rootUserXML
		}{resultName(cl), rootUserXML{acct.id, cl.caller.arn, queryTime(made)}}, nil
	}
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetUserResult"`
		User    userXML
	}{User: u.xml()}, nil
}

func deleteUser(s *iamService, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	if len(u.inline) > 0 {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	if len(u.Attached) > 0 {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	for _, g := range acct.groups {
		if slices.Contains(g.Members, u.name) {
			return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
		}
	}
	if len(s.userKeys(u)) > 0 {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete access keys first.")
	}
	delete(acct.users, u.name)
	delete(s.ids, u.id)
	s.generation++
	return nil, nil
}

func (s *iamService) userKeys(u *user) []*accessKey {
	var out []*accessKey
	for _, k := range s.keys {
		if k.user == u && k.session == nil {
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

func createAccessKey(s *iamService, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	if len(s.userKeys(u)) >= maxKeysPerUser {
		return nil, fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser)
	}
	k := &accessKey{id: newID("AKIA", 16), secret: newSecret(), account: acct.id, user: u, created: cl.now}
	s.keys[k.id] = k
	return struct {
		XMLName   xml.Name `xml:"CreateAccessKeyResult"`
		AccessKey accessKeyXML
	}{AccessKey: accessKeyXML{u.name, k.id, "Active", k.secret, queryTime(k.created)}}, nil
}

func deleteAccessKey(s *iamService, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	k, err := s.userKey(cl, u)
	if err != nil {
		return nil, err
	}
	delete(s.keys, k.id)
	return nil, nil
}

func listAccessKeys(s *iamService, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	var list []accessKeyXML
	for _, k := range s.userKeys(u) {
		list = append(list, accessKeyXML{UserName: u.name, AccessKeyID: k.id, Status: k.status(), CreateDate: queryTime(k.created)})
	}
	list, p, err := paginate(cl.query, list, func(x accessKeyXML) string { return x.AccessKeyID })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Keys    []accessKeyXML `xml:"AccessKeyMetadata>member"`
		page
	}{resultName(cl), list, p}, nil
}

func (k *accessKey) status() string {
	if k.inactive {
		return "Inactive"
	}
	return "Active"
}

// userKey finds the key that a call names.
func (s *iamService) userKey(cl *call, u *user) (*accessKey, error) {
	id := cl.query.Get("AccessKeyId")
	k := s.keys[id]
	if k == nil || k.user != u || k.session != nil {
		return nil, fail(http.StatusNotFound, "NoSuchEntity", "The Access Key with id %s cannot be found", id)
	}
	return k, nil
}

func updateAccessKey(s *iamService, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	k, err := s.userKey(cl, u)
	if err != nil {
		return nil, err
	}
	k.inactive = cl.query.Get("Status") == "Inactive"
	return nil, nil
}

func getAccessKeyLastUsed(s *iamService, cl *call, acct *account) (any, error) {
	id := cl.query.Get("AccessKeyId")
	k := s.keys[id]
	if k == nil || k.account != acct.id || k.user == nil || k.session != nil {
		return nil, fail(http.StatusNotFound, "NoSuchEntity", "The Access Key with id %s cannot be found", id)
	}
	if err := s.iamAllow(cl, k.user.arn, nil); err != nil {
		return nil, err
	}
	type lastUsed struct {
		LastUsedDate string `xml:",omitempty"`
		ServiceName  string
		Region       string
	}
	last := lastUsed{ServiceName: "N/A", Region: "N/A"}
	if !k.lastUsed.IsZero() {
		last = lastUsed{queryTime(k.lastUsed), k.lastService, k.lastIn}
	}
	return struct {
		XMLName  xml.Name
		UserName string
		LastUsed lastUsed `xml:"AccessKeyLastUsed"`
	}{resultName(cl), k.user.name, last}, nil
}

// updateUser renames or moves a user: the ARN changes, the id stays, and
// policies that name the user show the new ARN.
func updateUser(s *iamService, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	name, path := u.name, u.path
	if n := cl.query.Get("NewUserName"); n != "" {
		name = n
	}
	if p := cl.query.Get("NewPath"); p != "" {
		path = p
	}
	if !strings.EqualFold(name, u.name) && taken(acct.users, name) {
		return nil, fail(http.StatusConflict, "EntityAlreadyExists", "User with name %s already exists.", name)
	}
	for _, g := range acct.groups {
		for i, m := range g.Members {
			if m == u.name {
				g.Members[i] = name
			}
		}
	}
	delete(acct.users, u.name)
	u.name, u.path, u.arn = name, path, userARN(acct.id, path, name)
	acct.users[name] = u
	s.ids[u.id] = u.entity
	s.generation++
	return nil, nil
}

func listUsers(s *iamService, cl *call, acct *account) (any, error) {
	if err := s.iamAllow(cl, "arn:aws:iam::"+acct.id+":user/*", nil); err != nil {
		return nil, err
	}
	var list []userXML
	for _, name := range slices.Sorted(maps.Keys(acct.users)) {
		if u := acct.users[name]; strings.HasPrefix(u.path, cl.query.Get("PathPrefix")) {
			x := u.xml()
			x.Tags, x.PermissionsBoundary = nil, nil
			list = append(list, x)
		}
	}
	list, p, err := paginate(cl.query, list, func(x userXML) string { return x.UserName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Users   []userXML `xml:"Users>member"`
		page
	}{resultName(cl), list, p}, nil
}
