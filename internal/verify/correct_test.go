package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// reapply writes the policies again, for a destination whose options have changed.
func reapply(ctx context.Context, w *testbed.World) error {
	docs, err := setup.Desired(w.Dest, setup.Options{SourcePrincipalARN: w.UserARN})
	if err != nil {
		return err
	}
	w.Docs = docs
	for _, put := range []func() error{
		func() error { return testbedtest.PutTrust(ctx, w, string(docs.Trust)) },
		func() error { return w.PutIdentity(ctx, string(docs.Identity)) },
		func() error { return w.PutKeyPolicy(ctx, string(docs.Key)) },
		func() error { return w.PutBucketPolicy(ctx, string(docs.Bucket)) },
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

// and makes changes of the configuration, then writes the policies that setup derives from it.
func and(change func(w *testbed.World)) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		change(w)
		return reapply(ctx, w)
	}
}

func addTo(doc []byte, statement string, put func(context.Context, string) error) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := testbed.AddStatement(string(doc), statement)
		if err != nil {
			return err
		}
		return put(ctx, out)
	}
}

func bucketStatement(statement string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		statement := strings.NewReplacer("ACCOUNTA", w.Sandbox.AccountA(), "ROLE", w.Dest.Role, "KEY", w.KeyARN).Replace(statement)
		return addTo(w.Docs.Bucket, statement, w.PutBucketPolicy)(ctx)
	}
}

