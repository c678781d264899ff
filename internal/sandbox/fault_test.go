package sandbox_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// withFault sets everything up, and then makes something go wrong.
func withFault(t *testing.T, text string) *world {
	t.Helper()
	w := newWorld(t)
	w.fault(t, text)
	return w
}

func (w *world) fault(t testing.TB, text string) {
	t.Helper()
	text = strings.NewReplacer("KEY", w.key, "ROLE", w.role).Replace(text)
	f, err := sandbox.ParseFault(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sb.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func TestEachServiceThrottlesInItsOwnWords(t *testing.T) {
	w := withFault(t, "* code=throttle")
	ctx := t.Context()
	rows := []struct {
		service, code, text string
		status              int
		call                func() error
	}{
		{"s3", "SlowDown", "Please reduce your request rate.", 503, func() error { _, err := w.rootB.s3.ListBuckets(ctx, nil); return err }},
		{"sts", "Throttling", "Rate exceeded", 400, func() error { _, err := w.rootA.sts.GetCallerIdentity(ctx, nil); return err }},
		{"iam", "Throttling", "Rate exceeded", 400, func() error { _, err := w.rootA.iam.ListRoles(ctx, nil); return err }},
		{"kms", "ThrottlingException", "Rate exceeded", 400, func() error { _, err := w.rootB.kms.ListKeys(ctx, nil); return err }},
		{"cloudtrail", "ThrottlingException", "Rate exceeded", 400, func() error {
			_, err := cloudtrail.NewFromConfig(w.rootB.cfg).LookupEvents(ctx, nil)
			return err
		}},
	}
	for _, row := range rows {
		t.Run(row.service, func(t *testing.T) {
			if err := row.call(); code(err) != row.code || status(err) != row.status || message(err) != row.text {
				t.Errorf("%s (%d): %v", code(err), status(err), err)
			}
		})
	}
}

// Each row is one put under one fault: the client's result, and whether the object is
// stored afterwards.
func TestWhatAFaultDoesToAPut(t *testing.T) {
	rows := []struct {
		name, fault string
		code        string // "reset": the connection ended before there was an answer
		status      int
		stored      bool
	}{
		{"an error of the tester's choice", "s3:PutObject code=InternalError status=500 message=Sorry", "InternalError", 500, false},
		{"of all of S3", "s3:* code=ServiceUnavailable", "ServiceUnavailable", 503, false},
		{"of another operation", "s3:GetObject code=InternalError", "", 0, true},
		{"of another service", "iam:* code=InternalError", "", 0, true},
		{"S3's call to KMS is throttled", "kms:GenerateDataKey code=throttle", "KMS.ThrottlingException", 400, false},
		{"reset before the body", "s3:PutObject reset=before-body", "reset", 0, false},
		{"reset after the body", "s3:PutObject reset=after-body", "reset", 0, false},
		{"the answer is lost", "s3:PutObject reset=before-response", "reset", 0, true},
		{"the session ends", "s3:PutObject expire_session=true", "ExpiredToken", 400, false},
		{"the key is disabled", "s3:PutObject disable_key=KEY", "KMS.DisabledException", 400, false},
		{"the role is deleted", "s3:PutObject delete_role=ROLE", "InvalidAccessKeyId", 403, false},
		{"only after the first", "s3:PutObject code=InternalError skip=1", "", 0, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := withFault(t, row.fault)
			_, err := w.uploader.s3.PutObject(t.Context(), w.put("logs/x", make([]byte, 100_000)))
			got := code(err)
			if strings.HasPrefix(got, "not an AWS error") {
				got = "reset"
			}
			if got != row.code || status(err) != row.status {
				t.Errorf("the client sees %q (%d): %v", got, status(err), err)
			}
			_, body, err := w.sb.Object(bucketB, "logs/x")
			if err == nil {
				err = body.Close()
			}
			if stored := !errors.Is(err, sandbox.ErrNotFound); stored != row.stored {
				t.Errorf("the object is stored: %t, want %t (%v)", stored, row.stored, err)
			}
		})
	}
}

func TestAFaultEndsAfterItsTimes(t *testing.T) {
	w := withFault(t, "s3:PutObject code=InternalError skip=1 times=2")
	var got []string
	for range 5 {
		_, err := w.uploader.s3.PutObject(t.Context(), w.put("logs/x", nil))
		got = append(got, code(err))
	}
	if d := cmp.Diff([]string{"", "InternalError", "InternalError", "", ""}, got); d != "" {
		t.Error(d)
	}
	if left := w.sb.Faults(); len(left) != 0 {
		t.Errorf("still in force: %v", left)
	}
}

// hits makes n calls of one kind and tells which of them a fault with a rate hit.
func hits(t *testing.T, seed uint64, n int) []bool {
	t.Helper()
	sb := start(t, sandbox.Options{Seed: seed, Faults: []sandbox.Fault{{Operation: "sts:GetCallerIdentity", Code: "Throttling", Rate: 0.25}}})
	api := as(t, sb, sb.RootKeys(accountA))
	var out []bool
	for range n {
		_, err := api.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		out = append(out, err != nil)
	}
	return out
}

func TestASeedReplaysARun(t *testing.T) {
	first, again, other := hits(t, 7, 200), hits(t, 7, 200), hits(t, 8, 200)
	if !slices.Equal(first, again) {
		t.Error("the same seed hits other calls")
	}
	if slices.Equal(first, other) {
		t.Error("another seed hits the same calls")
	}
	n := 0
	for _, hit := range first {
		if hit {
			n++
		}
	}
	if n < 25 || n > 75 { // 50 are expected; these are four standard deviations
		t.Errorf("%d of 200 calls were hit at a rate of 0.25", n)
	}
}

func TestLatencyDelaysACallBeforeAnythingIsDone(t *testing.T) {
	w := withFault(t, "s3:PutObject latency=1h")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that takes an hour: %v", err)
	}
	if _, _, err := w.sb.Object(bucketB, "logs/x"); !errors.Is(err, sandbox.ErrNotFound) {
		t.Errorf("the object: %v", err)
	}
}

