package iampolicy

import (
	"slices"
	"strings"
)

// NeverAllowed returns the reason why no policy can allow a request; "" when one can.
func NeverAllowed(r Request) string {
	parsed := parseRequest(&r)
	if parsed.check() != nil {
		return ""
	}
	return parsed.neverAllowed()
}

// neverAllowed adds unsigned calls to the changes that AWS keeps for itself: anonymous
// callers exist for S3 alone (IAM User Guide, reference_policies_evaluation-logic.html).
func (r *parsedRequest) neverAllowed() string {
	if r.caller.kind == callerAnonymous && r.service != "s3" {
		return r.service + " takes signed requests only: no policy lets an anonymous caller in"
	}
	return r.immutable()
}

// immutable returns the reason why no customer can make this change, whatever the
// policies say; "" when one can. Aliases that begin with aws/ are AWS's own (KMS
// API Reference, CreateAlias), as are managed policies of the account "aws", and
// roles below /aws-service-role/ and /aws-reserved/ (IAM User Guide,
// using-service-linked-roles.html).
func (r *parsedRequest) immutable() string {
	name := r.arn.Resource
	switch {
	case r.service == "kms" && strings.HasPrefix(name, "alias/aws/") &&
		slices.Contains([]string{"kms:createalias", "kms:updatealias", "kms:deletealias"}, r.actionLower):
		return "aliases that begin with alias/aws/ belong to AWS and cannot be changed"
	case r.service != "iam" || !changes(r.actionLower):
		return ""
	case r.arn.Account == "aws" && strings.HasPrefix(name, "policy/"):
		return "policies that AWS manages cannot be changed"
	case strings.HasPrefix(name, "role/aws-service-role/"):
		return "a service-linked role is changed by its service alone"
	case strings.HasPrefix(name, "role/aws-reserved/"):
		return "roles below /aws-reserved/ are changed by AWS alone"
	}
	return ""
}

// changes reports whether an action of IAM changes a role or a policy. The
// description and the deletion of a service-linked role have actions of their own.
func changes(action string) bool {
	_, name, _ := strings.Cut(action, ":")
	if name == "deleteservicelinkedrole" || name == "updateroledescription" {
		return false
	}
	return slices.ContainsFunc(
		[]string{"put", "delete", "update", "attachrole", "detachrole", "create", "set", "tag", "untag"},
		func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		},
	)
}
