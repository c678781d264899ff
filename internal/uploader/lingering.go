package uploader

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/brokerd/brokerd/internal/broker"
)

// lingering are a destination's credentials that outlive the destination: what
// is under way when a reload removes it ends with the session it had, as long as
// AWS takes that. Nothing new begins there.
type lingering struct {
	present aws.CredentialsProvider
	last    atomic.Pointer[aws.Credentials]
}

// Retrieve implements aws.CredentialsProvider.
func (l *lingering) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := l.present.Retrieve(ctx)
	if err == nil {
		l.last.Store(&c)
		return c, nil
	}
	if last := l.last.Load(); last != nil && errors.Is(err, broker.ErrUnknownDestination) {
		return *last, nil
	}
	return c, err
}
