package setup

import (
	"errors"

	"github.com/brokerd/brokerd/internal/config"
)

// Options are what a destination does not say.
type Options struct {
	// SourcePrincipalARN is the identity in account A that assumes the role.
	SourcePrincipalARN string
}

// Documents are the four policies of one destination, as indented JSON.
type Documents struct {
	RoleARN   string
	BucketARN string
	KeyARN    string
	Trust     []byte // trust policy of the role, account A
	Identity  []byte // inline policy of the role, account A
	Bucket    []byte // bucket policy, account B
	Key       []byte // key policy, account B; empty when there is no KMS key
}

// Kind names one of the documents.
type Kind string

// The kinds.
const (
	KindTrust    Kind = "trust"
	KindIdentity Kind = "identity"
	KindBucket   Kind = "bucket-policy"
	KindKey      Kind = "key-policy"
)

// Desired derives the policies of dest.
func Desired(dest *config.Destination, opts Options) (Documents, error) {
	return Documents{}, errors.New("not built yet")
}

// Statement returns the statement with the given sid, as indented JSON; nil when there is none.
func (d Documents) Statement(kind Kind, sid string) []byte { return nil }
