package verify_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func TestABucketOfAnotherAccountIsASecurityAlert(t *testing.T) {
	w := world(t)
	// Everything would be accepted, were it not for the owner that is expected.
	w.Dest.Owner = "999988887777"
	w.Dest.KMSKey = w.KeyARN
	w.Dest.Compatible = true // past the configuration check, which would stop this earlier
	got := firstProblem(t, run(t, w))
	if got.Code != "BRK-S3-012" || got.Result != report.Fail || !strings.Contains(got.Why, "SECURITY") {
		t.Errorf("got %s %s: %s", got.Result, got.Code, got.Why)
	}
}

func TestAnUnreachableEndpointIsTheNetworkNotIAM(t *testing.T) {
	w := world(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"s3", "sts"} {
		t.Run(service, func(t *testing.T) {
			w.Config.AWS.Endpoints.S3, w.Config.AWS.Endpoints.STS = w.Sandbox.Endpoint(), w.Sandbox.Endpoint()
			if service == "s3" {
				w.Config.AWS.Endpoints.S3 = "https://" + address
			} else {
				w.Config.AWS.Endpoints.STS = "https://" + address
			}
			got := firstProblem(t, run(t, w))
			if got.Code != "BRK-NET-001" || got.Artefact.Kind != report.ArtefactNetwork || !strings.Contains(got.Why, address) ||
				!strings.Contains(got.Why, "not IAM") {
				t.Errorf("got %s: %s", got.Code, got.Why)
			}
		})
	}
}

func TestTwoFaultsShowOneAfterTheOther(t *testing.T) {
	w := world(t)
	key, err := testbed.RemoveAllow(string(w.Docs.Key), testbed.RoleName)
	must(t, w.PutKeyPolicy(t.Context(), edited(t, key, err)))
	identity, err := testbed.RemoveAllow(string(w.Docs.Identity), "kms:")
	must(t, w.PutIdentity(t.Context(), edited(t, identity, err)))

	first := firstProblem(t, run(t, w))
	if first.Code != "BRK-KMS-010" {
		t.Fatalf("got %s first, want the key policy", first.Code)
	}
	key, err = testbed.AddStatement(key, string(first.Fix.Patch))
	must(t, w.PutKeyPolicy(t.Context(), edited(t, key, err)))
	second := firstProblem(t, run(t, w))
	if second.Code != "BRK-KMS-011" || second.Account.ID != w.Sandbox.AccountA() {
		t.Fatalf("got %s in %s second, want the identity policy in A", second.Code, second.Account.ID)
	}
}

func TestAnExplicitDenyHasNoStatementThatRepairsIt(t *testing.T) {
	w := world(t)
	doc, err := testbed.AddStatement(string(w.Docs.Identity), `{"Sid":"NoKeys","Effect":"Deny","Action":"kms:*","Resource":"*"}`)
	must(t, w.PutIdentity(t.Context(), edited(t, doc, err)))
	got := firstProblem(t, run(t, w))
	if got.Code != "BRK-KMS-014" || got.Account.ID != w.Sandbox.AccountA() || got.Artefact.Kind != report.ArtefactIdentity ||
		string(got.Fix.Patch) != "" {
		t.Errorf("got %s, account %s, %s, statement %q", got.Code, got.Account.ID, got.Artefact.Kind, string(got.Fix.Patch))
	}
}

// A bare refusal never comes from KMS: encryption headers that lift it show a policy
// on them, in either account.
func TestABareRefusalThatEncryptionHeadersLiftIsAPolicyAndNotKMS(t *testing.T) {
	w := world(t)
	must(t, w.PutBucketPolicy(t.Context(), bucketPolicyWithoutDenies(t, w)))
	w.Sandbox.SetFaults([]sandbox.Fault{
		{Operation: "s3:CreateMultipartUpload", Code: "AccessDenied", Message: "Access Denied", Status: 403, Times: 2},
	})
	got := firstProblem(t, run(t, w))
	if got.Code != "BRK-S3-041" && got.Code != "BRK-S3-042" || got.Artefact.Kind != report.ArtefactIdentityBucket || got.Fix.Command != "" {
		t.Errorf("got %s %q: %s", got.Code, got.Artefact.Kind, got.Why)
	}
}

func TestThrottlingIsUnknownNotFailed(t *testing.T) {
	w := world(t)
	w.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:CreateMultipartUpload", Code: "SlowDown", Status: 503}})
	r := run(t, w)
	if r.Result() != report.Unknown {
		t.Errorf("result %s, want unknown", r.Result())
	}
}

func TestACompatibleStoreWithoutKeyIsUnknownNotPassed(t *testing.T) {
	w := world(t)
	w.Dest.Compatible, w.Dest.KMSKey = true, ""
	must(t, w.PutBucketPolicy(t.Context(), bucketPolicyWithoutDenies(t, w)))
	r := run(t, w)
	if r.Result() != report.Unknown {
		t.Errorf("result %s, want unknown: %+v", r.Result(), r.Checks)
	}
	if got := checkOf(t, r, "BRK-KMS-001"); got.Code != "BRK-KMS-031" || got.Result != report.Unknown {
		t.Errorf("encryption check: %s %s", got.Result, got.Code)
	}
}

func bucketPolicyWithoutDenies(t *testing.T, w *testbed.World) string {
	t.Helper()
	doc, err := withoutDenies(w.Docs.Bucket)
	return edited(t, doc, err)
}

func TestTheProbeIsAbortedWhenTheCallerGoes(t *testing.T) {
	for _, after := range []string{"BRK-S3-002", "BRK-KMS-002"} {
		t.Run("after "+after, func(t *testing.T) {
			w := world(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := verifier(t, w).Run(ctx, w.Dest, report.RunOptions{}, func(c report.Check) error {
				if c.Code == after {
					if n := len(w.Sandbox.MultipartUploads(testbed.Bucket)); n != 1 {
						t.Errorf("%d uploads open while the probe runs, want 1", n)
					}
					cancel()
				}
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want a cancellation", err)
			}
			if left := w.Sandbox.MultipartUploads(testbed.Bucket); len(left) > 0 {
				t.Errorf("%d multipart uploads left behind", len(left))
			}
		})
	}
}

func TestAnEmitThatFailsEndsTheRunAndCleansUp(t *testing.T) {
	w := world(t)
	gone := errors.New("the reader is gone")
	_, err := verifier(t, w).Verify(t.Context(), testbed.Destination, report.RunOptions{}, func(c report.Check) error {
		if c.Code == "BRK-S3-002" {
			return gone
		}
		return nil
	})
	if !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
	if left := w.Sandbox.MultipartUploads(testbed.Bucket); len(left) > 0 {
		t.Errorf("%d multipart uploads left behind", len(left))
	}
}

func TestAnUnknownDestinationIsAnError(t *testing.T) {
	_, err := verifier(t, world(t)).Verify(t.Context(), "nowhere", report.RunOptions{}, nil)
	if !errors.Is(err, verify.ErrUnknownDestination) {
		t.Errorf("error %v", err)
	}
}
