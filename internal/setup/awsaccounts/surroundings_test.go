package awsaccounts_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
)

// blockAccount blocks public access for all of account B, as S3 Control is asked to.
func (w *world) blockAccount(t *testing.T) {
	t.Helper()
	body := `<PublicAccessBlockConfiguration ` +
		`xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><BlockPublicAcls>true</BlockPublicAcls>` +
		`<IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>` +
		`<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.Sandbox.Endpoint()+"/v20180820/configuration/publicAccessBlock",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	digest := hex.EncodeToString(sum[:])
	req.Header.Set("x-amz-account-id", w.Sandbox.AccountB())
	req.Header.Set("x-amz-content-sha256", digest)
	cfg := w.root(w.Sandbox.AccountB())
	keys, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, req, digest, "s3", cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("status %d", resp.StatusCode)
	}
}

func TestTheAccountsOwnBlockCounts(t *testing.T) {
	w := newWorld(t)
	w.inhabited(t)
	cfg, a := w.config(t), w.connect(t)
	bucket := func() *setup.BucketAt {
		snap, err := a.Read(t.Context(), setup.ScopeOf(cfg))
		if err != nil {
			t.Fatal(err)
		}
		return snap.Buckets[testbed.Bucket]
	}
	if got := bucket().AccountPublicAccess.Presence; got != setup.Absent {
		t.Errorf("nothing is set, and it is %q: %s", got, bucket().AccountPublicAccess.Reason)
	}
	if _, err := w.S3.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String(testbed.Bucket)}); err != nil {
		t.Fatal(err)
	}
	if err := w.PutBucketPolicy(t.Context(), `{"Version":"2012-10-17",`+
		`"Statement":[{"Sid":"Web","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::`+
		testbed.Bucket+`/public/*"}]}`); err != nil {
		t.Fatal(err)
	}
	w.blockAccount(t)
	if got := bucket().AccountPublicAccess; !got.Value.RestrictPublicBuckets {
		t.Errorf("%+v", got)
	}
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if p.Proven() != setup.Fails {
		t.Errorf("a public statement and RestrictPublicBuckets of the account: %s", p.Proven())
	}
}

func TestDataEventsOfATrail(t *testing.T) {
	ours := "arn:aws:s3:::" + testbed.Bucket + "/logs/"
	for name, theirs := range map[string]*cloudtrail.PutEventSelectorsInput{
		"basic": {EventSelectors: []types.EventSelector{{ReadWriteType: types.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true),
			DataResources: []types.DataResource{{Type: aws.String("AWS::Lambda::Function"), Values: []string{"arn:aws:lambda"}}}}}},
		"advanced": {
			AdvancedEventSelectors: []types.AdvancedEventSelector{
				{
					Name:           aws.String("management"),
					FieldSelectors: []types.AdvancedFieldSelector{{Field: aws.String("eventCategory"), Equals: []string{"Management"}}},
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			api := cloudtrail.NewFromConfig(w.root(w.Sandbox.AccountB()))
			trail, err := api.CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{
				Name: aws.String("main"), S3BucketName: aws.String("trail-logs"),
			})
			if err != nil {
				t.Fatal(err)
			}
			theirs.TrailName = trail.TrailARN
			if _, err := api.PutEventSelectors(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			read := func() *cloudtrail.GetEventSelectorsOutput {
				out, err := api.GetEventSelectors(t.Context(), &cloudtrail.GetEventSelectorsInput{TrailName: trail.TrailARN})
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			before := read()
			cfg, a := w.config(t, "setup:\n", "setup:\n  trail: "+aws.ToString(trail.TrailARN)+"\n"), w.connect(t)
			w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
			snap, err := a.Read(t.Context(), setup.ScopeOf(cfg))
			if err != nil {
				t.Fatal(err)
			}
			if at := snap.Trails[aws.ToString(trail.TrailARN)]; !slices.Contains(at.Objects.Value, ours) {
				t.Errorf("%+v", at)
			}
			if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() {
				t.Errorf("%+v", p.Changes)
			}
			w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Remove: true}))
			after := read()
			if d := cmp.Diff([]any{before.EventSelectors, before.AdvancedEventSelectors}, []any{after.EventSelectors, after.AdvancedEventSelectors},
				cmp.Exporter(func(reflect.Type) bool { return true })); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAccessLogs(t *testing.T) {
	w := newWorld(t)
	region := s3types.BucketLocationConstraint(w.Sandbox.Region())
	if _, err := w.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String("logs-of-b"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.S3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("logs-of-b"), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject",` +
			`"Resource":"arn:aws:s3:::logs-of-b/*"}}`)}); err != nil {
		t.Fatal(err)
	}
	cfg, a := w.config(t, "setup:\n", "setup:\n  access_logs: {bucket: logs-of-b, prefix: s3/}\n"), w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	snap, err := a.Read(t.Context(), setup.ScopeOf(cfg))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := snap.Buckets[testbed.Bucket].Logging.Value, (setup.Logging{Bucket: "logs-of-b", Prefix: "s3/"}); got != want {
		t.Errorf("%+v", got)
	}
	if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() {
		t.Errorf("%+v", p.Changes)
	}
}
