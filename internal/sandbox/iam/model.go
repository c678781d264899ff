package iam

import (
	"regexp"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The parameters of IAM's operations and what their values may be, as the
// service's model has them.

const (
	tagKeyText    = `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`
	tagValueText  = `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`
	roleTellsText = `[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*` // a role's description
)

var (
	namePattern       = regexp.MustCompile(`^[\w+=,.@-]+$`)
	keyIDPattern      = regexp.MustCompile(`^\w+$`)
	pathPattern       = regexp.MustCompile(`^/([\x21-\x7e]+/)?$`)
	policyPathPattern = regexp.MustCompile(`^(/[A-Za-z0-9.,+@=_-]+)*/$`)
	prefixPattern     = regexp.MustCompile(`^/[\x21-\x7f]{0,511}$`)
	documentPattern   = regexp.MustCompile(`^[\t\n\r\x{20}-\x{ff}]+$`)
	roleTellsPattern  = regexp.MustCompile(`^[\t\n\r\x{20}-\x{7e}\x{a1}-\x{ff}]*$`)
	tagKeyPattern     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)
	versionPattern    = regexp.MustCompile(`^v[1-9][0-9]*(\.[A-Za-z0-9-]*)?$`)
)

// IAM's errors for values with invalid characters, which the model does not cover.
const (
	onlyNames     = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
	onlyKeyIDs    = "It must contain only alphanumeric characters."
	onlyPaths     = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
	onlyPrefixes  = "It must begin with the / character and contain only alphanumeric characters and/or / characters."
	onlyPrintable = "It must contain only printable ASCII characters."
)

// TagShapes are one tag's key and value.
var TagShapes = [2]Shape{
	{Least: 1, Most: kernel.MaxTagKey, Pattern: tagKeyPattern, Text: tagKeyText},
	{Most: kernel.MaxTagValue, Pattern: kernel.TagText, Text: tagValueText},
}

// shapes are the parameters by name; shapesOf holds the exceptions by operation.
var shapes = map[string]Shape{
	"AccessKeyId":              {Least: 16, Most: 128, chars: keyIDPattern, want: onlyKeyIDs},
	"AccountAlias":             {Least: 3, Most: 63, Pattern: accountAliasPattern, Text: `^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`},
	"ActionNames":              {Member: &Shape{Least: 3, Most: 128}},
	"AssumeRolePolicyDocument": {Least: 1, Most: 131072, chars: documentPattern, want: onlyPrintable},
	"CallerArn":                {Least: 1, Most: 2048},
	"ClientID":                 {Least: 1, Most: 255},
	"ClientIDList":             {Member: &Shape{Least: 1, Most: 255}},
	"Description":              {Most: 1000, Pattern: roleTellsPattern, Text: roleTellsText},
	"EntityFilter":             {oneOf: []string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}},
	"GroupName":                {Most: 128, chars: namePattern, want: onlyNames},
	"InstanceProfileName":      {Most: 128, chars: namePattern, want: onlyNames},
	"Marker":                   {Least: 1, Most: 320},
	"MaxItems":                 {Number: true, Least: 1, Most: maxIAMListed},
	"MaxSessionDuration":       {Number: true, Least: 3600, Most: 43200},
	"NewPath":                  {Most: 512, chars: pathPattern, want: onlyPaths},
	"NewUserName":              {Most: 64, chars: namePattern, want: onlyNames},
	"OpenIDConnectProviderArn": {Least: 20, Most: 2048},
	"Path":                     {Most: 512, chars: pathPattern, want: onlyPaths},
	"PathPrefix":               {chars: prefixPattern, want: onlyPrefixes},
	"PermissionsBoundary":      {Least: 20, Most: 2048},
	"PolicyArn":                {Least: 20, Most: 2048},
	"PolicyDocument":           {Least: 1, Most: 131072, chars: documentPattern, want: onlyPrintable},
	"PolicyInputList":          {Member: &Shape{Least: 1, Most: 131072}},
	"PolicyName":               {Most: 128, chars: namePattern, want: onlyNames},
	"PolicySourceArn":          {Least: 20, Most: 2048},
	"PolicyUsageFilter":        {oneOf: []string{"PermissionsPolicy", "PermissionsBoundary"}},
	"ResourceArns":             {Member: &Shape{Least: 1, Most: 2048}},
	"ResourceOwner":            {Least: 1, Most: 2048},
	"ResourcePolicy":           {Least: 1, Most: 131072, chars: documentPattern, want: onlyPrintable},
	"RoleName":                 {Most: 64, chars: namePattern, want: onlyNames},
	"Scope":                    {oneOf: []string{"All", "AWS", "Local"}},
	"Status":                   {oneOf: []string{"Active", "Inactive"}},
	"TagKeys":                  {Most: MaxIAMTags, Member: &TagShapes[0]},
	"Tags":                     {Most: MaxIAMTags, Tags: true},
	"ThumbprintList":           {Member: &Shape{}},
	"Url":                      {Least: 1, Most: 255},
	"UserName":                 {Most: 128, chars: namePattern, want: onlyNames},
	"VersionId":                {Pattern: versionPattern, Text: `v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`},
}

