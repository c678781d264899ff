package cli

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// issueWithin limits how long a command waits for the daemon's rate limit to admit it.
const issueWithin = 45 * time.Second

// issue asks the daemon for the credentials of a destination. Many commands at a time
// exceed the daemon's rate limit: a refused one waits as long as the daemon says, plus a
// random time that grows, and asks again.
func issue(ctx context.Context, c *client.Client, destination string) (*brokerdv1.GetCredentialsResponse, error) {
	began := time.Now()
	for spread := 50 * time.Millisecond; ; spread = min(2*spread, 2*time.Second) {
		r, err := c.Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: destination})
		if err == nil {
			return r, nil
		}
		err = c.FromError(err)
		var refused *client.Error
		if !errors.As(err, &refused) || reason.Reason(refused.Reason) != reason.TooManyRequests {
			return nil, err
		}
		wait := refused.RetryAfter + rand.N(spread)
		if time.Since(began)+wait > issueWithin {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}
