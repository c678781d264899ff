package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func TestBucketTagging(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "tags", "")
	read := func() ([]s3types.Tag, error) {
		out, err := b.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})
		if err != nil {
			return nil, err
		}
		return out.TagSet, nil
	}
	if _, err := read(); code(err) != "NoSuchTagSet" || status(err) != 404 {
		t.Errorf("no tags yet: %v", err)
	}
	tag := func(k, v string) s3types.Tag { return s3types.Tag{Key: aws.String(k), Value: aws.String(v)} }
	many := make([]s3types.Tag, 51)
	for i := range many {
		many[i] = tag(fmt.Sprint(i), "v")
	}
	cases := []struct {
		name string
		tags []s3types.Tag
		want string
	}{
		{"two", []s3types.Tag{tag("a", "1"), tag("b", "")}, ""},
		{"the same twice", []s3types.Tag{tag("a", "1"), tag("a", "2")}, "InvalidTag"},
		{"one of AWS's own", []s3types.Tag{tag("aws:x", "1")}, "InvalidTag"},
		{"a key that is too long", []s3types.Tag{tag(strings.Repeat("k", 129), "1")}, "InvalidTag"},
		{"a value that is too long", []s3types.Tag{tag("k", strings.Repeat("v", 257))}, "InvalidTag"},
		{"fifty-one", many, "BadRequest"},
		{"fifty", many[:50], ""},
	}
	for _, c := range cases {
		_, err := b.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: bucket, Tagging: &s3types.Tagging{TagSet: c.tags}})
		if code(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if got := must[[]s3types.Tag](t)(read()); c.want == "" && len(got) != len(c.tags) {
			t.Errorf("%s: reads back as %d tags", c.name, len(got))
		}
	}
	must[*s3.DeleteBucketTaggingOutput](t)(b.s3.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: bucket}))
	if _, err := read(); code(err) != "NoSuchTagSet" {
		t.Errorf("deleted tags: %v", err)
	}
}

func TestBucketLogging(t *testing.T) {
	sb := start(t, sandbox.Options{})
	a, b := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "logged", "")
	aclBucket(t, b, "logs", "")
	aclBucket(t, b, "logs-with-lists", s3types.ObjectOwnershipBucketOwnerPreferred)
	aclBucket(t, a, "foreign-logs", "")
	far := asIn(t, sb, sb.RootKeys(accountB), "us-west-2")
	must[*s3.CreateBucketOutput](t)(
		far.s3.CreateBucket(ctx, &s3.CreateBucketInput{
			Bucket: aws.String("far-logs"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"},
		}),
	)
	grants := []s3types.TargetGrant{
		{Grantee: &s3types.Grantee{Type: s3types.TypeCanonicalUser, ID: aws.String(canonical(accountA))},
			Permission: s3types.BucketLogsPermissionRead},
	}
	partitioned := &s3types.TargetObjectKeyFormat{
		PartitionedPrefix: &s3types.PartitionedPrefix{PartitionDateSource: s3types.PartitionDateSourceEventTime},
	}
	cases := []struct {
		name string
		to   *s3types.LoggingEnabled
		want string
	}{
		{"a bucket of the same owner", &s3types.LoggingEnabled{TargetBucket: aws.String("logs"), TargetPrefix: aws.String("p/")}, ""},
		{
			"a partitioned prefix",
			&s3types.LoggingEnabled{TargetBucket: aws.String("logs"), TargetPrefix: aws.String(""), TargetObjectKeyFormat: partitioned}, "",
		},
		{
			"grants on the logs",
			&s3types.LoggingEnabled{TargetBucket: aws.String("logs-with-lists"), TargetPrefix: aws.String(""), TargetGrants: grants}, "",
		},
		{
			"grants where there are no lists",
			&s3types.LoggingEnabled{TargetBucket: aws.String("logs"), TargetPrefix: aws.String(""), TargetGrants: grants},
			"AccessControlListNotSupported",
		},
		{"a bucket that does not exist", &s3types.LoggingEnabled{TargetBucket: aws.String("nowhere"), TargetPrefix: aws.String("")},
			"InvalidTargetBucketForLogging"},
		{"a bucket of another owner", &s3types.LoggingEnabled{TargetBucket: aws.String("foreign-logs"), TargetPrefix: aws.String("")},
			"InvalidTargetBucketForLogging"},
		{"a bucket of another Region", &s3types.LoggingEnabled{TargetBucket: aws.String("far-logs"), TargetPrefix: aws.String("")},
			"CrossLocationLoggingProhibitted"},
		{"off again", nil, ""},
	}
	for _, c := range cases {
		_, err := b.s3.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{
			Bucket: bucket, BucketLoggingStatus: &s3types.BucketLoggingStatus{LoggingEnabled: c.to},
		})
		if code(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if c.want != "" {
			continue
		}
		got := must[*s3.GetBucketLoggingOutput](t)(b.s3.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: bucket})).LoggingEnabled
		switch {
		case (got == nil) != (c.to == nil):
			t.Errorf("%s: reads back as %v", c.name, got)
		case got != nil &&
			(*got.TargetBucket != *c.to.TargetBucket || *got.TargetPrefix != *c.to.TargetPrefix || len(got.TargetGrants) != len(c.to.TargetGrants)):
			t.Errorf("%s: reads back as %+v", c.name, got)
		case got != nil && c.to.TargetObjectKeyFormat != nil &&
			got.TargetObjectKeyFormat.PartitionedPrefix.PartitionDateSource != s3types.PartitionDateSourceEventTime:
			t.Errorf("%s: the key format reads back as %+v", c.name, got.TargetObjectKeyFormat)
		case got != nil && len(got.TargetGrants) == 1 &&
			(*got.TargetGrants[0].Grantee.ID != canonical(accountA) || got.TargetGrants[0].Grantee.Type != s3types.TypeCanonicalUser):
			t.Errorf("%s: the grant reads back as %+v", c.name, got.TargetGrants[0])
		}
	}
}

