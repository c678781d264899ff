//go:build linux

package hostile

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// call is a call of the API that its caller has no right to.
type call struct {
	name string
	do   func(ctx context.Context, t *Target) error
}

// adminCalls are all calls of AdminService.
func adminCalls() []call {
	return []call{
		{"ListDestinations", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
			return err
		}},
		{"ListSessions", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().ListSessions(ctx, &brokerdv1.ListSessionsRequest{})
			return err
		}},
		{"RefreshSession", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().RefreshSession(ctx, &brokerdv1.RefreshSessionRequest{Destination: "audit-logs"})
			return err
		}},
		{"Reload", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().Reload(ctx, &brokerdv1.ReloadRequest{})
			return err
		}},
		{"ListSpool", func(ctx context.Context, t *Target) error {
			s, err := t.dial().Admin().ListSpool(ctx, &brokerdv1.ListSpoolRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"RetrySpool", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().RetrySpool(ctx, &brokerdv1.RetrySpoolRequest{})
			return err
		}},
		{"ExportSpool", func(ctx context.Context, t *Target) error {
			s, err := t.dial().Admin().ExportSpool(ctx, &brokerdv1.ExportSpoolRequest{UploadId: t.UploadID})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"DropSpool", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().DropSpool(ctx, &brokerdv1.DropSpoolRequest{UploadIds: []string{t.UploadID}})
			return err
		}},
		{"Drain", func(ctx context.Context, t *Target) error {
			s, err := t.dial().Admin().Drain(ctx, &brokerdv1.DrainRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"GetStatus", func(ctx context.Context, t *Target) error {
			_, err := t.dial().Admin().GetStatus(ctx, &brokerdv1.GetStatusRequest{})
			return err
		}},
	}
}

// dataCalls are calls about a destination.
func dataCalls(destination string) []call {
	return []call{
		{"Upload to " + destination, func(ctx context.Context, t *Target) error {
			_, err := t.dial().Upload(ctx, destination, "planted.log", strings.NewReader("planted"))
			return err
		}},
		{"VerifyAccess of " + destination, func(ctx context.Context, t *Target) error {
			s, err := t.dial().Broker().VerifyAccess(ctx, &brokerdv1.VerifyAccessRequest{Destination: destination})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"GetCredentials of " + destination, func(ctx context.Context, t *Target) error {
			_, err := t.dial().Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: destination})
			return err
		}},
	}
}

func apiAttacks() []Attack {
	var out []Attack
	add := func(as Actor, calls []call, want ...codes.Code) {
		for _, c := range calls {
			out = append(out, Attack{Area: "api", Name: as.Name + " " + c.name, As: as, Try: func(ctx context.Context, t *Target) Outcome {
				return refused(c.do(ctx, t), want...)
			}})
		}
	}
	lookup := []call{{"GetUpload of alice's upload", func(ctx context.Context, t *Target) error {
		_, err := t.dial().Broker().GetUpload(ctx, &brokerdv1.GetUploadRequest{UploadId: t.UploadID})
		return err
	}}}
	add(mallory, adminCalls())
	add(mallory, dataCalls("audit-logs"))
	add(mallory, lookup, codes.NotFound, codes.PermissionDenied)
	others := slices.DeleteFunc(adminCalls(), func(c call) bool { return c.name == "ListDestinations" || c.name == "GetStatus" })
	add(bob, others)
	out = append(out, ownOnly()...)
	add(bob, dataCalls("audit-logs"))
	add(bob, lookup, codes.NotFound, codes.PermissionDenied)
	add(eve, dataCalls("audit-logs"), codes.PermissionDenied, codes.Unavailable)
	add(eve, adminCalls()[9:], codes.PermissionDenied, codes.Unavailable)
	return out
}

// ownOnly are the two calls that answer everybody with a rule, about his destinations.
func ownOnly() []Attack {
	judge := func(answer proto.Message, err error) Outcome {
		text := prototext.Format(answer)
		switch {
		case err != nil:
			return gotIn("a user with a rule is refused: %s", short(err))
		case strings.Contains(text, "audit-logs"), strings.Contains(text, "hidden-treasure"):
			return gotIn("the answer names a destination of others: %s", text)
		}
		return held("the answer names bob's destination only")
	}
	return []Attack{
		{Area: "api", Name: "bob ListDestinations of others", As: bob, Try: func(ctx context.Context, t *Target) Outcome {
			r, err := t.dial().Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
			return judge(r, err)
		}},
		{Area: "api", Name: "bob GetStatus of others", As: bob, Try: func(ctx context.Context, t *Target) Outcome {
			r, err := t.dial().Admin().GetStatus(ctx, &brokerdv1.GetStatusRequest{})
			return judge(r, err)
		}},
	}
}