// The arrangements that people really have, and that work: nothing is reported
// about the delivery, with the documents at hand and without.
func TestNoFalseAlarmOnArrangementsThatWork(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(context.Context, *testbed.World) error
		// advice are the codes of warnings that are right all the same.
		advice []string
	}{
		{"as setup makes it", func(context.Context, *testbed.World) error { return nil }, nil},
		{"bucket keys off", and(func(w *testbed.World) { w.Dest.BucketKey = aws.Bool(false) }), nil},
		{"no default encryption", func(ctx context.Context, w *testbed.World) error {
			_, err := w.S3.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: aws.String(testbed.Bucket)})
			return err
		}, []string{"BRK-S3-050"}},
		{"default encryption by S3's own key", func(ctx context.Context, w *testbed.World) error {
			_, err := w.S3.PutBucketEncryption(ctx,
				&s3.PutBucketEncryptionInput{Bucket: aws.String(testbed.Bucket),
					ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
						Rules: []s3types.ServerSideEncryptionRule{
							{ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAes256}},
						},
					}})
			return err
		}, []string{"BRK-S3-050"}},
		{"object tags", and(func(w *testbed.World) { w.Dest.Tags = map[string]string{"team": "logs"} }), nil},
		{"the ACL bucket-owner-full-control", and(func(w *testbed.World) { w.Dest.ACL = "bucket-owner-full-control" }), nil},
		{"a storage class", and(func(w *testbed.World) { w.Dest.StorageClass = "STANDARD_IA" }), nil},
		{"session tags", and(func(w *testbed.World) { w.Dest.Session.Tags = map[string]string{"team": "logs"} }), nil},
		{"a source identity", and(func(w *testbed.World) { w.Dest.Session.SourceIdentity = "app" }), nil},
		{"an external id", and(func(w *testbed.World) { w.Dest.Session.ExternalID = "agreed" }), nil},
		{"sessions without brokerd's own limits", func(_ context.Context, w *testbed.World) error {
			w.Dest.Session.Scope = config.ScopeOff
			return nil
		}, nil},
		{"a session that ends after 15 minutes", func(_ context.Context, w *testbed.World) error {
			w.Dest.Session.Duration = config.Duration(15 * 60 * 1e9)
			return nil
		}, nil},
		{"an endpoint of a VPC, whose policy knows the bucket", func(_ context.Context, w *testbed.World) error {
			url, err := w.Sandbox.AddVPCEndpoint(sandbox.VPCEndpoint{
				ID: "vpce-0a", VPC: "vpc-0b", Policy: `{"Version":"2012-10-17",` +
					`"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::tenant-s3-test-bucket/*"}]}`,
			})
			w.Config.AWS.Endpoints.S3 = url
			return err
		}, nil},
		{"a bucket policy that wants the endpoint, and it is taken", func(ctx context.Context, w *testbed.World) error {
			url, err := w.Sandbox.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-0a", VPC: "vpc-0b"})
			if err != nil {
				return err
			}
			w.Config.AWS.Endpoints.S3 = url
			return bucketStatement(`{"Sid":"Guard","Effect":"Deny","Principal":{"AWS":"ROLE"},"Action":"s3:PutObject",`+
				`"Resource":"arn:aws:s3:::tenant-s3-test-bucket/*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-0a"}}}`)(ctx, w)
		}, nil},
		{"both accounts in one organization, which the bucket asks for", func(ctx context.Context, w *testbed.World) error {
			for _, account := range []string{w.Sandbox.AccountA(), w.Sandbox.AccountB()} {
				if err := w.Sandbox.SetGuardrails(account, sandbox.Guardrails{OrganizationID: "o-oneorg00001"}); err != nil {
					return err
				}
			}
			return bucketStatement(`{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":`+
				`["arn:aws:s3:::tenant-s3-test-bucket","arn:aws:s3:::tenant-s3-test-bucket/*"],`+
				`"Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-oneorg00001"},"Null":{"aws:PrincipalOrgID":"false"}}}`)(ctx, w)
		}, nil},
		{"service control policies that allow it", func(_ context.Context, w *testbed.World) error {
			return w.Sandbox.SetGuardrails(w.Sandbox.AccountA(),
				sandbox.Guardrails{OrganizationID: "o-accountsaaa1",
					ServiceControl: []string{`{"Version":"2012-10-17",` +
						`"Statement":[{"Effect":"Allow","Action":["s3:*","kms:*","sts:*"],"Resource":"*"}]}`}})
		}, nil},
		{"a boundary that allows it", func(ctx context.Context, w *testbed.World) error {
			p, err := w.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{
				PolicyName: aws.String("boundary"),
				PolicyDocument: aws.String(`{"Version":"2012-10-17",` +
					`"Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload",` +
					`"kms:GenerateDataKey","kms:Decrypt"],"Resource":"*"}]}`),
			})
			if err != nil {
				return err
			}
			_, err = w.IAM.PutRolePermissionsBoundary(ctx,
				&iam.PutRolePermissionsBoundaryInput{RoleName: aws.String(testbed.RoleName), PermissionsBoundary: p.Policy.Arn})
			return err
		}, nil},
		{"a legacy ACL statement that excepts the role",
			bucketStatement(`{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"s3:PutObject",` +
				`"Resource":"arn:aws:s3:::tenant-s3-test-bucket/*","Condition":{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"},` +
				`"ArnNotEquals":{"aws:PrincipalArn":"ROLE"}}}`), nil},
		{"a multi-region key", func(ctx context.Context, w *testbed.World) error {
			key, err := w.KMS.CreateKey(ctx, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
			if err != nil {
				return err
			}
			w.KeyARN = aws.ToString(key.KeyMetadata.Arn)
			w.Dest.KMSKey = w.KeyARN
			if err := reapply(ctx, w); err != nil {
				return err
			}
			_, err = w.S3.PutBucketEncryption(ctx,
				&s3.PutBucketEncryptionInput{Bucket: aws.String(testbed.Bucket),
					ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
						Rules: []s3types.ServerSideEncryptionRule{
							{
								ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAwsKms,
									KMSMasterKeyID: aws.String(w.KeyARN)}, BucketKeyEnabled: aws.Bool(true),
							},
						},
					}})
			return err
		}, nil},
		{"a web identity", misconfig.WebIdentity, nil},
		{"a chain of roles", chained, nil},
		{"policies that delegate to account A, whose own allow", func(ctx context.Context, w *testbed.World) error {
			root := "arn:aws:iam::" + w.Sandbox.AccountA() + ":root"
			if err := w.PutKeyPolicy(ctx, strings.ReplaceAll(string(w.Docs.Key), w.Dest.Role, root)); err != nil {
				return err
			}
			return w.PutBucketPolicy(ctx, strings.ReplaceAll(string(w.Docs.Bucket), w.Dest.Role, root))
		}, nil},
		{"a managed policy instead of an inline one", func(ctx context.Context, w *testbed.World) error {
			p, err := w.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{
				PolicyName: aws.String("upload"), PolicyDocument: aws.String(string(w.Docs.Identity)),
			})
			if err != nil {
				return err
			}
			if _, err := w.IAM.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{
				RoleName: aws.String(testbed.RoleName), PolicyArn: p.Policy.Arn,
			}); err != nil {
				return err
			}
			list, err := w.IAM.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String(testbed.RoleName)})
			if err != nil {
				return err
			}
			for _, name := range list.PolicyNames {
				if _, err := w.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{
					RoleName: aws.String(testbed.RoleName), PolicyName: aws.String(name),
				}); err != nil {
					return err
				}
			}
			return nil
		}, nil},
		{"other people's statements in both policies", func(ctx context.Context, w *testbed.World) error {
			if err := addTo(w.Docs.Key, `{"Sid":"Others","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+
				w.Sandbox.AccountB()+`:root"},"Action":"kms:Describe*","Resource":"*"}`, w.PutKeyPolicy)(ctx); err != nil {
				return err
			}
			return bucketStatement(`{"Sid":"Others","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::ACCOUNTA:root"},"Action":"s3:GetObject",`+
				`"Resource":"arn:aws:s3:::tenant-s3-test-bucket/elsewhere/*"}`)(ctx, w)
		}, nil},
		{"a bucket policy without denies", func(ctx context.Context, w *testbed.World) error {
			doc, err := withoutDenies(w.Docs.Bucket)
			if err != nil {
				return err
			}
			return w.PutBucketPolicy(ctx, doc)
		}, []string{"BRK-LP-004", "BRK-LP-006", "BRK-S3-050"}},
	} {
		for _, sides := range []string{"AB", ""} {
			t.Run(fmt.Sprintf("%s/reading %q", c.name, sides), func(t *testing.T) {
				t.Parallel()
				w := world(t)
				must(t, c.make(t.Context(), w))
				o := report.RunOptions{}
				if sides != "" {
					o.Policies = documents(t, w, sides)
				}
				r := runWith(t, w, o)
				if r.Result() != report.Pass {
					t.Errorf("the result is %s", r.Result())
				}
				for _, k := range r.Checks {
					if k.Result == report.Pass || k.Result == report.Skip || k.Result == report.Unknown && k.Advisory ||
						k.Category == report.CategoryAudit {
						continue
					}
					if k.Result == report.Warn && strings.Contains(strings.Join(c.advice, " "), k.Code) {
						continue
					}
					t.Errorf("%s %s %s: %s\n%+v", k.Result, k.ID, k.Code, k.Why, k.Evidence)
				}
				if left := w.Sandbox.MultipartUploads(testbed.Bucket); len(left)+len(w.Sandbox.Objects(testbed.Bucket)) > 0 {
					t.Errorf("%d uploads left behind", len(left))
				}
			})
		}
	}
}