func TestAnswersThatArriveInPart(t *testing.T) {
	w := newWorld(t)
	ctx, body := t.Context(), make([]byte, 300_000)
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/x", body)))
	get := &s3.GetObjectInput{Bucket: aws.String(bucketB), Key: aws.String("logs/x")}

	w.fault(t, "s3:GetObject truncate=1000 times=1")
	out := must[*s3.GetObjectOutput](t)(w.rootB.s3.GetObject(ctx, get))
	if n, err := io.Copy(io.Discard, out.Body); n > 1000 || err == nil {
		t.Errorf("a truncated answer gives %d bytes and %v", n, err)
	}
	_ = out.Body.Close()

	w.fault(t, "s3:GetObject bytes_per_second=1000 times=1") // five minutes
	slow, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	out = must[*s3.GetObjectOutput](t)(w.rootB.s3.GetObject(slow, get))
	if n, err := io.Copy(io.Discard, out.Body); n == 0 || n > 100_000 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("half a second of a slow answer gives %d bytes and %v", n, err)
	}
	_ = out.Body.Close()

	w.fault(t, "s3:PutObject reset=after-response times=1")
	// Whether the client reads the answer first is a race that it may lose.
	_, _ = w.uploader.s3.PutObject(ctx, w.put("logs/y", body))
	if _, data := stored(t, w.sb, bucketB, "logs/y"); len(data) != len(body) {
		t.Errorf("%d bytes are stored", len(data))
	}
}

func TestAClockThatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.sb.SetClockOffset(16 * time.Minute)
	if _, err := w.uploader.s3.PutObject(t.Context(), w.put("logs/x", nil)); code(err) != "RequestTimeTooSkewed" || status(err) != 403 {
		t.Errorf("16 minutes: %v", err)
	}
	if _, err := w.app.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); code(err) != "SignatureDoesNotMatch" ||
		!strings.Contains(message(err), "Signature expired") {
		t.Errorf("16 minutes, STS: %v", err)
	}
	w.sb.SetClockOffset(14 * time.Minute)
	if _, err := w.uploader.s3.PutObject(t.Context(), w.put("logs/x", nil)); err != nil {
		t.Errorf("14 minutes: %v", err)
	}
}

func TestMishaps(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if n := w.sb.ExpireSessions("arn:aws:iam::111122223333:role/another"); n != 0 {
		t.Errorf("%d sessions of another role ended", n)
	}
	if n := w.sb.ExpireSessions(w.role); n != 1 {
		t.Errorf("%d sessions ended, want 1", n)
	}
	if _, err := w.uploader.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); code(err) != "ExpiredToken" || status(err) != 403 {
		t.Errorf("an ended session: %v", err)
	}
	uploader := as(t, w.sb, w.assume(t))
	if _, err := uploader.s3.PutObject(ctx, w.put("logs/x", nil)); err != nil {
		t.Errorf("the next session: %v", err)
	}
	if err := w.sb.DisableKey(w.key); err != nil {
		t.Fatal(err)
	}
	if d := must[*kms.DescribeKeyOutput](t)(
		w.rootB.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(w.key)}),
	); d.KeyMetadata.Enabled {
		t.Error("the key is enabled")
	}
	if err := w.sb.DeleteRole(w.role); err != nil {
		t.Fatal(err)
	}
	if _, err := w.rootA.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("CrossAccountS3Uploader")}); code(err) != "NoSuchEntity" {
		t.Errorf("the deleted role: %v", err)
	}
	if err := errors.Join(w.sb.DeleteRole(w.role), w.sb.DisableKey("arn:aws:kms:eu-west-1:444455556666:key/none")); !errors.Is(err,
		sandbox.ErrNotFound) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("a missing resource: %v", err)
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", "starts with an operation"},
		{"s3:PutObject", "has no effect"},
		{"PutObject code=x", "service:Operation"},
		{"ec2:RunInstances code=x", "where service is s3"},
		{"s3: code=x", "service:Operation"},
		{"s3:PutObject code=x rate=2", "share from 0 to 1"},
		{"s3:PutObject code=x rate=NaN", "share from 0 to 1"},
		{"s3:PutObject code=x status=200", "400 to 599"},
		{"s3:PutObject latency=-1s", "negative"},
		{"s3:PutObject latency=soon", "latency"},
		{"s3:PutObject truncate=many", "truncate"},
		{"s3:PutObject reset=later", "before-body"},
		{"s3:PutObject colour=red", "known are"},
	} {
		if _, err := sandbox.ParseFault(row.text); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want %q in it", row.text, err, row.want)
		}
	}
}

// The text of every accepted fault parses to the same fault.
func FuzzParseFault(f *testing.F) {
	f.Add("s3:PutObject code=SlowDown rate=0.1")
	f.Add("* latency=1.5s jitter=3ms skip=2 times=9")
	f.Add("kms:* reset=before-response truncate=9 bytes_per_second=100 expire_session=true disable_key=a delete_role=b message=m status=500")
	f.Fuzz(func(t *testing.T, text string) {
		one, err := sandbox.ParseFault(text)
		if err != nil {
			return
		}
		two, err := sandbox.ParseFault(one.String())
		if err != nil || one.String() != two.String() {
			t.Errorf("%q prints as %q, which reads as %q, %v", text, one.String(), two.String(), err)
		}
	})
}
