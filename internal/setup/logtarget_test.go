package setup

import (
	"strings"
	"testing"
)

func TestABucketThatCannotReceiveAccessLogsIsNamed(t *testing.T) {
	source, to := BucketRef{"tenant", "444455556666", "eu-west-1"}, Logging{Bucket: "logs", Prefix: "s3/"}
	const allow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},` +
		`"Action":"s3:PutObject",` +
		`"Resource":"arn:aws:s3:::logs/s3/*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::tenant"},` +
		`"StringEquals":{"aws:SourceAccount":"444455556666"}}}]}`
	good := func() *BucketAt {
		return &BucketAt{
			Info: KnownPart(BucketInfo{Region: "eu-west-1"}), Policy: KnownPart(allow), Ownership: KnownPart("BucketOwnerEnforced"),
			Encryption: KnownPart(Encryption{Algorithm: "AES256"}),
		}
	}
	for _, c := range []struct {
		name   string
		change func(*BucketAt)
		want   string // part of the problem; empty: none
		open   bool   // not decided
	}{
		{name: "as it should be", change: func(*BucketAt) {}},
		{name: "SSE-KMS by default", change: func(b *BucketAt) { b.Encryption.Value.Algorithm = "aws:kms" }, want: "SSE-KMS"},
		{name: "dual-layer SSE-KMS by default", change: func(b *BucketAt) { b.Encryption.Value.Algorithm = "aws:kms:dsse" }, want: "SSE-KMS"},
		{name: "no policy", change: func(b *BucketAt) { b.Policy = Part[string]{Presence: Absent} }, want: "logging.s3.amazonaws.com"},
		{
			name: "a policy for another prefix", change: func(b *BucketAt) {
				b.Policy.Value = strings.Replace(allow, "logs/s3/", "logs/other/", 1)
			}, want: "logging.s3.amazonaws.com",
		},
		{
			name: "a policy for another bucket", change: func(b *BucketAt) {
				b.Policy.Value = strings.Replace(allow, ":::tenant", ":::another", 1)
			}, want: "logging.s3.amazonaws.com",
		},
		{
			name: "a policy for another account", change: func(b *BucketAt) {
				b.Policy.Value = strings.Replace(allow, "444455556666", "111122223333", 1)
			}, want: "logging.s3.amazonaws.com",
		},
		{name: "another Region", change: func(b *BucketAt) { b.Info.Value.Region = "eu-central-1" }, want: "eu-central-1"},
		{name: "no bucket", change: func(b *BucketAt) { b.Info = Part[BucketInfo]{Presence: Absent} }, want: "does not exist"},
		{
			name: "ACLs may grant it", change: func(b *BucketAt) {
				b.Policy, b.Ownership = Part[string]{Presence: Absent}, KnownPart("ObjectWriter")
			}, open: true,
		},
		{name: "a bucket that may not be read", change: func(b *BucketAt) { b.Info = Part[BucketInfo]{Presence: Unread} }, open: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := good()
			c.change(at)
			problems, ok := LogTargetProblems(source, to, at)
			if ok == c.open {
				t.Errorf("decided %t, want %t: %q", ok, !c.open, problems)
			}
			if got := strings.Join(problems, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
	if _, ok := LogTargetProblems(source, to, nil); ok {
		t.Error("a bucket that was not looked at is decided")
	}
}

// S3 refuses a bucket of another account after setup has made its other changes.
func TestAccessLogsAreNotPlannedForABucketThatIsHidden(t *testing.T) {
	const reason = "access denied: the credentials may not look at bucket logs, or it does not belong to account 444455556666"
	yaml := stanza + "    setup: {access_logs: {bucket: logs}}\n" + asRole
	for _, c := range []struct {
		name    string
		logging Part[Logging]
		want    Op
		reason  string
	}{
		{"no logs yet", KnownPart(Logging{}), OpUnknown, "or it does not belong to account 444455556666"},
		{"the logs are as configured", KnownPart(Logging{Bucket: "logs"}), OpKeep, ""},
		{"the account is hidden", UnreadPart[Logging]("no credentials"), OpUnknown, "no credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planned(t, yaml, func(s *Snapshot) {
				for _, b := range s.Buckets {
					b.Logging = c.logging
				}
				s.LogTargets = map[string]*BucketAt{"logs": {Name: "logs", Info: UnreadPart[BucketInfo](reason)}}
			})
			for _, change := range p.Changes {
				if change.Kind == KindLogging {
					if change.Op != c.want || !strings.Contains(change.Reason, c.reason) {
						t.Errorf("%s %q, want %s %q", change.Op, change.Reason, c.want, c.reason)
					}
					return
				}
			}
			t.Error("the plan says nothing of access logs")
		})
	}
}
