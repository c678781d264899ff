package rpc

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/internal/config"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestTooManyPoliciesAreRefusedBeforeAnythingIsAsked(t *testing.T) {
	d := serverFor(t)
	d.verifier.results = []brokerdv1.CheckResult{brokerdv1.CheckResult_CHECK_RESULT_PASS}
	half := &brokerdv1.PolicyDocument{Kind: "identity", Text: strings.Repeat(" ", maxPolicies/2+1)}
	for n, want := range map[int]codes.Code{1: codes.OK, 2: codes.InvalidArgument} {
		req := &brokerdv1.VerifyAccessRequest{Destination: "logs"}
		for range n {
			req.Policies = append(req.Policies, half)
		}
		stream, err := d.Broker().VerifyAccess(t.Context(), req)
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != want {
			t.Errorf("%d halves: %v, want %s", n, err, want)
		}
	}
}

// A canary is an object: who may only look may not write one.
func TestACanaryNeedsTheRightToUpload(t *testing.T) {
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Access[0].Allow = []config.Permission{config.PermVerify} })
	d.verifier.results = []brokerdv1.CheckResult{brokerdv1.CheckResult_CHECK_RESULT_PASS}
	for canary, want := range map[bool]codes.Code{false: codes.OK, true: codes.PermissionDenied} {
		stream, err := d.Broker().VerifyAccess(t.Context(), &brokerdv1.VerifyAccessRequest{Destination: "logs", Canary: canary})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != want {
			t.Errorf("canary %v: %v, want %s", canary, err, want)
		}
	}
}
