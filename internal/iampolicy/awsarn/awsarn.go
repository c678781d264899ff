package awsarn

import (
	"fmt"
	"strings"
)

// ARN is an Amazon Resource Name in its six parts.
type ARN struct {
	Partition string // "aws", "aws-cn", "aws-us-gov", …
	Service   string
	Region    string // empty for global services
	Account   string // empty for S3 buckets and objects
	Resource  string // everything after the fifth colon
}

// Split cuts s at its first five colons. ok is false when s does not have the
// six fields of an ARN; fields may be empty.
func Split(s string) (a ARN, ok bool) {
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return ARN{}, false
	}
	for _, field := range []*string{&a.Partition, &a.Service, &a.Region, &a.Account} {
		if *field, rest, ok = strings.Cut(rest, ":"); !ok {
			return ARN{}, false
		}
	}
	a.Resource = rest
	return a, true
}

// Parse splits an ARN. It returns an error when partition, service or resource is empty.
func Parse(s string) (ARN, error) {
	a, ok := Split(s)
	if !ok || a.Partition == "" || a.Service == "" || a.Resource == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN: want arn:partition:service:region:account:resource", s)
	}
	return a, nil
}

// String returns the ARN as text.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// Type returns the resource before its first slash: "role", "key", "assumed-role".
// It is empty when the resource has no slash.
func (a ARN) Type() string {
	t, _, found := strings.Cut(a.Resource, "/")
	if !found {
		return ""
	}
	return t
}

// Name returns the resource after its last slash. For a session that is the
// session's name; RoleOf returns the role.
func (a ARN) Name() string { return a.Resource[strings.LastIndexByte(a.Resource, '/')+1:] }

// Path returns the IAM path of a role, user or policy with its slashes: "/" for
// role/NAME, "/a/b/" for role/a/b/NAME.
func (a ARN) Path() string {
	_, rest, _ := strings.Cut(a.Resource, "/")
	return "/" + rest[:strings.LastIndexByte(rest, '/')+1]
}

// Is reports whether the ARN belongs to the service and has the resource type.
func (a ARN) Is(service, resourceType string) bool {
	return a.Service == service && a.Type() == resourceType
}

// Account returns the account of an ARN; empty for a text that is not an ARN.
func Account(s string) string {
	a, err := Parse(s)
	if err != nil {
		return ""
	}
	return a.Account
}

// Partition returns the partition of an ARN; empty for a text that is not an ARN.
func Partition(s string) string {
	a, err := Parse(s)
	if err != nil {
		return ""
	}
	return a.Partition
}

// ResourceType returns the resource type of an ARN, such as "role"; empty for a
// text that is not an ARN.
func ResourceType(s string) string {
	a, err := Parse(s)
	if err != nil {
		return ""
	}
	return a.Type()
}

// Role returns the ARN of the role of an assumed-role session. The role's path is
// not in a session's ARN, so the result has none. Any other text is returned as it is.
func Role(s string) string {
	a, err := Parse(s)
	if err != nil || !a.Is("sts", "assumed-role") {
		return s
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "assumed-role/"), "/")
	return ARN{Partition: a.Partition, Service: "iam", Account: a.Account, Resource: "role/" + name}.String()
}

// Session returns the ARN of a session of a role. A text that is not an ARN is
// returned as it is.
func Session(role, name string) string {
	a, err := Parse(role)
	if err != nil {
		return role
	}
	return ARN{Partition: a.Partition, Service: "sts", Account: a.Account, Resource: "assumed-role/" + a.Name() + "/" + name}.String()
}

// Bucket returns the ARN of an S3 bucket.
func Bucket(partition, name string) string { return "arn:" + partition + ":s3:::" + name }

// IsAccount reports whether s is the 12-digit id of an account.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