// newUserShape is a user's name where the model does not take the longer names of old.
var newUserShape = Shape{Most: 64, chars: namePattern, want: onlyNames}

var shapesOf = map[string]map[string]Shape{
	"CreateUser":                    {"UserName": newUserShape},
	"AttachUserPolicy":              {"UserName": newUserShape},
	"DetachUserPolicy":              {"UserName": newUserShape},
	"ListAttachedUserPolicies":      {"UserName": newUserShape},
	"PutUserPermissionsBoundary":    {"UserName": newUserShape},
	"DeleteUserPermissionsBoundary": {"UserName": newUserShape},
	"CreatePolicy":                  {"Description": {Most: 1000}, "Path": {Most: 512, chars: policyPathPattern, want: onlyPaths}},
}

// parameters are the parameters by operation, the required ones with an
// exclamation mark.
var parameters = map[string]string{
	"AddClientIDToOpenIDConnectProvider": "OpenIDConnectProviderArn! ClientID!",
	"AddRoleToInstanceProfile":           "InstanceProfileName! RoleName!",
	"AddUserToGroup":                     "GroupName! UserName!",
	"AttachGroupPolicy":                  "GroupName! PolicyArn!",
	"AttachRolePolicy":                   "RoleName! PolicyArn!",
	"AttachUserPolicy":                   "UserName! PolicyArn!",
	"CreateAccessKey":                    "UserName",
	"CreateAccountAlias":                 "AccountAlias!",
	"CreateGroup":                        "Path GroupName!",
	"CreateInstanceProfile":              "InstanceProfileName! Path Tags",
	"CreateOpenIDConnectProvider":        "Url! ClientIDList ThumbprintList Tags",
	"CreatePolicy":                       "PolicyName! Path PolicyDocument! Description Tags",
	"CreatePolicyVersion":                "PolicyArn! PolicyDocument! SetAsDefault",
	"CreateRole": "Path RoleName! AssumeRolePolicyDocument! Description MaxSessionDuration " +
		"PermissionsBoundary Tags",
	"CreateUser":                              "Path UserName! PermissionsBoundary Tags",
	"DeleteAccessKey":                         "UserName AccessKeyId!",
	"DeleteAccountAlias":                      "AccountAlias!",
	"DeleteGroup":                             "GroupName!",
	"DeleteGroupPolicy":                       "GroupName! PolicyName!",
	"DeleteInstanceProfile":                   "InstanceProfileName!",
	"DeleteOpenIDConnectProvider":             "OpenIDConnectProviderArn!",
	"DeletePolicy":                            "PolicyArn!",
	"DeletePolicyVersion":                     "PolicyArn! VersionId!",
	"DeleteRole":                              "RoleName!",
	"DeleteRolePermissionsBoundary":           "RoleName!",
	"DeleteRolePolicy":                        "RoleName! PolicyName!",
	"DeleteUser":                              "UserName!",
	"DeleteUserPermissionsBoundary":           "UserName!",
	"DeleteUserPolicy":                        "UserName! PolicyName!",
	"DetachGroupPolicy":                       "GroupName! PolicyArn!",
	"DetachRolePolicy":                        "RoleName! PolicyArn!",
	"DetachUserPolicy":                        "UserName! PolicyArn!",
	"GetAccessKeyLastUsed":                    "AccessKeyId!",
	"GetGroup":                                "GroupName! Marker MaxItems",
	"GetGroupPolicy":                          "GroupName! PolicyName!",
	"GetInstanceProfile":                      "InstanceProfileName!",
	"GetOpenIDConnectProvider":                "OpenIDConnectProviderArn!",
	"GetPolicy":                               "PolicyArn!",
	"GetPolicyVersion":                        "PolicyArn! VersionId!",
	"GetRole":                                 "RoleName!",
	"GetRolePolicy":                           "RoleName! PolicyName!",
	"GetUser":                                 "UserName",
	"GetUserPolicy":                           "UserName! PolicyName!",
	"ListAccessKeys":                          "UserName Marker MaxItems",
	"ListAccountAliases":                      "Marker MaxItems",
	"ListAttachedGroupPolicies":               "GroupName! PathPrefix Marker MaxItems",
	"ListAttachedRolePolicies":                "RoleName! PathPrefix Marker MaxItems",
	"ListAttachedUserPolicies":                "UserName! PathPrefix Marker MaxItems",
	"ListEntitiesForPolicy":                   "PolicyArn! EntityFilter PathPrefix PolicyUsageFilter Marker MaxItems",
	"ListGroupPolicies":                       "GroupName! Marker MaxItems",
	"ListGroups":                              "PathPrefix Marker MaxItems",
	"ListGroupsForUser":                       "UserName! Marker MaxItems",
	"ListInstanceProfileTags":                 "InstanceProfileName! Marker MaxItems",
	"ListInstanceProfiles":                    "PathPrefix Marker MaxItems",
	"ListInstanceProfilesForRole":             "RoleName! Marker MaxItems",
	"ListOpenIDConnectProviderTags":           "OpenIDConnectProviderArn! Marker MaxItems",
	"ListPolicies":                            "Scope OnlyAttached PathPrefix PolicyUsageFilter Marker MaxItems",
	"ListPolicyTags":                          "PolicyArn! Marker MaxItems",
	"ListPolicyVersions":                      "PolicyArn! Marker MaxItems",
	"ListRolePolicies":                        "RoleName! Marker MaxItems",
	"ListRoleTags":                            "RoleName! Marker MaxItems",
	"ListRoles":                               "PathPrefix Marker MaxItems",
	"ListUserPolicies":                        "UserName! Marker MaxItems",
	"ListUserTags":                            "UserName! Marker MaxItems",
	"ListUsers":                               "PathPrefix Marker MaxItems",
	"PutGroupPolicy":                          "GroupName! PolicyName! PolicyDocument!",
	"PutRolePermissionsBoundary":              "RoleName! PermissionsBoundary!",
	"PutRolePolicy":                           "RoleName! PolicyName! PolicyDocument!",
	"PutUserPermissionsBoundary":              "UserName! PermissionsBoundary!",
	"PutUserPolicy":                           "UserName! PolicyName! PolicyDocument!",
	"RemoveClientIDFromOpenIDConnectProvider": "OpenIDConnectProviderArn! ClientID!",
	"RemoveRoleFromInstanceProfile":           "InstanceProfileName! RoleName!",
	"RemoveUserFromGroup":                     "GroupName! UserName!",
	"SetDefaultPolicyVersion":                 "PolicyArn! VersionId!",
	"SimulateCustomPolicy": "PolicyInputList! ActionNames! ResourceArns ResourcePolicy ResourceOwner CallerArn " +
		"MaxItems Marker",
	"SimulatePrincipalPolicy": "PolicySourceArn! PolicyInputList ActionNames! ResourceArns ResourcePolicy ResourceOwner " +
		"CallerArn MaxItems Marker",
	"TagInstanceProfile":                    "InstanceProfileName! Tags!",
	"TagOpenIDConnectProvider":              "OpenIDConnectProviderArn! Tags!",
	"TagPolicy":                             "PolicyArn! Tags!",
	"TagRole":                               "RoleName! Tags!",
	"TagUser":                               "UserName! Tags!",
	"UntagInstanceProfile":                  "InstanceProfileName! TagKeys!",
	"UntagOpenIDConnectProvider":            "OpenIDConnectProviderArn! TagKeys!",
	"UntagPolicy":                           "PolicyArn! TagKeys!",
	"UntagRole":                             "RoleName! TagKeys!",
	"UntagUser":                             "UserName! TagKeys!",
	"UpdateAccessKey":                       "UserName AccessKeyId! Status!",
	"UpdateAssumeRolePolicy":                "RoleName! PolicyDocument!",
	"UpdateOpenIDConnectProviderThumbprint": "OpenIDConnectProviderArn! ThumbprintList!",
	"UpdateRole":                            "RoleName! Description MaxSessionDuration",
	"UpdateRoleDescription":                 "RoleName! Description!",
	"UpdateUser":                            "UserName! NewPath NewUserName",
}
