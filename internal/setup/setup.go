package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// Options are the inputs of Desired that are not in the destination.
type Options struct {
	// SourcePrincipalARN is the identity in account A that assumes the role: an
	// IAM role or user, by its full ARN. A session ARN is turned into its role's. Empty: not known, and
	// Documents.Trust is left out rather than opened to a whole account. A role at
	// the end of a chain is assumed by the role before it, whatever stands here.
	SourcePrincipalARN string
}

// Documents are the policies of one destination, as indented JSON with a
// newline at the end.
type Documents struct {
	RoleARN   string
	BucketARN string
	KeyARN    string

	Trust    []byte // trust policy of the role, account A; nil without a source principal
	Identity []byte // inline policy of the role, account A
	Bucket   []byte // bucket policy, account B
	Key      []byte // key policy, account B
}

// Desired derives the policies of dest alone. It refuses a Compatible destination:
// such a store has no accounts and no key policies to write.
func Desired(dest *config.Destination, opts Options) (Documents, error) {
	switch {
	case dest == nil || dest.KeyTemplate == nil:
		return Documents{}, errors.New("the destination was not loaded from a configuration")
	case dest.Compatible:
		return Documents{}, fmt.Errorf("destination %s: an S3-compatible store has no policies that setup could write", dest.Name)
	}
	role, err := awsarn.Parse(dest.Role)
	if err != nil {
		return Documents{}, fmt.Errorf("destination %s: role: %w", dest.Name, err)
	}
	as := config.RunsAs{}
	if opts.SourcePrincipalARN != "" {
		as.Type = config.RunsRole
		if as.Principal, err = sourcePrincipal(opts.SourcePrincipalARN, role.Partition); err != nil {
			return Documents{}, fmt.Errorf("destination %s: %w", dest.Name, err)
		}
	}
	b := newBuilder()
	if err := b.add(dest, config.Setup{RunsAs: as}); err != nil {
		return Documents{}, fmt.Errorf("destination %s: %w", dest.Name, err)
	}
	state := b.state()
	own := state.Roles[len(state.Roles)-1]
	out := Documents{RoleARN: dest.Role, BucketARN: state.Buckets[0].ARN, KeyARN: dest.KMSKey}
	for _, doc := range []struct {
		into   *[]byte
		policy Policy
	}{{&out.Trust, own.Trust}, {&out.Identity, own.Inline}, {&out.Bucket, state.Buckets[0].Policy}, {&out.Key, state.Keys[0].Policy}} {
		if doc.policy.Empty() {
			continue
		}
		if *doc.into, err = doc.policy.JSON(); err != nil {
			return Documents{}, fmt.Errorf("destination %s: %w", dest.Name, err)
		}
	}
	return out, nil
}

// sourcePrincipal checks the identity that may assume the role. Policies keep a
// role's ARN, not a session's: a session ends. A role below a path cannot be
// told from its session ARN; who has one gives the role's ARN.
func sourcePrincipal(arn, partition string) (string, error) {
	const want = "give the application's own identity in account A, such as arn:aws:iam::111122223333:role/app"
	a, err := awsarn.Parse(awsarn.Role(arn))
	if err != nil {
		return "", fmt.Errorf("the source principal: %w; %s", err, want)
	}
	switch {
	case a.Partition != partition:
		return "", fmt.Errorf("the source principal is in partition %s, the role in %s", a.Partition, partition)
	case a.Service != "iam" || (!strings.HasPrefix(a.Resource, "role/") && !strings.HasPrefix(a.Resource, "user/")) ||
		strings.Contains(a.Resource, "*"):
		return "", fmt.Errorf("the source principal %q is neither a role nor a user; %s", arn, want)
	}
	return a.String(), nil
}

// Statement returns the first statement of this kind, by one of the Sid constants
// or by its whole Sid, as indented JSON, ready to be pasted; nil when the
// document has none.
func (d Documents) Statement(kind Kind, sid string) []byte {
	raw := map[Kind][]byte{KindTrust: d.Trust, KindIdentity: d.Identity, KindBucket: d.Bucket, KindKey: d.Key}[kind]
	var doc Policy
	if len(raw) == 0 || json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	for _, s := range doc.Statement {
		if s.Sid == sid || (strings.HasPrefix(s.Sid, sid) && isBrokerdSid(s.Sid)) {
			if out, err := s.JSON(); err == nil {
				return out
			}
		}
	}
	return nil
}