// withoutDenies returns the policy without its Deny statements.
func withoutDenies(policy []byte) (string, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(policy, &doc); err != nil {
		return "", err
	}
	var statements []map[string]any
	if err := json.Unmarshal(doc["Statement"], &statements); err != nil {
		return "", err
	}
	statements = slices.DeleteFunc(statements, func(s map[string]any) bool { return s["Effect"] == "Deny" })
	var err error
	if doc["Statement"], err = json.Marshal(statements); err != nil {
		return "", err
	}
	out, err := json.Marshal(doc)
	return string(out), err
}

// chained puts a role between the application and the destination's.
func chained(ctx context.Context, w *testbed.World) error {
	trust := func(arn string) string {
		doc, err := json.Marshal(map[string]any{
			"Version":   "2012-10-17",
			"Statement": []any{map[string]any{"Effect": "Allow", "Principal": map[string]string{"AWS": arn}, "Action": "sts:AssumeRole"}},
		})
		if err != nil {
			return ""
		}
		return string(doc)
	}
	hop, err := w.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("hop"), AssumeRolePolicyDocument: aws.String(trust(w.UserARN)),
	})
	if err != nil {
		return err
	}
	w.Dest.Chain = []config.Hop{{Role: aws.ToString(hop.Role.Arn)}}
	return testbedtest.PutTrust(ctx, w, trust(aws.ToString(hop.Role.Arn)))
}
