package awsaccounts_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
)

// The rule is the last thing that aborts an unfinished upload: it goes only when
// there is none, and a warning names those that are left.
func TestARemovalKeepsTheRuleOfUnfinishedUploads(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	begin := func(key string) *s3.CreateMultipartUploadOutput {
		t.Helper()
		out, err := w.S3.CreateMultipartUpload(t.Context(),
			&s3.CreateMultipartUploadInput{Bucket: aws.String(testbed.Bucket), Key: aws.String(key)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	left := begin("logs/it's left")
	begin("elsewhere/of-others")
	remove := setup.PlanOptions{Remove: true}
	p := w.plan(t, a, cfg, remove)
	rule := p.Change(setup.KindLifecycle, "arn:aws:s3:::"+testbed.Bucket)
	if rule == nil || rule.Op != setup.OpKeep || !strings.Contains(rule.Reason, "1 upload that is unfinished") {
		t.Errorf("the rule: %+v, want it kept for one upload", rule)
	}
	var named []setup.Warning
	for _, warning := range p.Warnings {
		if warning.Code == setup.WarnUnfinished {
			named = append(named, warning)
		}
	}
	if len(named) != 1 || !strings.Contains(named[0].Fix, aws.ToString(left.UploadId)) ||
		!strings.Contains(named[0].Fix, `'logs/it'\''s left'`) {
		t.Errorf("warnings %+v, want one with the command that aborts the upload below the prefix", named)
	}
	w.apply(t, a, p)
	if got := w.lifecycleIDs(t); len(got) != 1 {
		t.Errorf("the rules are %v, want ours alone", got)
	}

	if _, err := w.S3.AbortMultipartUpload(t.Context(),
		&s3.AbortMultipartUploadInput{Bucket: left.Bucket, Key: left.Key, UploadId: left.UploadId}); err != nil {
		t.Fatal(err)
	}
	w.apply(t, a, w.plan(t, a, cfg, remove))
	if got := w.lifecycleIDs(t); len(got) != 0 {
		t.Errorf("the rules are %v, want none", got)
	}
}

// Uploads that could not be listed may be there.
func TestARemovalKeepsTheRuleWhenUploadsCannotBeListed(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	fault, err := sandbox.ParseFault("s3:ListMultipartUploads code=AccessDenied")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Sandbox.AddFault(fault); err != nil {
		t.Fatal(err)
	}
	p := w.plan(t, a, cfg, setup.PlanOptions{Remove: true})
	if rule := p.Change(setup.KindLifecycle, "arn:aws:s3:::"+testbed.Bucket); rule == nil || rule.Op != setup.OpKeep ||
		!strings.Contains(rule.Reason, "could not be listed") {
		t.Errorf("the rule: %+v, want it kept", rule)
	}
}

func (w *world) lifecycleIDs(t *testing.T) []string {
	t.Helper()
	out, err := w.S3.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(testbed.Bucket)})
	if err != nil {
		if strings.Contains(err.Error(), "NoSuchLifecycleConfiguration") {
			return nil
		}
		t.Fatal(err)
	}
	var ids []string
	for _, r := range out.Rules {
		ids = append(ids, aws.ToString(r.ID))
	}
	return ids
}
