package sandbox

import (
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const (
	maxTrustPolicy  = 2048
	maxInlineRole   = 10240
	maxInlineUser   = 2048
	maxInlineGroup  = 5120
	maxKeysPerUser  = 2
	defaultMaxRole  = time.Hour
	longestMaxRole  = 12 * time.Hour
	iamPrincipalTip = "Invalid principal in policy: "
)

// requestTags are the tags of a tagging call; a malformed list is the handler's to refuse.
func requestTags(cl *call) []tag {
	tags, err := formTags(cl.query)
	if err != nil {
		return nil
	}
	return tags
}

type iamHandler func(*Sandbox, *call, *account) (any, error)

// iamHandlers are the operations by name.
var iamHandlers = map[string]iamHandler{
	"CreateRole":             createRole,
	"GetRole":                getRole,
	"DeleteRole":             deleteRole,
	"ListRoles":              listRoles,
	"UpdateRole":             updateRole,
	"UpdateAssumeRolePolicy": updateAssumeRolePolicy,
	"PutRolePolicy":          putRolePolicy,
	"GetRolePolicy":          getRolePolicy,
	"DeleteRolePolicy":       deleteRolePolicy,
	"ListRolePolicies":       listRolePolicies,
	"CreateUser":             createUser,
	"GetUser":                getUser,
	"DeleteUser":             deleteUser,
	"PutUserPolicy":          putUserPolicy,
	"GetUserPolicy":          getUserPolicy,
	"DeleteUserPolicy":       deleteUserPolicy,
	"ListUserPolicies":       listUserPolicies,
	"CreateAccessKey":        createAccessKey,
	"DeleteAccessKey":        deleteAccessKey,
	"ListAccessKeys":         listAccessKeys,
	"UpdateAccessKey":        updateAccessKey,
	"GetAccessKeyLastUsed":   getAccessKeyLastUsed,
	"UpdateUser":             updateUser,
	"ListUsers":              listUsers,
	"UpdateRoleDescription":  updateRoleDescription,

	"TagRole": tagging(roleTags), "UntagRole": untagging(roleTags), "ListRoleTags": listingTags(roleTags),
	"TagUser": tagging(userTags), "UntagUser": untagging(userTags), "ListUserTags": listingTags(userTags),
	"TagPolicy": tagging(policyTags), "UntagPolicy": untagging(policyTags), "ListPolicyTags": listingTags(policyTags),
	"TagInstanceProfile": tagging(profileTags), "UntagInstanceProfile": untagging(profileTags), "ListInstanceProfileTags": listingTags(profileTags),
	"TagOpenIDConnectProvider": tagging(providerTags), "UntagOpenIDConnectProvider": untagging(providerTags), "ListOpenIDConnectProviderTags": listingTags(providerTags),

	"CreatePolicy": createPolicy, "GetPolicy": getPolicy, "DeletePolicy": deletePolicy, "ListPolicies": listPolicies,
	"CreatePolicyVersion": createPolicyVersion, "GetPolicyVersion": getPolicyVersion, "ListPolicyVersions": listPolicyVersions,
	"DeletePolicyVersion": deletePolicyVersion, "SetDefaultPolicyVersion": setDefaultPolicyVersion, "ListEntitiesForPolicy": listEntitiesForPolicy,

	"AttachRolePolicy": attaching(roleGrants), "DetachRolePolicy": detaching(roleGrants), "ListAttachedRolePolicies": listingAttached(roleGrants),
	"AttachUserPolicy": attaching(userGrants), "DetachUserPolicy": detaching(userGrants), "ListAttachedUserPolicies": listingAttached(userGrants),
	"AttachGroupPolicy": attaching(groupGrants), "DetachGroupPolicy": detaching(groupGrants), "ListAttachedGroupPolicies": listingAttached(groupGrants),
	"PutRolePermissionsBoundary": putBoundary(roleGrants), "DeleteRolePermissionsBoundary": deleteBoundary(roleGrants),
	"PutUserPermissionsBoundary": putBoundary(userGrants), "DeleteUserPermissionsBoundary": deleteBoundary(userGrants),

	"CreateInstanceProfile": createInstanceProfile, "GetInstanceProfile": getInstanceProfile, "DeleteInstanceProfile": deleteInstanceProfile,
	"ListInstanceProfiles": listInstanceProfiles, "ListInstanceProfilesForRole": listInstanceProfilesForRole,
	"AddRoleToInstanceProfile": addRoleToInstanceProfile, "RemoveRoleFromInstanceProfile": removeRoleFromInstanceProfile,

	"CreateOpenIDConnectProvider": createOIDCProvider, "GetOpenIDConnectProvider": getOIDCProvider, "DeleteOpenIDConnectProvider": deleteOIDCProvider,
	"ListOpenIDConnectProviders": listOIDCProviders, "AddClientIDToOpenIDConnectProvider": changeProvider(addClientID),
	"RemoveClientIDFromOpenIDConnectProvider": changeProvider(removeClientID), "UpdateOpenIDConnectProviderThumbprint": changeProvider(updateThumbprints),

	"CreateGroup": createGroup, "GetGroup": getGroup, "DeleteGroup": deleteGroup, "ListGroups": listGroups, "ListGroupsForUser": listGroupsForUser,
	"AddUserToGroup": addUserToGroup, "RemoveUserFromGroup": removeUserFromGroup,
	"PutGroupPolicy": putGroupPolicy, "GetGroupPolicy": getGroupPolicy, "DeleteGroupPolicy": deleteGroupPolicy, "ListGroupPolicies": listGroupPolicies,

	"SimulatePrincipalPolicy": simulatePrincipalPolicy, "SimulateCustomPolicy": simulateCustomPolicy,
	"CreateAccountAlias": createAccountAlias, "DeleteAccountAlias": deleteAccountAlias, "ListAccountAliases": listAccountAliases, "GetAccountSummary": getAccountSummary,
}

func (s *Sandbox) handleIAM(cl *call) error {
	handler := iamHandlers[cl.record.Operation]
	if handler == nil {
		return notImplemented("iam:" + cl.record.Operation)
	}
	w := s.world
	w.mu.Lock()
	result, err := handler(s, cl, w.accounts[cl.caller.account])
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return s.writeQuery(cl, result)
}

// iamAllow decides an IAM call; IAM has no resource policies and never crosses accounts.
func (s *Sandbox) iamAllow(cl *call, resource string, tags []tag) error {
	return s.iamAllowOn(cl, resource, tags, nil)
}

// iamAllowOn is iamAllow for a resource with tags of its own.
func (s *Sandbox) iamAllowOn(cl *call, resource string, tags, existing []tag) error {
	ctx := cl.requestContext("us-east-1")
	tagContext(ctx, tags)
	for _, t := range existing {
		ctx["aws:ResourceTag/"+t.Key], ctx["iam:ResourceTag/"+t.Key] = []string{t.Value}, []string{t.Value}
	}
	if keys := formList(cl.query, "TagKeys"); keys != nil {
		ctx["aws:TagKeys"] = keys
	}
	for param, key := range map[string]string{"PolicyArn": "iam:PolicyARN", "PermissionsBoundary": "iam:PermissionsBoundary"} {
		if v := cl.query.Get(param); v != "" {
			ctx[key] = []string{v}
		}
	}
	if e := s.world.authorize(cl, access{
		caller: cl.caller, action: "iam:" + cl.record.Operation, resource: resource, owner: cl.caller.account, context: ctx,
	}); e != nil {
		return e
	}
	return nil
}

func noSuchEntity(kind, name string) *apiError {
	return fail(http.StatusNotFound, "NoSuchEntity", "The %s with name %s cannot be found.", kind, name)
}

// checkTrust stores a trust policy, with IAM's errors.
func (w *world) checkTrust(text string) (*storedPolicy, error) {
	if err := checkDocument(text, iampolicy.KindTrust); err != nil {
		return nil, err
	}
	if withoutSpace(text) > maxTrustPolicy {
		return nil, fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d", maxTrustPolicy)
	}
	p, err := w.storePolicy(text)
	if err != nil {
		return nil, iamPolicyError(err)
	}
	return p, nil
}

func iamPolicyError(err error) *apiError {
	if errors.Is(err, errInvalidPrincipal) {
		_, what, _ := strings.Cut(err.Error(), ": ")
		return fail(http.StatusBadRequest, "MalformedPolicyDocument", "%s%s", iamPrincipalTip, what)
	}
	return fail(http.StatusBadRequest, "MalformedPolicyDocument", "%v", err)
}

// checkInline parses an identity policy.
func checkInline(text string, limit int) (*iampolicyText, error) {
	if err := checkDocument(text, iampolicy.KindIdentity); err != nil {
		return nil, err
	}
	if withoutSpace(text) > limit {
		return nil, fail(http.StatusConflict, "LimitExceeded", "Maximum policy size of %d bytes exceeded", limit)
	}
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil, iamPolicyError(err)
	}
	return &iampolicyText{text, doc}, nil
}

