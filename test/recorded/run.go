package recorded

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Tag marks the keys of a run, which have no names. Its value is Target.Prefix.
const Tag = "brokerd-recorded"

// run is a row on its way: its client, its variables and its callers.
type run struct {
	target *Target
	wire   *recorder
	vars   map[string]string
	keys   map[string]aws.CredentialsProvider // of the callers that steps made
}

// newRun has the variables
//
//	A B      the account ids
//	REGION   the Region of the target
//	OTHER    another Region
//	NAME     a name of the row's own
//
// and makes these when they are first used:
//
//	BUCKET BUCKET2   buckets of account A, BUCKETB one of account B
//	KEY RSA ECC HMAC the ARNs of keys of account A that all rows share: no row changes them
//	EXTERNAL         the ARN of such a key that waits for its material
//	KEYID            the id of KEY
func newRun(t *Target, row *Row) *run {
	other := "eu-central-1"
	if t.Region == other {
		other = "eu-west-1"
	}
	name := t.Prefix + "-" + row.token()
	return &run{
		target: t, wire: newRecorder(t.Dial, t.TLS), keys: map[string]aws.CredentialsProvider{},
		vars: map[string]string{"A": t.A.ID, "B": t.B.ID, "REGION": t.Region, "OTHER": other, "NAME": name, "PREFIX": t.Prefix},
	}
}

func (r *run) known() map[string]string { return maps.Clone(r.vars) }

// value is that of a variable, which is made when it can be.
func (r *run) value(ctx context.Context, name string) (string, error) {
	if v, ok := r.vars[name]; ok {
		return v, nil
	}
	var v string
	var err error
	switch name {
	case "BUCKET":
		v, err = r.bucket(ctx, "A", "")
	case "BUCKET2":
		v, err = r.bucket(ctx, "A", "-2")
	case "BUCKETB":
		v, err = r.bucket(ctx, "B", "-b")
	case "KEYID":
		if v, err = r.value(ctx, "KEY"); err == nil {
			v = v[strings.LastIndex(v, "/")+1:]
		}
	case "KEY", "RSA", "ECC", "HMAC", "EXTERNAL":
		v, err = r.target.sharedKey(ctx, r, name)
	default:
		return "", fmt.Errorf("the run has no variable $%s", name)
	}
	if err != nil {
		return "", fmt.Errorf("making $%s: %w", name, err)
	}
	r.vars[name] = v
	return v, nil
}

// bucket makes a bucket without a configuration of its own.
func (r *run) bucket(ctx context.Context, side, suffix string) (string, error) {
	account, err := r.target.account(side)
	if err != nil {
		return "", err
	}
	name := r.vars["NAME"] + suffix
	in := &s3.CreateBucketInput{Bucket: aws.String(name)}
	if r.target.Region != "us-east-1" {
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(r.target.Region)}
	}
	_, err = s3.NewFromConfig(r.target.config(r.wire, account.Credentials, r.target.Region)).CreateBucket(ctx, in)
	return name, err
}

var sharedKeys = map[string]kms.CreateKeyInput{
	"KEY":  {},
	"RSA":  {KeySpec: kmstypes.KeySpecRsa2048, KeyUsage: kmstypes.KeyUsageTypeEncryptDecrypt},
	"ECC":  {KeySpec: kmstypes.KeySpecEccNistP256, KeyUsage: kmstypes.KeyUsageTypeSignVerify},
	"HMAC": {KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac},

	"EXTERNAL": {Origin: kmstypes.OriginTypeExternal},
}

// sharedKey makes a key once a target: a key costs money by the hour.
func (t *Target) sharedKey(ctx context.Context, r *run, kind string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if arn, ok := t.keys[kind]; ok {
		return arn, nil
	}
	in := sharedKeys[kind]
	in.Tags = []kmstypes.Tag{{TagKey: aws.String(Tag), TagValue: aws.String(t.Prefix)}}
	out, err := kms.NewFromConfig(t.config(r.wire, t.A.Credentials, t.Region)).CreateKey(ctx, &in)
	if err != nil {
		return "", err
	}
	if t.keys == nil {
		t.keys = map[string]string{}
	}
	t.keys[kind] = aws.ToString(out.KeyMetadata.Arn)
	return t.keys[kind], nil
}

// dispose schedules the deletion of the row's own key: a key costs money by the hour.
// The key may be on its way out already.
func (r *run) dispose(ctx context.Context) {
	arn, ok := r.vars["OWN"]
	if !ok {
		return
	}
	api := kms.NewFromConfig(r.target.config(r.wire, r.target.A.Credentials, r.target.Region))
	_, _ = api.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: aws.String(arn), PendingWindowInDays: aws.Int32(7)})
}

// credentials are those of a caller: "A" and "B" are the administrators, and other
// names are callers that a step made.
func (r *run) credentials(name string) (aws.CredentialsProvider, error) {
	switch name {
	case "A":
		return r.target.A.Credentials, nil
	case "B":
		return r.target.B.Credentials, nil
	}
	if keys, ok := r.keys[name]; ok {
		return keys, nil
	}
	return nil, fmt.Errorf("no step made the caller %q", name)
}

// caller keeps a caller that a step made.
func (r *run) caller(name, id, secret, token string) {
	r.keys[name] = credentials.NewStaticCredentialsProvider(id, secret, token)
}
