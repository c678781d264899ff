package iam

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	maxTrustPolicy = 2048
	maxInlineRole  = 10240
	maxInlineUser  = 2048
	maxInlineGroup = 5120
	maxKeysPerUser = 2
	defaultMaxRole = time.Hour
	version        = "2010-05-08"
	principalTip   = "Invalid principal in policy: "
)

// requestTags are the tags of a tagging call. The handler refuses a malformed list.
func requestTags(cl *kernel.Request) []kernel.Tag {
	tags, err := formExactTags(cl.Form)
	if err != nil {
		return nil
	}
	return tags
}

// call is one call of an operation by a caller of one account. The mutex of the service
// is held while it runs. Its methods find the entity that the request names, and decide
// whether the caller may use the operation on it.
type call struct {
	iam  *Service
	cl   *kernel.Request
	acct *account // of the caller
}

type handler func(*call) (any, error)

// handlers are the operations by name.
var handlers = map[string]handler{
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
	"TagInstanceProfile": tagging(
		profileTags,
	), "UntagInstanceProfile": untagging(profileTags), "ListInstanceProfileTags": listingTags(profileTags),
	"TagOpenIDConnectProvider": tagging(
		providerTags,
	), "UntagOpenIDConnectProvider": untagging(providerTags), "ListOpenIDConnectProviderTags": listingTags(providerTags),

	"CreatePolicy": createPolicy, "GetPolicy": getPolicy, "DeletePolicy": deletePolicy, "ListPolicies": listPolicies,
	"CreatePolicyVersion": createPolicyVersion, "GetPolicyVersion": getPolicyVersion, "ListPolicyVersions": listPolicyVersions,
	"DeletePolicyVersion": deletePolicyVersion, "SetDefaultPolicyVersion": setDefaultPolicyVersion,
	"ListEntitiesForPolicy": listEntitiesForPolicy,

	"AttachRolePolicy": attaching(
		roleGrants,
	), "DetachRolePolicy": detaching(roleGrants), "ListAttachedRolePolicies": listingAttached(roleGrants),
	"AttachUserPolicy": attaching(
		userGrants,
	), "DetachUserPolicy": detaching(userGrants), "ListAttachedUserPolicies": listingAttached(userGrants),
	"AttachGroupPolicy": attaching(
		groupGrants,
	), "DetachGroupPolicy": detaching(groupGrants), "ListAttachedGroupPolicies": listingAttached(groupGrants),
	"PutRolePermissionsBoundary": putBoundary(roleGrants), "DeleteRolePermissionsBoundary": deleteBoundary(roleGrants),
	"PutUserPermissionsBoundary": putBoundary(userGrants), "DeleteUserPermissionsBoundary": deleteBoundary(userGrants),

	"CreateInstanceProfile": createInstanceProfile, "GetInstanceProfile": getInstanceProfile, "DeleteInstanceProfile": deleteInstanceProfile,
	"ListInstanceProfiles": listInstanceProfiles, "ListInstanceProfilesForRole": listInstanceProfilesForRole,
	"AddRoleToInstanceProfile": addRoleToInstanceProfile, "RemoveRoleFromInstanceProfile": removeRoleFromInstanceProfile,

	"CreateOpenIDConnectProvider": createOIDCProvider, "GetOpenIDConnectProvider": getOIDCProvider,
	"DeleteOpenIDConnectProvider": deleteOIDCProvider, "ListOpenIDConnectProviders": listOIDCProviders,
	"AddClientIDToOpenIDConnectProvider": changeProvider(addClientID),
	"RemoveClientIDFromOpenIDConnectProvider": changeProvider(
		removeClientID,
	), "UpdateOpenIDConnectProviderThumbprint": changeProvider(updateThumbprints),

	"CreateGroup": createGroup, "GetGroup": getGroup, "DeleteGroup": deleteGroup, "ListGroups": listGroups,
	"ListGroupsForUser": listGroupsForUser, "AddUserToGroup": addUserToGroup, "RemoveUserFromGroup": removeUserFromGroup,
	"PutGroupPolicy": putGroupPolicy, "GetGroupPolicy": getGroupPolicy, "DeleteGroupPolicy": deleteGroupPolicy,
	"ListGroupPolicies": listGroupPolicies,

	"SimulatePrincipalPolicy": simulatePrincipalPolicy, "SimulateCustomPolicy": simulateCustomPolicy,
	"CreateAccountAlias": createAccountAlias, "DeleteAccountAlias": deleteAccountAlias, "ListAccountAliases": listAccountAliases,
	"GetAccountSummary": getAccountSummary,
}

