package awsaccounts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
)

// lesser takes a policy apart; each mutant lacks a statement, an action or a resource.
func lesser(t *testing.T, doc string) map[string]string {
	t.Helper()
	var p setup.Policy
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	put := func(name string, statements []setup.Statement) {
		if len(statements) == 0 {
			out[name] = ""
			return
		}
		text, err := setup.Policy{Version: p.Version, Statement: statements}.JSON()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	for i, s := range p.Statement {
		put("without "+s.Sid, slices.Delete(slices.Clone(p.Statement), i, i+1))
		for j := range s.Action {
			if len(s.Action) > 1 {
				less := slices.Clone(p.Statement)
				less[i].Action = slices.Delete(slices.Clone(s.Action), j, j+1)
				put("without "+s.Action[j]+" of "+s.Sid, less)
			}
		}
		for j := range s.Resource {
			if len(s.Resource) > 1 {
				less := slices.Clone(p.Statement)
				less[i].Resource = slices.Delete(slices.Clone(s.Resource), j, j+1)
				put("without "+s.Resource[j]+" of "+s.Sid, less)
			}
		}
	}
	return out
}

// prober acts as the daemon would, and as it must not be able to.
type prober struct {
	w   *world
	cfg *config.Config
}

// probe gives the first thing that is not as it should be; "" when all is.
func (p prober) probe(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	d := p.cfg.Destinations["audit-logs"]
	b, err := broker.New(broker.Options{Config: p.cfg, HTTPClient: p.w.client})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Refresh(ctx, "audit-logs"); err != nil {
		return "assuming the role: " + err.Error()
	}
	session, err := b.Session(ctx, "audit-logs")
	if err != nil {
		return "a session: " + err.Error()
	}
	api := s3.NewFromConfig(aws.Config{
		Region: d.Region, HTTPClient: p.w.client, BaseEndpoint: aws.String(p.w.Sandbox.Endpoint()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(session.AccessKeyID, session.SecretAccessKey.Reveal(),
			session.SessionToken.Reveal()),
	}, func(o *s3.Options) { o.UsePathStyle = true })
	put := func(key string, change func(*s3.PutObjectInput)) error {
		in := &s3.PutObjectInput{
			Bucket: aws.String(d.Bucket), Key: aws.String(key), Body: bytes.NewReader([]byte("x")),
			ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(d.KMSKey), BucketKeyEnabled: aws.Bool(true),
			ExpectedBucketOwner: aws.String(d.Owner), Tagging: aws.String("kept=7y"), ACL: types.ObjectCannedACLBucketOwnerFullControl,
		}
		if change != nil {
			change(in)
		}
		_, err := api.PutObject(ctx, in)
		return err
	}
	prefix := d.KeyTemplate.Prefix()
	if err := put(prefix+"put", nil); err != nil {
		return "an upload: " + err.Error()
	}
	if err := p.multipart(ctx, api, prefix+"parts"); err != nil {
		return "a multipart upload: " + err.Error()
	}
	for name, change := range map[string]func(*s3.PutObjectInput){
		"outside the prefix": func(in *s3.PutObjectInput) { in.Key = aws.String("elsewhere/put") },
		"with SSE-S3": func(in *s3.PutObjectInput) {
			in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = types.ServerSideEncryptionAes256, nil, nil
		},
		"with another key": func(in *s3.PutObjectInput) { in.SSEKMSKeyId = aws.String(p.otherKey(t)) },
	} {
		var api smithy.APIError
		if err := put(prefix+"denied", change); err == nil {
			return "an upload " + name + " is accepted"
		} else if !errors.As(err, &api) || api.ErrorCode() != "AccessDenied" {
			return "an upload " + name + ": " + err.Error()
		}
	}
	return ""
}

func (p prober) multipart(ctx context.Context, api *s3.Client, key string) error {
	d := p.cfg.Destinations["audit-logs"]
	bucket, name := aws.String(d.Bucket), aws.String(key)
	for _, finish := range []bool{true, false} {
		up, err := api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: bucket, Key: name, ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(d.KMSKey),
			BucketKeyEnabled: aws.Bool(true),
		})
		if err != nil {
			return err
		}
		part, err := api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: name, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader([]byte("x")),
		})
		if err != nil {
			return err
		}
		if !finish {
			_, err = api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: name, UploadId: up.UploadId})
			return err
		}
		if _, err := api.CompleteMultipartUpload(ctx,
			&s3.CompleteMultipartUploadInput{Bucket: bucket, Key: name, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{
				Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}},
			}}); err != nil {
			return err
		}
	}
	return nil
}