type tagXML struct{ Key, Value string }

type roleXML struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               string
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty"`
	MaxSessionDuration       int
	PermissionsBoundary      *boundaryXML `xml:",omitempty"`
	Tags                     []tagXML     `xml:"Tags>member,omitempty"`
	RoleLastUsed             *lastUsedXML `xml:",omitempty"`
}

type lastUsedXML struct {
	LastUsedDate string `xml:",omitempty"`
	Region       string `xml:",omitempty"`
}

// escapeDocument is the form in which IAM returns policies.
func escapeDocument(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func (w *world) roleXML(r *role) roleXML {
	trust, _ := w.policyNow(r.trust)
	out := roleXML{
		Path: r.path, RoleName: r.name, RoleID: r.id, Arn: r.arn, CreateDate: queryTime(r.created),
		AssumeRolePolicyDocument: escapeDocument(trust), Description: r.description, MaxSessionDuration: seconds(r.maxSession),
		PermissionsBoundary: r.boundaryXML(), RoleLastUsed: &lastUsedXML{Region: r.lastIn},
	}
	if !r.lastUsed.IsZero() {
		out.RoleLastUsed.LastUsedDate = queryTime(r.lastUsed)
	}
	for _, t := range r.tags {
		out.Tags = append(out.Tags, tagXML(t))
	}
	return out
}

func formPath(form url.Values) (string, error) {
	path := form.Get("Path")
	if path == "" {
		return "/", nil
	}
	if !pathPattern.MatchString(path) || len(path) > 512 {
		return "", validationError("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return path, nil
}

func formMaxSession(form url.Values) (time.Duration, error) {
	text := form.Get("MaxSessionDuration")
	if text == "" {
		return defaultMaxRole, nil
	}
	n, err := strconv.Atoi(text)
	d := time.Duration(n) * time.Second
	if err != nil || d < time.Hour || d > longestMaxRole {
		return 0, validationError("1 validation error detected: Value '%s' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200", text)
	}
	return d, nil
}

func createRole(s *Sandbox, cl *call, acct *account) (any, error) {
	form := cl.query
	name, err := requireName(form, "RoleName", roleNamePattern)
	if err != nil {
		return nil, err
	}
	path, err := formPath(form)
	if err != nil {
		return nil, err
	}
	maxSession, err := formMaxSession(form)
	if err != nil {
		return nil, err
	}
	tags, err := formTags(form)
	if err != nil {
		return nil, err
	}
	arn := roleARN(acct.id, path, name)
	if err := s.iamAllow(cl, arn, tags); err != nil {
		return nil, err
	}
	if acct.roles[name] != nil {
		return nil, fail(http.StatusConflict, "EntityAlreadyExists", "Role with name %s already exists.", name)
	}
	trust, err := s.world.checkTrust(form.Get("AssumeRolePolicyDocument"))
	if err != nil {
		return nil, err
	}
	r := &role{
		entity: entity{arn: arn, id: newID("AROA", 17)}, name: name, path: path, account: acct.id,
		description: form.Get("Description"), maxSession: maxSession, trust: trust, inline: namedDocuments{}, tags: tags, created: cl.now,
	}
	if b := form.Get("PermissionsBoundary"); b != "" {
		if err := r.setBoundary(s.world, acct, b); err != nil {
			return nil, err
		}
	}
	acct.roles[name] = r
	s.world.ids[r.id] = r.entity
	s.world.generation++
	return struct {
		XMLName xml.Name `xml:"CreateRoleResult"`
		Role    roleXML
	}{Role: s.world.roleXML(r)}, nil
}

// namedRole decides the call and finds the role it names.
func (s *Sandbox) namedRole(cl *call, acct *account) (*role, error) {
	name, err := requireName(cl.query, "RoleName", roleNamePattern)
	if err != nil {
		return nil, err
	}
	r := acct.roles[name]
	arn := roleARN(acct.id, "/", name)
	var tags []tag
	if r != nil {
		arn, tags = r.arn, r.tags
	}
	if err := s.iamAllowOn(cl, arn, requestTags(cl), tags); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, noSuchEntity("role", name)
	}
	return r, nil
}

func getRole(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetRoleResult"`
		Role    roleXML
	}{Role: s.world.roleXML(r)}, nil
}

func deleteRole(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.inline) > 0:
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(r.Attached) > 0:
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	for _, p := range acct.profiles {
		if slices.Contains(p.Roles, r.name) {
			return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
		}
	}
	delete(acct.roles, r.name)
	delete(s.world.ids, r.id)
	s.world.generation++
	return nil, nil
}

