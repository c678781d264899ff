package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func setLifecycle(t testing.TB, c *clients, bucket *string, rules ...s3types.LifecycleRule) error {
	t.Helper()
	_, err := c.s3.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: bucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: rules},
	})
	return err
}

func TestLifecycleRules(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	bucket := aclBucket(t, b, "lifecycle-rules", "")
	midnight := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	all := &s3types.LifecycleRuleFilter{Prefix: aws.String("")}
	tagged := &s3types.LifecycleRuleFilter{Tag: &s3types.Tag{Key: aws.String("a"), Value: aws.String("b")}}
	days := func(n int32) *s3types.LifecycleExpiration {
		return &s3types.LifecycleExpiration{Days: aws.Int32(n)}
	}
	abort := func(n int32) *s3types.AbortIncompleteMultipartUpload {
		return &s3types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(n)}
	}
	move := func(n int32, class s3types.TransitionStorageClass) []s3types.Transition {
		return []s3types.Transition{{Days: aws.Int32(n), StorageClass: class}}
	}
	cases := []struct {
		name string
		rule s3types.LifecycleRule
		want string // a part of the message; empty for accepted
	}{
		{"abort", s3types.LifecycleRule{Filter: all, AbortIncompleteMultipartUpload: abort(7)}, ""},
		{"expire by days", s3types.LifecycleRule{Filter: all, Expiration: days(1)}, ""},
		{"expire by date", s3types.LifecycleRule{Filter: all, Expiration: &s3types.LifecycleExpiration{Date: aws.Time(midnight)}}, ""},
		{"the older prefix", s3types.LifecycleRule{Prefix: aws.String("p"), Expiration: days(1)}, ""}, //nolint:staticcheck // still in use
		{
			"And",
			s3types.LifecycleRule{
				Filter: &s3types.LifecycleRuleFilter{
					And: &s3types.LifecycleRuleAndOperator{Prefix: aws.String("p"), ObjectSizeGreaterThan: aws.Int64(1), ObjectSizeLessThan: aws.Int64(9),
						Tags: []s3types.Tag{*tagged.Tag}},
				}, Expiration: days(9),
			}, "",
		},
		{
			"moves before it ends",
			s3types.LifecycleRule{Filter: all, Expiration: days(90), Transitions: append(move(30, "STANDARD_IA"), move(60, "GLACIER")...)}, "",
		},
		{
			"noncurrent versions",
			s3types.LifecycleRule{
				Filter:                      all,
				NoncurrentVersionExpiration: &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(9), NewerNoncurrentVersions: aws.Int32(3)},
			}, "",
		},
		{"no action", s3types.LifecycleRule{Filter: all}, "At least one action needs to be specified in a rule"},
		{"neither filter nor prefix", s3types.LifecycleRule{Expiration: days(1)}, "did not validate"},
		{"both filter and prefix", s3types.LifecycleRule{Filter: all, Prefix: aws.String(""), Expiration: days(1)}, //nolint:staticcheck // in use
			"did not validate"},
		{
			"two filters", s3types.LifecycleRule{Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("p"), ObjectSizeLessThan: aws.Int64(2)},
				Expiration: days(1)}, "did not validate",
		},
		{
			"And of one",
			s3types.LifecycleRule{Filter: &s3types.LifecycleRuleFilter{And: &s3types.LifecycleRuleAndOperator{Prefix: aws.String("p")}},
				Expiration: days(1)}, "did not validate",
		},
		{"a status that does not exist", s3types.LifecycleRule{Status: "Sometimes", Filter: all, Expiration: days(1)}, "did not validate"},
		{"no days", s3types.LifecycleRule{Filter: all, Expiration: days(0)}, "'Days' for Expiration action must be a positive integer"},
		{
			"days and date",
			s3types.LifecycleRule{Filter: all, Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(1), Date: aws.Time(midnight)}},
			"did not validate",
		},
		{"noon", s3types.LifecycleRule{Filter: all, Expiration: &s3types.LifecycleExpiration{Date: aws.Time(midnight.Add(12 * time.Hour))}},
			"'Date' must be at midnight GMT"},
		{"an id that is too long", s3types.LifecycleRule{ID: aws.String(strings.Repeat("i", 256)), Filter: all, Expiration: days(1)},
			"ID length should not exceed allowed limit of 255"},
		{"abort by tag", s3types.LifecycleRule{Filter: tagged, AbortIncompleteMultipartUpload: abort(1)},
			"AbortIncompleteMultipartUpload cannot be specified with Tags"},
		{"abort at once", s3types.LifecycleRule{Filter: all, AbortIncompleteMultipartUpload: abort(0)}, "'DaysAfterInitiation'"},
		{"too early for infrequent access", s3types.LifecycleRule{Filter: all, Transitions: move(29, "STANDARD_IA")},
			"greater than or equal to 30 for storageClass 'STANDARD_IA'"},
		{"a class that does not exist", s3types.LifecycleRule{Filter: all, Transitions: move(30, "ATTIC")}, "did not validate"},
		{"ends before it moves", s3types.LifecycleRule{Filter: all, Expiration: days(30), Transitions: move(30, "GLACIER")},
			"must be greater than 'Days' in the Transition action"},
		{
			"date and days", s3types.LifecycleRule{Filter: all, Expiration: &s3types.LifecycleExpiration{Date: aws.Time(midnight)},
				Transitions: move(1, "GLACIER")}, "Found mixed 'Date' and 'Days'",
		},
		{
			"too many newer versions",
			s3types.LifecycleRule{
				Filter: all,
				NoncurrentVersionExpiration: &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(9),
					NewerNoncurrentVersions: aws.Int32(101)},
			}, "NewerNoncurrentVersions",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.rule.Status == "" {
				c.rule.Status = s3types.ExpirationStatusEnabled
			}
			err := setLifecycle(t, b, bucket, c.rule)
			if (err == nil) != (c.want == "") || !strings.Contains(message(err), c.want) && c.want != "" {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if c.want != "" {
				return
			}
			got := must[*s3.GetBucketLifecycleConfigurationOutput](t)(
				b.s3.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}),
			).Rules[0]
			if aws.ToString(got.ID) == "" {
				t.Error("S3 gives an id to a rule that has none")
			}
			got.ID = nil
			if describe(got) != describe(c.rule) {
				t.Errorf("reads back as %s, was %s", describe(got), describe(c.rule))
			}
		})
	}
	one := s3types.LifecycleRule{ID: aws.String("x"), Status: "Enabled", Filter: all, Expiration: days(1)}
	if err := setLifecycle(t, b, bucket, one, one); code(err) != "InvalidArgument" {
		t.Errorf("the same id twice: %v", err)
	}
	must[*s3.DeleteBucketLifecycleOutput](t)(b.s3.DeleteBucketLifecycle(t.Context(), &s3.DeleteBucketLifecycleInput{Bucket: bucket}))
	if _, err := b.s3.GetBucketLifecycleConfiguration(t.Context(),
		&s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}); code(err) != "NoSuchLifecycleConfiguration" {
		t.Errorf("after deletion: %v", err)
	}
}