func TestRequesterPays(t *testing.T) {
	sb := start(t, sandbox.Options{})
	a, b, nobody := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB)), unsigned(t, sb)
	ctx := t.Context()
	bucket := aclBucket(t, b, "paid", "")
	must[*s3.PutBucketPolicyOutput](t)(b.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::paid/*"}}`)}))
	if err := put(ctx, b, bucket, "k"); err != nil {
		t.Fatal(err)
	}
	payer := func() s3types.Payer {
		return must[*s3.GetBucketRequestPaymentOutput](t)(
			b.s3.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: bucket}),
		).Payer
	}
	if payer() != s3types.PayerBucketOwner {
		t.Errorf("a new bucket is paid by %s", payer())
	}
	if err := get(ctx, nobody, bucket, "k"); err != nil {
		t.Fatalf("while the owner pays: %v", err)
	}
	must[*s3.PutBucketRequestPaymentOutput](t)(b.s3.PutBucketRequestPayment(ctx, &s3.PutBucketRequestPaymentInput{
		Bucket: bucket, RequestPaymentConfiguration: &s3types.RequestPaymentConfiguration{Payer: s3types.PayerRequester},
	}))
	if payer() != s3types.PayerRequester {
		t.Errorf("paid by %s", payer())
	}
	paying := func(c *clients) (*s3.GetObjectOutput, error) {
		return c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k"), RequestPayer: s3types.RequestPayerRequester})
	}
	if err := get(ctx, a, bucket, "k"); code(err) != "AccessDenied" {
		t.Errorf("a requester who does not say so: %v", err)
	}
	if out, err := paying(a); err != nil || out.RequestCharged != s3types.RequestChargedRequester {
		t.Errorf("a requester who pays: %v, %v", out, err)
	}
	if _, err := paying(nobody); code(err) != "AccessDenied" {
		t.Errorf("an anonymous requester: %v", err)
	}
	if err := get(ctx, b, bucket, "k"); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// TestUnsetConfigurations checks that configurations that are not modelled read as never
// set and cannot be set.
func TestUnsetConfigurations(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "unset", "")
	id := aws.String("x")
	errs := []struct {
		name string
		want string
		err  error
	}{
		{"website", "NoSuchWebsiteConfiguration", second(b.s3.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: bucket}))},
		{
			"setting a website", "NotImplemented",
			second(
				b.s3.PutBucketWebsite(ctx, &s3.PutBucketWebsiteInput{
					Bucket: bucket, WebsiteConfiguration: &s3types.WebsiteConfiguration{IndexDocument: &s3types.IndexDocument{Suffix: id}},
				}),
			),
		},
		{"deleting a website", "", second(b.s3.DeleteBucketWebsite(ctx, &s3.DeleteBucketWebsiteInput{Bucket: bucket}))},
		{"replication", "ReplicationConfigurationNotFoundError",
			second(b.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: bucket}))},
		{"object lock", "ObjectLockConfigurationNotFoundError",
			second(b.s3.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket}))},
		{"lifecycle", "NoSuchLifecycleConfiguration",
			second(b.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}))},
		{"CORS", "NoSuchCORSConfiguration", second(b.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: bucket}))},
		{"policy status", "NoSuchBucketPolicy", second(b.s3.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: bucket}))},
		{"acceleration", "", second(b.s3.GetBucketAccelerateConfiguration(ctx, &s3.GetBucketAccelerateConfigurationInput{Bucket: bucket}))},
		{"notifications", "", second(b.s3.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: bucket}))},
		{
			"notifications off", "",
			second(
				b.s3.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
					Bucket: bucket, NotificationConfiguration: &s3types.NotificationConfiguration{},
				}),
			),
		},
		{
			"notifications on", "NotImplemented",
			second(
				b.s3.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
					Bucket:                    bucket,
					NotificationConfiguration: &s3types.NotificationConfiguration{EventBridgeConfiguration: &s3types.EventBridgeConfiguration{}},
				}),
			),
		},
		{
			"an inventory", "NoSuchConfiguration",
			second(b.s3.GetBucketInventoryConfiguration(ctx, &s3.GetBucketInventoryConfigurationInput{Bucket: bucket, Id: id})),
		},
		{
			"an analysis", "NoSuchConfiguration",
			second(b.s3.GetBucketAnalyticsConfiguration(ctx, &s3.GetBucketAnalyticsConfigurationInput{Bucket: bucket, Id: id})),
		},
		{
			"a metric", "NoSuchConfiguration",
			second(b.s3.DeleteBucketMetricsConfiguration(ctx, &s3.DeleteBucketMetricsConfigurationInput{Bucket: bucket, Id: id})),
		},
		{
			"a tiering", "NoSuchConfiguration",
			second(b.s3.GetBucketIntelligentTieringConfiguration(ctx, &s3.GetBucketIntelligentTieringConfigurationInput{Bucket: bucket, Id: id})),
		},
	}
	for _, e := range errs {
		if code(e.err) != e.want {
			t.Errorf("%s: got %v, want %q", e.name, e.err, e.want)
		}
	}
	lists := []func() (*bool, error){
		func() (*bool, error) {
			out, err := b.s3.ListBucketInventoryConfigurations(ctx, &s3.ListBucketInventoryConfigurationsInput{Bucket: bucket})
			return out.IsTruncated, err
		},
		func() (*bool, error) {
			out, err := b.s3.ListBucketAnalyticsConfigurations(ctx, &s3.ListBucketAnalyticsConfigurationsInput{Bucket: bucket})
			return out.IsTruncated, err
		},
		func() (*bool, error) {
			out, err := b.s3.ListBucketMetricsConfigurations(ctx, &s3.ListBucketMetricsConfigurationsInput{Bucket: bucket})
			return out.IsTruncated, err
		},
		func() (*bool, error) {
			out, err := b.s3.ListBucketIntelligentTieringConfigurations(ctx, &s3.ListBucketIntelligentTieringConfigurationsInput{Bucket: bucket})
			return out.IsTruncated, err
		},
	}
	for i, list := range lists {
		if more, err := list(); err != nil || more == nil || *more {
			t.Errorf("list %d: %v", i, err)
		}
	}
}

// second drops the answer of a call.
func second[T any](_ T, err error) error { return err }

func TestCORS(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "cors", "")
	if err := put(ctx, b, bucket, "k"); err != nil {
		t.Fatal(err)
	}
	set := func(rules ...s3types.CORSRule) error {
		_, err := b.s3.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &s3types.CORSConfiguration{CORSRules: rules}})
		return err
	}
	rule := func(change func(*s3types.CORSRule)) s3types.CORSRule {
		r := s3types.CORSRule{AllowedMethods: []string{"GET", "PUT"}, AllowedOrigins: []string{"https://*.example.com"},
			AllowedHeaders: []string{"x-amz-*"}, ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: aws.Int32(60)}
		if change != nil {
			change(&r)
		}
		return r
	}
	send := func(req *http.Request) (int, http.Header) {
		t.Helper()
		resp, err := httpClient(t, sb).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header
	}
	preflight := func(origin, method, headers string) (int, http.Header) {
		t.Helper()
		req := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodOptions, sb.Endpoint()+"/cors/k", nil))
		for k, v := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method,
			"Access-Control-Request-Headers": headers} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		return send(req)
	}
	if got, _ := preflight("https://www.example.com", "GET", ""); got != 403 {
		t.Errorf("without rules: %d", got)
	}
	refused := map[string]struct {
		rules []s3types.CORSRule
		want  string
	}{
		"no rule":          {[]s3types.CORSRule{}, "MalformedXML"},
		"no method":        {[]s3types.CORSRule{rule(func(r *s3types.CORSRule) { r.AllowedMethods = []string{} })}, "MalformedXML"},
		"method PATCH":     {[]s3types.CORSRule{rule(func(r *s3types.CORSRule) { r.AllowedMethods = []string{"PATCH"} })}, "InvalidRequest"},
		"two asterisks":    {[]s3types.CORSRule{rule(func(r *s3types.CORSRule) { r.AllowedOrigins = []string{"*.*"} })}, "InvalidRequest"},
		"exposed asterisk": {[]s3types.CORSRule{rule(func(r *s3types.CORSRule) { r.ExposeHeaders = []string{"x-*"} })}, "InvalidRequest"},
		"odd header":       {[]s3types.CORSRule{rule(func(r *s3types.CORSRule) { r.AllowedHeaders = []string{"a b"} })}, "InvalidRequest"},
	}
	for name, c := range refused {
		if err := set(c.rules...); code(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if err := set(rule(nil)); err != nil {
		t.Fatal(err)
	}
	if got := must[*s3.GetBucketCorsOutput](t)(b.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: bucket})); len(got.CORSRules) != 1 ||
		*got.CORSRules[0].MaxAgeSeconds != 60 || got.CORSRules[0].AllowedOrigins[0] != "https://*.example.com" {
		t.Errorf("reads back as %+v", got.CORSRules)
	}
	cases := []struct {
		name, origin, method, headers string
		want                          int
	}{
		{"within the rule", "https://www.example.com", "PUT", "X-Amz-Date, x-amz-meta-a", 200},
		{"another origin", "https://example.org", "PUT", "", 403},
		{"another method", "https://www.example.com", "DELETE", "", 403},
		{"another header", "https://www.example.com", "PUT", "authorization", 403},
		{"no origin", "", "PUT", "", 400},
		{"no method", "https://www.example.com", "", "", 400},
	}
	for _, c := range cases {
		got, h := preflight(c.origin, c.method, c.headers)
		if got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		if c.want == 200 &&
			(h.Get("Access-Control-Allow-Origin") != c.origin || h.Get("Access-Control-Allow-Headers") != "x-amz-date, x-amz-meta-a" ||
				h.Get("Access-Control-Max-Age") != "60") {
			t.Errorf("%s: %v", c.name, h)
		}
	}
	req := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, sb.Endpoint()+"/cors/k", nil))
	req.Header.Set("Origin", "https://www.example.com")
	if _, h := send(req); h.Get("Access-Control-Expose-Headers") != "ETag" {
		t.Errorf("an actual answer: %v", h)
	}
	must[*s3.DeleteBucketCorsOutput](t)(b.s3.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: bucket}))
	if got, _ := preflight("https://www.example.com", "PUT", ""); got != 403 {
		t.Errorf("after deletion: %d", got)
	}
}

func TestDefaultEncryptionRules(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "encryption", "")
	set := func(algorithm s3types.ServerSideEncryption, key *string) error {
		_, err := b.s3.PutBucketEncryption(ctx,
			&s3.PutBucketEncryptionInput{Bucket: bucket,
				ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
					ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm, KMSMasterKeyID: key},
				}}}})
		return err
	}
	cases := []struct {
		name      string
		algorithm s3types.ServerSideEncryption
		key       *string
		want      string
	}{
		{"S3's own keys", "AES256", nil, ""},
		{"the managed key", "aws:kms", nil, ""},
		{"a key with the wrong algorithm", "AES256", aws.String("k"), "InvalidArgument"},
		{"two layers", "aws:kms:dsse", nil, "NotImplemented"},
		{"an unknown algorithm", "rot13", nil, "MalformedXML"},
	}
	for _, c := range cases {
		if err := set(c.algorithm, c.key); code(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestBlockedEncryption: a bucket can refuse keys that customers bring along.
func TestBlockedEncryption(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "blocked-encryption", "")
	blocked := func() []s3types.EncryptionType {
		rule := must[*s3.GetBucketEncryptionOutput](t)(
			b.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket}),
		).ServerSideEncryptionConfiguration.Rules[0]
		if rule.BlockedEncryptionTypes == nil {
			return nil
		}
		return rule.BlockedEncryptionTypes.EncryptionType
	}
	if got := blocked(); got != nil {
		t.Errorf("never told, and read as %v", got)
	}
	for kind, want := range map[s3types.EncryptionType]string{s3types.EncryptionTypeSseC: "AccessDenied",
		s3types.EncryptionTypeNone: "NotImplemented"} {
		must[*s3.PutBucketEncryptionOutput](t)(b.s3.PutBucketEncryption(ctx,
			&s3.PutBucketEncryptionInput{Bucket: bucket,
				ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
					ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: "AES256"},
					BlockedEncryptionTypes:             &s3types.BlockedEncryptionTypes{EncryptionType: []s3types.EncryptionType{kind}},
				}}}}))
		if got := blocked(); len(got) != 1 || got[0] != kind {
			t.Errorf("%s reads back as %v", kind, got)
		}
		err := put(ctx, b, bucket, "k", func(in *s3.PutObjectInput) { in.SSECustomerAlgorithm = aws.String("AES256") })
		if code(err) != want {
			t.Errorf("a customer's key with %s blocked: %v, want %s", kind, err, want)
		}
	}
}
