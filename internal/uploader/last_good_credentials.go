package uploader

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/brokerd/brokerd/internal/broker"
)

// lastGoodCredentials serves a destination's last session after a reload has removed
// the destination. A delivery in flight ends with it, as long as AWS accepts it; no
// new delivery starts.
type lastGoodCredentials struct {
	present aws.CredentialsProvider
	last    atomic.Pointer[aws.Credentials]
}

// Retrieve implements aws.CredentialsProvider.
func (l *lastGoodCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
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
