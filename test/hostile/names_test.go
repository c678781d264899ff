//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// nameAttacks look for the names of destinations, and for uploads, of other users.
func nameAttacks() []Attack {
	attack := func(name string, as Actor, try func(context.Context, *Target) Outcome) Attack {
		return Attack{Area: "names", Name: as.Name + " " + name, As: as, Try: try}
	}
	var out []Attack
	for _, as := range []Actor{bob, mallory} {
		out = append(out,
			attack("Health.List", as, func(ctx context.Context, t *Target) Outcome {
				list, err := t.dial().Health().List(ctx, &healthpb.HealthListRequest{})
				if err != nil {
					return held("%s", short(err))
				}
				return namesNone(list.String())
			}),
			attack("Health.Check of a hidden destination", as, func(ctx context.Context, t *Target) Outcome {
				return sameAnswer(func(service string) error {
					_, err := t.dial().Health().Check(ctx, &healthpb.HealthCheckRequest{Service: service})
					return err
				})
			}),
			attack("Health.Watch of a hidden destination", as, func(ctx context.Context, t *Target) Outcome {
				return sameAnswer(func(service string) error {
					w, err := t.dial().Health().Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
					if err != nil {
						return err
					}
					m, err := w.Recv()
					if err != nil {
						return err
					}
					return fmt.Errorf("%v", m.GetStatus())
				})
			}),
			attack("GetUpload that waits", as, func(ctx context.Context, t *Target) Outcome {
				begin := time.Now()
				_, err := t.dial().Broker().GetUpload(ctx, &brokerdv1.GetUploadRequest{UploadId: t.UploadID, Wait: durationpb.New(20 * time.Second)})
				if took := time.Since(begin); took > 10*time.Second {
					return gotIn("the answer took %v: the id exists", took)
				}
				return refused(err, codes.NotFound, codes.PermissionDenied)
			}),
		)
	}
	// mallory has no rule: not even an error tells whether a name exists.
	for _, c := range []struct {
		name string
		do   func(ctx context.Context, t *Target, destination string) error
	}{
		{"Upload", func(ctx context.Context, t *Target, destination string) error {
			_, err := t.dial().Upload(ctx, destination, "n", strings.NewReader("x"))
			return err
		}},
		{"GetCredentials", func(ctx context.Context, t *Target, destination string) error {
			_, err := t.dial().Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: destination})
			return err
		}},
		{"VerifyAccess", func(ctx context.Context, t *Target, destination string) error {
			s, err := t.dial().Broker().VerifyAccess(ctx, &brokerdv1.VerifyAccessRequest{Destination: destination})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
	} {
		out = append(out, attack("the error of "+c.name, mallory, func(ctx context.Context, t *Target) Outcome {
			return sameAnswer(func(service string) error { return c.do(ctx, t, service) })
		}))
	}
	out = append(out, attack("ListDestinations", mallory, func(ctx context.Context, t *Target) Outcome {
		_, err := t.dial().Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
		return refused(err)
	}), attack("the error of a name that bob may not use", bob, func(ctx context.Context, t *Target) Outcome {
		_, err := t.dial().Upload(ctx, "no-such-name", "n", strings.NewReader("x"))
		if err == nil {
			return gotIn("the upload was taken")
		}
		return namesNone(err.Error())
	}))
	return out
}

// namesNone is got in when the text names a destination that is not bob's.
func namesNone(text string) Outcome {
	for _, name := range []string{"hidden-treasure", "audit-logs"} {
		if strings.Contains(text, name) {
			return gotIn("it names %s: %s", name, text)
		}
	}
	return held("no destination of others is named")
}

// sameAnswer compares the answer about a hidden destination with that about one that does
// not exist.
func sameAnswer(ask func(service string) error) Outcome {
	const hidden, absent = "hidden-treasure", "absent-treasure"
	about := func(service string) string {
		err := ask(service)
		if err == nil {
			return "an answer without an error"
		}
		return strings.ReplaceAll(err.Error(), service, "NAME")
	}
	if a, b := about(hidden), about(absent); a != b {
		return gotIn("the answers differ: %s; %s", a, b)
	}
	return held("both answers are equal: %s", about(hidden))
}