func updateRole(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	if cl.query.Get("MaxSessionDuration") != "" {
		if r.maxSession, err = formMaxSession(cl.query); err != nil {
			return nil, err
		}
	}
	if d, ok := cl.query["Description"]; ok {
		r.description = d[0]
	}
	return struct {
		XMLName xml.Name `xml:"UpdateRoleResult"`
	}{}, nil
}

func updateRoleDescription(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	r.description = cl.query.Get("Description")
	return struct {
		XMLName xml.Name
		Role    roleXML
	}{resultName(cl), s.world.roleXML(r)}, nil
}

func listRoles(s *Sandbox, cl *call, acct *account) (any, error) {
	prefix := cl.query.Get("PathPrefix")
	if prefix == "" {
		prefix = "/"
	}
	if err := s.iamAllow(cl, "arn:aws:iam::"+acct.id+":role"+prefix, nil); err != nil {
		return nil, err
	}
	var list []roleXML
	for _, name := range slices.Sorted(maps.Keys(acct.roles)) {
		if r := acct.roles[name]; strings.HasPrefix(r.path, prefix) {
			x := s.world.roleXML(r)
			x.Tags, x.PermissionsBoundary, x.RoleLastUsed = nil, nil, nil // only GetRole tells these
			list = append(list, x)
		}
	}
	list, p, err := paginate(cl.query, list, func(x roleXML) string { return x.RoleName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Roles   []roleXML `xml:"Roles>member"`
		page
	}{resultName(cl), list, p}, nil
}

func updateAssumeRolePolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	trust, err := s.world.checkTrust(cl.query.Get("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	r.trust = trust
	return nil, nil
}
