package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
)

// Options are what a destination does not say.
type Options struct {
	// SourcePrincipalARN is the identity in account A that assumes the role: an
	// IAM role or user, by its full ARN. A session ARN is turned into its role's. Empty: not known, and
	// Documents.Trust is left out rather than opened to a whole account.
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

// Kind names one of the documents.
type Kind string

// The kinds, by the names that verify uses for artefacts.
const (
	KindTrust    Kind = "trust"
	KindIdentity Kind = "identity"
	KindBucket   Kind = "bucket-policy"
	KindKey      Kind = "key-policy"
)

// The statement ids. They are stable: apply and remove find their statements
// in other people's policies by them.
const (
	SidAssume        = "BrokerdAssumeRole"
	SidWrite         = "BrokerdWriteObjects"
	SidEncrypt       = "BrokerdUseKeyThroughS3"
	SidBucketWrite   = "BrokerdAllowWrite"
	SidDenyPlainHTTP = "BrokerdDenyInsecureTransport"
	SidDenyNoKMS     = "BrokerdDenyOtherEncryption"
	SidDenyOtherKey  = "BrokerdDenyOtherKey"
	SidKeyAdmin      = "BrokerdKeepAccountAdmin"
	SidKeyUse        = "BrokerdAllowUseThroughS3"
)

// Desired derives the policies of dest. It refuses a Compatible destination:
// such a store has no accounts and no key policies to write.
func Desired(dest *config.Destination, opts Options) (Documents, error) {
	switch {
	case dest == nil || dest.KeyTemplate == nil:
		return Documents{}, errors.New("the destination was not loaded from a configuration")
	case dest.Compatible:
		return Documents{}, fmt.Errorf("destination %s: an S3-compatible store has no policies that setup could write", dest.Name)
	}
	role, err := config.ParseARN(dest.Role)
	if err != nil {
		return Documents{}, fmt.Errorf("destination %s: role: %w", dest.Name, err)
	}
	source := ""
	if opts.SourcePrincipalARN != "" {
		if source, err = sourcePrincipal(opts.SourcePrincipalARN, role.Partition); err != nil {
			return Documents{}, fmt.Errorf("destination %s: %w", dest.Name, err)
		}
	}
	d := deriver{dest: dest, partition: role.Partition, bucket: "arn:" + role.Partition + ":s3:::" + dest.Bucket}
	d.objects = d.bucket + "/" + dest.KeyTemplate.Prefix() + "*"
	out := Documents{RoleARN: dest.Role, BucketARN: d.bucket, KeyARN: dest.KMSKey}
	for _, doc := range []struct {
		into       *[]byte
		statements []statement
	}{
		{&out.Trust, d.trust(source)},
		{&out.Identity, d.identity()},
		{&out.Bucket, d.bucketPolicy()},
		{&out.Key, d.keyPolicy()},
	} {
		if doc.into == &out.Trust && source == "" {
			continue
		}
		if *doc.into, err = marshal(document{Version: "2012-10-17", Statement: doc.statements}); err != nil {
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
	a, err := config.ParseARN(arn)
	if err != nil {
		return "", fmt.Errorf("the source principal: %w; %s", err, want)
	}
	if name, isSession := strings.CutPrefix(a.Resource, "assumed-role/"); isSession && a.Service == "sts" {
		name, _, _ = strings.Cut(name, "/")
		a = config.ARN{Partition: a.Partition, Service: "iam", Account: a.Account, Resource: "role/" + name}
	}
	switch {
	case a.Partition != partition:
		return "", fmt.Errorf("the source principal is in partition %s, the role in %s", a.Partition, partition)
	case a.Service != "iam" || (!strings.HasPrefix(a.Resource, "role/") && !strings.HasPrefix(a.Resource, "user/")) || strings.Contains(a.Resource, "*"):
		return "", fmt.Errorf("the source principal %q is neither a role nor a user; %s", arn, want)
	}
	return a.String(), nil
}

// Statement returns the statement with this sid as indented JSON, ready to be
// pasted; nil when the document has none.
func (d Documents) Statement(kind Kind, sid string) []byte {
	raw := map[Kind][]byte{KindTrust: d.Trust, KindIdentity: d.Identity, KindBucket: d.Bucket, KindKey: d.Key}[kind]
	var doc document
	if len(raw) == 0 || json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	for _, s := range doc.Statement {
		if s.Sid == sid {
			out, err := marshal(s)
			if err != nil {
				return nil
			}
			return out
		}
	}
	return nil
}
