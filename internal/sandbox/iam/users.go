package iam

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
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
	out := userXML{
		Path:                u.path,
		UserName:            u.name,
		UserID:              u.ID,
		Arn:                 u.arn,
		CreateDate:          kernel.QueryTime(u.created),
		PermissionsBoundary: u.boundaryXML(),
	}
	out.Tags = tagList(u.tags)
	return out
}

func createUser(c *call) (any, error) {
	name := c.cl.Form.Get("UserName")
	path := formPath(c.cl.Form)
	tags, err := FormTags(c.cl.Form)
	if err != nil {
		return nil, err
	}
	arn := userARN(c.acct.id, path, name)
	if err := c.allow(arn, tags); err != nil {
		return nil, err
	}
	if taken(c.acct.users, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "User with name %s already exists.", name)
	}
	if err := checkQuota("UsersPerAccount", len(c.acct.users), maxUsers); err != nil {
		return nil, err
	}
	u := &user{
		entity:  entity{arn: arn, ID: kernel.NewID("AIDA", 17)},
		name:    name,
		path:    path,
		account: c.acct.id,
		inline:  namedDocuments{},
		tags:    tags,
		created: c.cl.Now,
	}
	if b := c.cl.Form.Get("PermissionsBoundary"); b != "" {
		if err := u.setBoundary(c.iam, c.acct, b); err != nil {
			return nil, err
		}
	}
	c.acct.users[name] = u
	c.iam.ids[u.ID] = u.entity
	c.iam.generation++
	return struct {
		XMLName xml.Name `xml:"CreateUserResult"`
		User    userXML
	}{User: u.xml()}, nil
}

// user decides the call and finds the user it names; no name means the caller.
func (c *call) user() (*user, error) {
	name := c.cl.Form.Get("UserName")
	if !c.cl.Form.Has("UserName") {
		switch c.cl.Caller.Kind {
		case kernel.IAMUser:
			name = c.cl.Caller.Name
		case kernel.RootUser:
			return nil, kernel.NotImplemented("iam:" + c.cl.Record.Operation + " for the root user itself")
		default:
			return nil, kernel.ValidationError("Must specify userName when calling with non-User credentials")
		}
	}
	u := c.acct.users[name]
	on := target{arn: userARN(c.acct.id, "/", name)}
	if u != nil {
		on = target{u.arn, u.tags, u.Boundary}
	}
	if err := c.allowOn(on, requestTags(c.cl)); err != nil {
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

func getUser(c *call) (any, error) {
	if c.cl.Caller.Kind == kernel.RootUser && !c.cl.Form.Has("UserName") {
		if err := c.allow(c.cl.Caller.ARN, nil); err != nil {
			return nil, err
		}
		made := c.iam.Keys[c.iam.rootKeys[c.acct.id].AccessKeyID].created
		return struct {
			XMLName xml.Name
			User    rootUserXML
		}{resultName(c.cl), rootUserXML{c.acct.id, c.cl.Caller.ARN, kernel.QueryTime(made)}}, nil
	}
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetUserResult"`
		User    userXML
	}{User: u.xml()}, nil
}

func deleteUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if len(u.inline) > 0 {
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	if len(u.Attached) > 0 {
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	for _, g := range c.acct.groups {
		if slices.Contains(g.Members, u.name) {
			return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
		}
	}
	if len(c.iam.userKeys(u)) > 0 {
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete access keys first.")
	}
	delete(c.acct.users, u.name)
	delete(c.iam.ids, u.ID)
	c.iam.generation++
	return nil, nil
}

func (s *Service) userKeys(u *user) []*AccessKey {
	var out []*AccessKey
	for _, k := range s.Keys {
		if k.User == u && k.Session == nil {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *AccessKey) int { return strings.Compare(a.ID, b.ID) })
	return out
}

type accessKeyXML struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      string
}

func createAccessKey(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if len(c.iam.userKeys(u)) >= maxKeysPerUser {
		return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser)
	}
	k := &AccessKey{ID: kernel.NewID("AKIA", 16), Secret: kernel.NewSecret(), Account: c.acct.id, User: u, created: c.cl.Now}
	c.iam.Keys[k.ID] = k
	return struct {
		XMLName   xml.Name `xml:"CreateAccessKeyResult"`
		AccessKey accessKeyXML
	}{AccessKey: accessKeyXML{u.name, k.ID, "Active", k.Secret, kernel.QueryTime(k.created)}}, nil
}

