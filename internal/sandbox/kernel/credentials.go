package kernel

import (
	"fmt"
	"regexp"
)

var (
	// AccountPattern matches account ids.
	AccountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	// RegionPattern matches the names of Regions.
	RegionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// Credentials are the keys of a principal. They print as REDACTED.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

// String hides the secret parts.
func (c Credentials) String() string {
	return fmt.Sprintf("{%s REDACTED}", c.AccessKeyID)
}

// GoString hides the secret parts.
func (c Credentials) GoString() string { return c.String() }

// MarshalJSON hides the secret parts.
func (c Credentials) MarshalJSON() ([]byte, error) { return []byte(`"REDACTED"`), nil }