// describe writes a rule without its pointers.
func describe(r s3types.LifecycleRule) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %q", r.Status, aws.ToString(r.Prefix)) //nolint:staticcheck // still in use
	if f := r.Filter; f != nil {
		fmt.Fprintf(&s, " filter %q %v", aws.ToString(f.Prefix), f.And != nil)
		if f.And != nil {
			fmt.Fprintf(&s, " and %q %d %d %s=%s", *f.And.Prefix, *f.And.ObjectSizeGreaterThan, *f.And.ObjectSizeLessThan, *f.And.Tags[0].Key,
				*f.And.Tags[0].Value)
		}
	}
	if e := r.Expiration; e != nil {
		fmt.Fprintf(&s, " expire %d %s", aws.ToInt32(e.Days), aws.ToTime(e.Date))
	}
	for _, m := range r.Transitions {
		fmt.Fprintf(&s, " move %d %s", *m.Days, m.StorageClass)
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		fmt.Fprintf(&s, " noncurrent %d %d", *n.NoncurrentDays, *n.NewerNoncurrentVersions)
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		fmt.Fprintf(&s, " abort %d", *a.DaysAfterInitiation)
	}
	return s.String()
}

func TestTransitionMinimumSize(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "minimum-size", "")
	rules := &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{
		Status: "Enabled", Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
		Expiration: &s3types.LifecycleExpiration{Days: aws.Int32(1)},
	}}}
	for given, want := range map[s3types.TransitionDefaultMinimumObjectSize]s3types.TransitionDefaultMinimumObjectSize{
		"": "all_storage_classes_128K", "varies_by_storage_class": "varies_by_storage_class",
	} {
		put := must[*s3.PutBucketLifecycleConfigurationOutput](t)(
			b.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
				Bucket: bucket, LifecycleConfiguration: rules, TransitionDefaultMinimumObjectSize: given,
			}),
		)
		got := must[*s3.GetBucketLifecycleConfigurationOutput](t)(
			b.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}),
		)
		if put.TransitionDefaultMinimumObjectSize != want || got.TransitionDefaultMinimumObjectSize != want {
			t.Errorf("%q is told as %s and %s", given, put.TransitionDefaultMinimumObjectSize, got.TransitionDefaultMinimumObjectSize)
		}
	}
	if _, err := b.s3.PutBucketLifecycleConfiguration(ctx,
		&s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: rules,
			TransitionDefaultMinimumObjectSize: "none"}); code(err) != "InvalidRequest" {
		t.Errorf("a size that does not exist: %v", err)
	}
}

