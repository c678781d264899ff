package console

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/client"
)

// Each passes the messages of a stream of the daemon to fn, one at a time: a long list may
// not fit in memory. End the stream's context afterwards, since an error of fn leaves it open.
func Each[M any](c *client.Client, stream grpc.ServerStreamingClient[M], fn func(*M) error) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.FromError(err)
		}
		if err := fn(m); err != nil {
			return err
		}
	}
}