// Serve answers a call to IAM.
func (s *Service) Serve(cl *kernel.Request) error {
	handler := handlers[cl.Record.Operation]
	if handler == nil {
		return kernel.NotImplemented("iam:" + cl.Record.Operation)
	}
	if err := CheckVersion(cl, version); err != nil {
		return err
	}
	m := Model{Parameters: parameters, Shape: shapeOf}
	if err := m.Validate(cl.Record.Operation, cl.Form); err != nil {
		return err
	}
	result, err := s.run(cl, handler)
	if err != nil {
		return err
	}
	return cl.WriteQuery(result)
}

// run runs an operation with mu held.
func (s *Service) run(cl *kernel.Request, handler handler) (any, error) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return handler(&call{s, cl, s.accounts[cl.Caller.Account]})
}

// allow decides an IAM call; IAM has no resource policies and never crosses accounts.
func (c *call) allow(resource string, tags []kernel.Tag) error {
	return c.allowOn(target{arn: resource}, tags)
}

// target is the resource of a call, with its condition keys.
type target struct {
	arn      string
	tags     []kernel.Tag
	boundary string // ARN of the entity's permissions boundary
}

// boundaryActions are the operations that the boundary of a user or role can
// be a condition for: the one that the request sets, or else the one in force.
var boundaryActions = map[string]bool{
	"CreateUser": true, "CreateRole": true,
	"PutUserPermissionsBoundary": true, "PutRolePermissionsBoundary": true, "DeleteUserPermissionsBoundary": true,
	"DeleteRolePermissionsBoundary": true, "PutUserPolicy": true, "PutRolePolicy": true, "DeleteUserPolicy": true, "DeleteRolePolicy": true,
	"AttachUserPolicy": true, "AttachRolePolicy": true, "DetachUserPolicy": true, "DetachRolePolicy": true,
}

// allowOn is allow for a resource that is there. tags are the request's.
func (c *call) allowOn(on target, tags []kernel.Tag) error {
	ctx, op := c.cl.Conditions("us-east-1"), c.cl.Record.Operation
	kernel.TagContext(ctx, tags)
	for _, t := range on.tags {
		ctx["aws:ResourceTag/"+t.Key], ctx["iam:ResourceTag/"+t.Key] = []string{t.Value}, []string{t.Value}
	}
	if keys := kernel.FormList(c.cl.Form, "TagKeys"); keys != nil {
		ctx["aws:TagKeys"] = keys
	}
	if strings.HasPrefix(op, "Attach") || strings.HasPrefix(op, "Detach") {
		ctx["iam:PolicyARN"] = []string{c.cl.Form.Get("PolicyArn")}
	}
	if b := cmp.Or(c.cl.Form.Get("PermissionsBoundary"), on.boundary); b != "" && boundaryActions[op] {
		ctx["iam:PermissionsBoundary"] = []string{b}
	}
	if e := c.iam.AuthorizeLocked(c.cl, kernel.Access{
		Caller: c.cl.Caller, Action: "iam:" + op, Resource: on.arn, Owner: c.cl.Caller.Account, Context: ctx,
	}); e != nil {
		return e
	}
	return nil
}

func noSuchEntity(kind, name string) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The %s with name %s cannot be found.", kind, name)
}

// checkTrust stores a trust policy, with IAM's errors.
func (s *Service) checkTrust(text string) (*StoredPolicy, error) {
	if err := checkDocument(text, iampolicy.KindTrust); err != nil {
		return nil, err
	}
	if withoutSpace(text) > maxTrustPolicy {
		return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d", maxTrustPolicy)
	}
	p, err := s.storePolicyLocked(text)
	if err != nil {
		return nil, policyError(err)
	}
	return p, nil
}

func policyError(err error) *kernel.Error {
	if errors.Is(err, ErrInvalidPrincipal) {
		_, what, _ := strings.Cut(err.Error(), ": ")
		return kernel.Fail(http.StatusBadRequest, "MalformedPolicyDocument", "%s%s", principalTip, what)
	}
	return kernel.Fail(http.StatusBadRequest, "MalformedPolicyDocument", "%v", err)
}

// Operations returns the names of the modelled operations in order.
func Operations() []string { return slices.Sorted(maps.Keys(handlers)) }