// actions returns the actions of a run in short: "action key".
func actions(r sandbox.LifecycleResult, bucket string) string {
	var out []string
	for _, d := range r.Done {
		if d.Bucket == bucket {
			out = append(out, d.Action+" "+d.Key)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestLifecycleAbortsUploads(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "lifecycle-abort", "")
	begin := func(key string) *s3.CreateMultipartUploadOutput {
		return must[*s3.CreateMultipartUploadOutput](t)(
			b.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String(key)}),
		)
	}
	if out := begin("logs/before"); out.AbortDate != nil || out.AbortRuleId != nil {
		t.Errorf("without a rule: %v %v", out.AbortDate, out.AbortRuleId)
	}
	if err := setLifecycle(t, b, bucket, s3types.LifecycleRule{
		ID: aws.String("tidy"), Status: "Enabled", Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("logs/")},
		AbortIncompleteMultipartUpload: &s3types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(2)},
	}); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	want := now.AddDate(0, 0, 2).Truncate(24*time.Hour).AddDate(0, 0, 1)
	out := begin("logs/after")
	if aws.ToString(out.AbortRuleId) != "tidy" || !aws.ToTime(out.AbortDate).Equal(want) {
		t.Errorf("CreateMultipartUpload tells %v by %s, want %v", out.AbortDate, aws.ToString(out.AbortRuleId), want)
	}
	parts := must[*s3.ListPartsOutput](t)(b.s3.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: out.Key, UploadId: out.UploadId}))
	if aws.ToString(parts.AbortRuleId) != "tidy" || !aws.ToTime(parts.AbortDate).Equal(want) {
		t.Errorf("ListParts tells %v by %s", parts.AbortDate, aws.ToString(parts.AbortRuleId))
	}
	begin("other/after")
	if got := actions(sb.ApplyLifecycle(want.Add(-time.Second)), *bucket); got != "" {
		t.Errorf("a second early: %s", got)
	}
	if got := actions(sb.ApplyLifecycle(want), *bucket); got != "abort-upload logs/after, abort-upload logs/before" {
		t.Errorf("when it is due: %s", got)
	}
	left := must[*s3.ListMultipartUploadsOutput](t)(b.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket}))
	if len(left.Uploads) != 1 || *left.Uploads[0].Key != "other/after" {
		t.Errorf("left: %v", left.Uploads)
	}
}

