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
	last := l.last.Load()
	if err == nil {
		if last == nil || last.AccessKeyID != c.AccessKeyID {
			kept := c
			l.last.Store(&kept)
		}
		return c, nil
	}
	if last != nil && errors.Is(err, broker.ErrUnknownDestination) {
		return *last, nil
	}
	return c, err
}