// otherKey is a key of account B that lets the session's role use it: the bucket
// policy alone stands in the way.
func (p prober) otherKey(t *testing.T) string {
	t.Helper()
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Principal":{"AWS":["arn:aws:iam::%s:root","arn:aws:iam::%s:root"]},"Action":"kms:*","Resource":"*"}]}`, p.w.Sandbox.AccountB(),
		p.w.Sandbox.AccountA())
	key, err := p.w.KMS.CreateKey(t.Context(), &kms.CreateKeyInput{Policy: aws.String(policy)})
	if err != nil {
		t.Fatal(err)
	}
	arn := aws.ToString(key.KeyMetadata.Arn)
	// The role may use it as well, and so may the session: scope is off.
	if _, err := p.w.IAM.PutRolePolicy(t.Context(),
		&iam.PutRolePolicyInput{RoleName: aws.String(testbed.RoleName), PolicyName: aws.String("other-key"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"` +
				arn + `"}}`)}); err != nil {
		t.Fatal(err)
	}
	return arn
}

// The same in the sandbox, with real requests: each element that is taken out of a
// policy is missed by an upload or by a probe that must be refused. Plain HTTP is
// left to the engine, for the sandbox speaks TLS alone.
func TestEverythingInThePoliciesIsNeededEndToEnd(t *testing.T) {
	w := newWorld(t)
	cfg := w.config(t, "    path_style: true\naccess:",
		"    path_style: true\n    tags: {kept: 7y}\n    acl: bucket-owner-full-control\n"+
			"    session: {external_id: tenant-7, tags: {team: a}, source_identity: app1, scope: off}\naccess:")
	a := w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	p := prober{w, cfg}
	if wrong := p.probe(t); wrong != "" {
		t.Fatalf("as it is: %s", wrong)
	}
	d := cfg.Destinations["audit-logs"]
	ctx, role, bucket := t.Context(), aws.String(testbed.RoleName), aws.String(d.Bucket)
	documents := []struct {
		name, text string
		put        func(doc string) error
	}{
		{"trust policy", "", func(doc string) error {
			_, err := w.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: aws.String(doc)})
			return err
		}},
		{"identity policy", "", func(doc string) error {
			_, err := w.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
				RoleName: role, PolicyName: aws.String(setup.InlineName), PolicyDocument: aws.String(doc),
			})
			return err
		}},
		{"bucket policy", "", func(doc string) error {
			_, err := w.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(doc)})
			return err
		}},
		{"key policy", "", func(doc string) error { return w.PutKeyPolicy(ctx, doc) }},
	}
	stored := w.documents(t, cfg)
	for i, name := range []string{"trust of " + d.Role, "inline policy " + setup.InlineName + " of " + d.Role, "policy of " + d.Bucket,
		"policy of " + d.KMSKey} {
		documents[i].text = stored[name]
	}
	tried := 0
	for _, doc := range documents {
		for name, less := range lesser(t, doc.text) {
			if less == "" || strings.Contains(name, setup.SidDenyPlainHTTP) || !strings.Contains(name, "Brokerd") {
				continue
			}
			tried++
			if err := doc.put(less); err != nil {
				t.Fatalf("%s %s: %v", doc.name, name, err)
			}
			if p.probe(t) == "" {
				t.Errorf("%s %s: nothing misses it", doc.name, name)
			}
			if err := doc.put(doc.text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if tried < 14 {
		t.Errorf("%d mutants", tried)
	}
	if wrong := p.probe(t); wrong != "" {
		t.Errorf("put back: %s", wrong)
	}
}