func TestLifecycleExpires(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	later := func(days int) time.Time { return time.Now().AddDate(0, 0, days+1) }
	prefix := func(p string) *s3types.LifecycleRuleFilter {
		return &s3types.LifecycleRuleFilter{Prefix: aws.String(p)}
	}
	days := &s3types.LifecycleExpiration{Days: aws.Int32(10)}
	cases := []struct {
		name      string
		versioned bool
		rule      s3types.LifecycleRule
		days      int
		puts      []string
		want      string
	}{
		{"by days, in time", false, s3types.LifecycleRule{Filter: prefix("a"), Expiration: days}, 10, []string{"a", "b"}, "delete-version a"},
		{"by days, too early", false, s3types.LifecycleRule{Filter: prefix("a"), Expiration: days}, 8, []string{"a"}, ""},
		{"by a disabled rule", false, s3types.LifecycleRule{Status: "Disabled", Filter: prefix("a"), Expiration: days}, 10, []string{"a"}, ""},
		{
			"by date", false,
			s3types.LifecycleRule{
				Filter: prefix(""), Expiration: &s3types.LifecycleExpiration{Date: aws.Time(time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 3))},
			}, 3, []string{"a"}, "delete-version a",
		},
		{"by size", false, s3types.LifecycleRule{Filter: &s3types.LifecycleRuleFilter{ObjectSizeGreaterThan: aws.Int64(4)}, Expiration: days},
			10, []string{"a"}, ""},
		{"with versions a marker is set", true, s3types.LifecycleRule{Filter: prefix(""), Expiration: days}, 10, []string{"a"},
			"add-delete-marker a"},
		{
			"noncurrent versions go", true,
			s3types.LifecycleRule{
				Filter: prefix(""), NoncurrentVersionExpiration: &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(5)},
			}, 5, []string{"a", "a", "a"}, "delete-version a, delete-version a",
		},
		{
			"and some are kept", true,
			s3types.LifecycleRule{
				Filter:                      prefix(""),
				NoncurrentVersionExpiration: &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(5), NewerNoncurrentVersions: aws.Int32(1)},
			}, 5, []string{"a", "a", "a"}, "delete-version a",
		},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bucket := aclBucket(t, b, fmt.Sprintf("lifecycle-expire-%d", i), "")
			if c.versioned {
				must[*s3.PutBucketVersioningOutput](t)(
					b.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
						Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"},
					}),
				)
			}
			for _, key := range c.puts {
				if err := put(ctx, b, bucket, key); err != nil {
					t.Fatal(err)
				}
			}
			if c.rule.Status == "" {
				c.rule.Status = "Enabled"
			}
			if err := setLifecycle(t, b, bucket, c.rule); err != nil {
				t.Fatal(err)
			}
			if got := actions(sb.ApplyLifecycle(later(c.days)), *bucket); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			_, err := b.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("a")})
			gone := strings.Contains(c.want, "a") && !strings.Contains(c.name, "noncurrent") && !strings.Contains(c.name, "kept")
			if gone != (status(err) == http.StatusNotFound) {
				t.Errorf("the object afterwards: %v", err)
			}
		})
	}
	t.Run("a marker that is alone goes", func(t *testing.T) {
		bucket := aclBucket(t, b, "lifecycle-marker", "")
		must[*s3.PutBucketVersioningOutput](t)(
			b.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
				Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"},
			}),
		)
		must[*s3.DeleteObjectOutput](t)(b.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a")}))
		if err := setLifecycle(t, b, bucket, s3types.LifecycleRule{
			Status: "Enabled", Filter: prefix(""), Expiration: &s3types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)},
		}); err != nil {
			t.Fatal(err)
		}
		if got := actions(sb.ApplyLifecycle(time.Now()), *bucket); got != "remove-delete-marker a" {
			t.Errorf("got %q", got)
		}
	})
}

func TestExpirationHeader(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "expiration-header", "")
	expire := func(days int32) *s3types.LifecycleExpiration {
		return &s3types.LifecycleExpiration{Days: aws.Int32(days)}
	}
	if err := setLifecycle(t, b, bucket,
		s3types.LifecycleRule{ID: aws.String("late"), Status: "Enabled", Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
			Expiration: expire(9)},
		s3types.LifecycleRule{ID: aws.String("early"), Status: "Enabled", Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("a/")},
			Expiration: expire(3)},
	); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]struct {
		rule string
		days int
	}{"a/k": {"early", 3}, "b/k": {"late", 9}} {
		out := must[*s3.PutObjectOutput](t)(
			b.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader("data")}),
		)
		head := must[*s3.HeadObjectOutput](t)(b.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String(key)}))
		due := head.LastModified.AddDate(0, 0, want.days).Truncate(24*time.Hour).AddDate(0, 0, 1)
		text := `expiry-date="` + due.Format(http.TimeFormat) + `", rule-id="` + want.rule + `"`
		if aws.ToString(out.Expiration) != text {
			t.Errorf("putting %s tells %s, want %s", key, aws.ToString(out.Expiration), text)
		}
		if aws.ToString(head.Expiration) != text {
			t.Errorf("the head of %s tells %s, want %s", key, aws.ToString(head.Expiration), text)
		}
	}
}
