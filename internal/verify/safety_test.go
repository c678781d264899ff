package verify_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// broad gives the role everything, on both sides.
func broad(t *testing.T, w *testbed.World) {
	t.Helper()
	must(t, w.PutIdentity(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","kms:*"],"Resource":"*"}]}`))
	must(
		t,
		w.PutBucketPolicy(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+
			w.Dest.Role+`"},"Action":"s3:*","Resource":["arn:aws:s3:::tenant-s3-test-bucket","arn:aws:s3:::tenant-s3-test-bucket/*"]}]}`),
	)
	must(
		t,
		w.PutKeyPolicy(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["`+
			w.Dest.Role+`","arn:aws:iam::`+w.Sandbox.AccountB()+`:root"]},"Action":"kms:*","Resource":"*"}]}`),
	)
}

// Excessive rights of the role, which brokerd's session policy hides, are found, undone
// and reported.
func TestWhatARoleMayDoTooMuchIsFoundAndUndone(t *testing.T) {
	w := world(t)
	broad(t, w)
	r := runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")})
	for id, want := range map[string]report.Result{
		"BRK-LP-003": report.Fail, "BRK-LP-004": report.Warn, "BRK-LP-007": report.Pass, "BRK-LP-008": report.Fail, "BRK-LP-010": report.Pass,
		"BRK-LP-013": report.Fail, "BRK-KMS-003": report.Warn, "BRK-S3-002": report.Pass,
	} {
		if got := checkOf(t, r, id); got.Result != want {
			t.Errorf("%s is %s, want %s: %s", id, got.Result, want, got.Why)
		}
	}
	if got := checkOf(t, r, "BRK-LP-003"); !strings.Contains(got.Why, "verify aborted it") {
		t.Errorf("it does not say that the upload was undone: %s", got.Why)
	}
	if got := checkOf(t, r, "BRK-LP-013"); got.Artefact.Statement == nil || len(got.Fix.Patch) == 0 {
		t.Errorf("the statement that allows to delete is not named: %+v", got)
	}
	if left := w.Sandbox.MultipartUploads(testbed.Bucket); len(left)+len(w.Sandbox.Objects(testbed.Bucket)) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, c := range w.Sandbox.Calls() {
		switch c.Operation {
		case "DeleteObject", "PutObject", "PutBucketPolicy", "GenerateDataKey":
			if c.Operation != "GenerateDataKey" && strings.Contains(c.Principal, ":assumed-role/") {
				t.Errorf("verify called %s", c.Operation)
			}
		}
	}
}

func TestACanaryIsWrittenOnlyWhenItIsAskedForAndReadBack(t *testing.T) {
	w := world(t)
	broad(t, w)
	r := runWith(t, w, report.RunOptions{Canary: true})
	if got := checkOf(t, r, "BRK-S3-004"); got.Result != report.Pass || len(w.Sandbox.Objects(testbed.Bucket)) != 1 {
		t.Errorf("canary %s: %s; %d objects", got.Result, got.Why, len(w.Sandbox.Objects(testbed.Bucket)))
	}
	if got := checkOf(t, r, "BRK-LP-009"); got.Result != report.Fail {
		t.Errorf("the role may read what it wrote, and the check is %s: %s", got.Result, got.Why)
	}
}

func TestAnExternalIDThatNobodyAsksForIsFound(t *testing.T) {
	for _, c := range []struct {
		name, condition string
		without, other  report.Result
	}{
		{"asked for", `{"StringEquals":{"sts:ExternalId":"agreed"}}`, report.Pass, report.Pass},
		{"not asked for", `{}`, report.Fail, report.Fail},
		{"any is taken", `{"StringLike":{"sts:ExternalId":"*"}}`, report.Pass, report.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			w.Dest.Session.ExternalID = "agreed"
			must(
				t,
				testbedtest.PutTrust(t.Context(), w, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+
					w.UserARN+`"},"Action":"sts:AssumeRole","Condition":`+c.condition+`}]}`),
			)
			r := runWith(t, w, report.RunOptions{Policies: documents(t, w, "A")})
			if a, b := checkOf(t, r, "BRK-LP-001"), checkOf(t, r, "BRK-LP-002"); a.Result != c.without || b.Result != c.other {
				t.Errorf("without: %s %s; with another: %s %s", a.Result, a.Why, b.Result, b.Why)
			}
			if c.other == report.Fail {
				repaired(t, w, r, func() report.Report { return runWith(t, w, report.RunOptions{Policies: documents(t, w, "A")}) })
			}
		})
	}
}

// The calls that a run reports are those that AWS sees, and there are never more than 20.
func TestCallsAreCountedAsAWSSeesThem(t *testing.T) {
	for name, o := range map[string]report.RunOptions{"usual": {}, "with a canary": {Canary: true}, "cheap": {Cheap: true}} {
		t.Run(name, func(t *testing.T) {
			w := world(t)
			w.Dest.Session.ExternalID = "agreed"
			must(
				t,
				testbedtest.PutTrust(
					t.Context(), w,
					strings.Replace(string(w.Docs.Trust), `"Action": "sts:AssumeRole"`,
						`"Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}`, 1),
				),
			)
			before := len(w.Sandbox.Calls())
			r := runWith(t, w, o)
			seen := 0
			for _, c := range w.Sandbox.Calls()[before:] {
				if c.Via == "" {
					seen++
				}
			}
			if r.Calls != seen || seen > 20 {
				t.Errorf("%d calls reported, %d seen", r.Calls, seen)
			}
			if o.Cheap && (seen > 8 || r.Result() != report.Pass) {
				t.Errorf("a cheap run made %d calls and is %s", seen, r.Result())
			}
			t.Logf("%d calls", seen)
		})
	}
}

// A run in which everything that must be refused is accepted costs most.
func TestARunStaysWithinItsCallsWhenEverythingIsAllowed(t *testing.T) {
	w := world(t)
	broad(t, w)
	if _, err := w.S3.DeleteBucketOwnershipControls(t.Context(),
		&s3.DeleteBucketOwnershipControlsInput{Bucket: aws.String(testbed.Bucket)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.S3.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String(testbed.Bucket)}); err != nil {
		t.Fatal(err)
	}
	before := len(w.Sandbox.Calls())
	r := runWith(t, w, report.RunOptions{Canary: true})
	seen := 0
	for _, c := range w.Sandbox.Calls()[before:] {
		if c.Via == "" {
			seen++
		}
	}
	if seen > 20 || r.Calls != seen {
		t.Errorf("%d calls reported, %d seen", r.Calls, seen)
	}
	if left := w.Sandbox.MultipartUploads(testbed.Bucket); len(left) > 0 {
		t.Errorf("%d uploads left behind", len(left))
	}
	if got := checkOf(t, r, "BRK-LP-007"); got.Result != report.Fail {
		t.Errorf("a public ACL: %s %s", got.Result, got.Why)
	}
}

func TestNoTokenIsSentOverPlainHTTP(t *testing.T) {
	w := world(t)
	w.Config.AWS.Endpoints.S3 = "http://192.0.2.1"
	r := runWith(t, w, report.RunOptions{})
	if got := checkOf(t, r, "BRK-HOST-002"); got.Code != "BRK-HOST-011" || got.Result != report.Fail {
		t.Errorf("got %s %s: %s", got.Result, got.Code, got.Why)
	}
	for _, id := range []string{"BRK-S3-001", "BRK-S3-002", "BRK-LP-003", "BRK-LP-008"} {
		if got := checkOf(t, r, id); got.Result != report.Skip {
			t.Errorf("%s was run: %s", id, got.Result)
		}
	}
}

func TestASessionOfAnotherRoleIsFatal(t *testing.T) {
	w := world(t)
	other := *w.Dest
	other.Role = strings.Replace(other.Role, testbed.RoleName, "Another", 1)
	r, err := verifier(t, w).Run(t.Context(), &other, report.RunOptions{}, nil)
	must(t, err)
	if got := checkOf(t, r, "BRK-ID-003"); got.Code != "BRK-ID-030" || got.Result != report.Fail || !strings.Contains(got.Why, "Another") ||
		!strings.Contains(got.Why, testbed.RoleName) {
		t.Errorf("got %s %s: %s", got.Result, got.Code, got.Why)
	}
	for _, id := range []string{"BRK-S3-002", "BRK-KMS-003", "BRK-LP-003"} {
		if got := checkOf(t, r, id); got.Result != report.Skip {
			t.Errorf("%s was run although the session is another's", id)
		}
	}
}
