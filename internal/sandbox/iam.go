package sandbox

import (
	"cmp"
	"errors"
	"net/http"
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
	iamVersion      = "2010-05-08"
	iamPrincipalTip = "Invalid principal in policy: "
)

// requestTags are the tags of a tagging call; a malformed list is the handler's to refuse.
func requestTags(cl *call) []tag {
	tags, err := formExactTags(cl.query)
	if err != nil {
		return nil
	}
	return tags
}

type iamHandler func(*iamService, *call, *account) (any, error)

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

// serve answers a call to IAM.
func (s *iamService) serve(cl *call) error {
	handler := iamHandlers[cl.record.Operation]
	if handler == nil {
		return notImplemented("iam:" + cl.record.Operation)
	}
	if err := checkVersion(cl, iamVersion); err != nil {
		return err
	}
	m := model{parameters: iamParameters, shape: iamShape}
	if err := m.validate(cl.record.Operation, cl.query); err != nil {
		return err
	}
	result, err := s.run(cl, handler)
	if err != nil {
		return err
	}
	return cl.writeQuery(result)
}

// run runs an operation with mu held.
func (s *iamService) run(cl *call, handler iamHandler) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return handler(s, cl, s.accounts[cl.caller.account])
}

// iamAllow decides an IAM call; IAM has no resource policies and never crosses accounts.
func (s *iamService) iamAllow(cl *call, resource string, tags []tag) error {
	return s.iamAllowOn(cl, iamResource{arn: resource}, tags)
}

// iamResource is what a call is about, with what conditions can ask of it.
type iamResource struct {
	arn      string
	tags     []tag
	boundary string // ARN of the entity's permissions boundary
}

// boundaryActions are the operations that the boundary of a user or role can
// be a condition for: the one that the request sets, or else the one in force.
var boundaryActions = map[string]bool{
	"CreateUser": true, "CreateRole": true,
	"PutUserPermissionsBoundary": true, "PutRolePermissionsBoundary": true, "DeleteUserPermissionsBoundary": true, "DeleteRolePermissionsBoundary": true,
	"PutUserPolicy": true, "PutRolePolicy": true, "DeleteUserPolicy": true, "DeleteRolePolicy": true,
	"AttachUserPolicy": true, "AttachRolePolicy": true, "DetachUserPolicy": true, "DetachRolePolicy": true,
}

// iamAllowOn is iamAllow for a resource that is there. tags are the request's.
func (s *iamService) iamAllowOn(cl *call, on iamResource, tags []tag) error {
	ctx, op := cl.requestContext("us-east-1"), cl.record.Operation
	tagContext(ctx, tags)
	for _, t := range on.tags {
		ctx["aws:ResourceTag/"+t.Key], ctx["iam:ResourceTag/"+t.Key] = []string{t.Value}, []string{t.Value}
	}
	if keys := formList(cl.query, "TagKeys"); keys != nil {
		ctx["aws:TagKeys"] = keys
	}
	if strings.HasPrefix(op, "Attach") || strings.HasPrefix(op, "Detach") {
		ctx["iam:PolicyARN"] = []string{cl.query.Get("PolicyArn")}
	}
	if b := cmp.Or(cl.query.Get("PermissionsBoundary"), on.boundary); b != "" && boundaryActions[op] {
		ctx["iam:PermissionsBoundary"] = []string{b}
	}
	if e := s.authorizeLocked(cl, access{
		caller: cl.caller, action: "iam:" + op, resource: on.arn, owner: cl.caller.account, context: ctx,
	}); e != nil {
		return e
	}
	return nil
}

func noSuchEntity(kind, name string) *apiError {
	return fail(http.StatusNotFound, "NoSuchEntity", "The %s with name %s cannot be found.", kind, name)
}

// checkTrust stores a trust policy, with IAM's errors.
func (s *iamService) checkTrust(text string) (*storedPolicy, error) {
	if err := checkDocument(text, iampolicy.KindTrust); err != nil {
		return nil, err
	}
	if withoutSpace(text) > maxTrustPolicy {
		return nil, fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d", maxTrustPolicy)
	}
	p, err := s.storePolicyLocked(text)
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