func deleteAccessKey(c *call) (any, error) {
	k, err := c.key()
	if err != nil {
		return nil, err
	}
	delete(c.iam.Keys, k.ID)
	return nil, nil
}

func listAccessKeys(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	var list []accessKeyXML
	for _, k := range c.iam.userKeys(u) {
		list = append(list, accessKeyXML{UserName: u.name, AccessKeyID: k.ID, Status: k.status(), CreateDate: kernel.QueryTime(k.created)})
	}
	list, p, err := paginate(c.cl.Form, list, func(x accessKeyXML) string { return x.AccessKeyID })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Keys    []accessKeyXML `xml:"AccessKeyMetadata>member"`
		page
	}{resultName(c.cl), list, p}, nil
}

func (k *AccessKey) status() string {
	if k.inactive {
		return "Inactive"
	}
	return "Active"
}

// key finds the user's key that a call names.
func (c *call) key() (*AccessKey, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	id := c.cl.Form.Get("AccessKeyId")
	k := c.iam.Keys[id]
	if k == nil || k.User != u || k.Session != nil {
		end := ""
		if c.cl.Record.Operation == "UpdateAccessKey" {
			end = "." // as recorded; no other operation was
		}
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The Access Key with id %s cannot be found%s", id, end)
	}
	return k, nil
}

func updateAccessKey(c *call) (any, error) {
	k, err := c.key()
	if err != nil {
		return nil, err
	}
	k.inactive = c.cl.Form.Get("Status") == "Inactive"
	return nil, nil
}

func getAccessKeyLastUsed(c *call) (any, error) {
	id := c.cl.Form.Get("AccessKeyId")
	k := c.iam.Keys[id]
	if k == nil || k.Account != c.acct.id || k.User == nil || k.Session != nil {
		// A key that is not there reads like another account's.
		e := kernel.Fail(
			http.StatusForbidden,
			"AccessDenied",
			"User: %s is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key %s",
			c.cl.Caller.ARN,
			id,
		)
		e.Denied = true
		return nil, e
	}
	if err := c.allow(k.User.arn, nil); err != nil {
		return nil, err
	}
	type lastUsed struct {
		LastUsedDate string `xml:",omitempty"`
		ServiceName  string
		Region       string
	}
	last := lastUsed{ServiceName: "N/A", Region: "N/A"}
	if !k.lastUsed.IsZero() {
		last = lastUsed{kernel.QueryTime(k.lastUsed), k.lastService, k.lastIn}
	}
	return struct {
		XMLName  xml.Name
		UserName string
		LastUsed lastUsed `xml:"AccessKeyLastUsed"`
	}{resultName(c.cl), k.User.name, last}, nil
}

// updateUser renames or moves a user: the ARN changes, the id stays, and
// policies that name the user show the new ARN.
func updateUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	name, path := u.name, u.path
	if n := c.cl.Form.Get("NewUserName"); n != "" {
		name = n
	}
	if p := c.cl.Form.Get("NewPath"); p != "" {
		path = p
	}
	if !strings.EqualFold(name, u.name) && taken(c.acct.users, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "User with name %s already exists.", name)
	}
	for _, g := range c.acct.groups {
		for i, m := range g.Members {
			if m == u.name {
				g.Members[i] = name
			}
		}
	}
	delete(c.acct.users, u.name)
	u.name, u.path, u.arn = name, path, userARN(c.acct.id, path, name)
	c.acct.users[name] = u
	c.iam.ids[u.ID] = u.entity
	c.iam.generation++
	return nil, nil
}

func listUsers(c *call) (any, error) {
	if err := c.allow("arn:aws:iam::"+c.acct.id+":user/*", nil); err != nil {
		return nil, err
	}
	var list []userXML
	for _, name := range slices.Sorted(maps.Keys(c.acct.users)) {
		if u := c.acct.users[name]; strings.HasPrefix(u.path, c.cl.Form.Get("PathPrefix")) {
			x := u.xml()
			x.Tags, x.PermissionsBoundary = nil, nil
			list = append(list, x)
		}
	}
	list, p, err := paginate(c.cl.Form, list, func(x userXML) string { return x.UserName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Users   []userXML `xml:"Users>member"`
		page
	}{resultName(c.cl), list, p}, nil
}
