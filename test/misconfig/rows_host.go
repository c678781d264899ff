package misconfig

import (
	"context"
	"net"

	"github.com/brokerd/brokerd/internal/testbed"
)

// hostMistakes are those of the daemon's host: AWS is never asked.
func hostMistakes() []Mistake {
	return []Mistake{
		{Number: 1, Name: "there are no source credentials", Make: keysFile(""), Delivery: true},
		{Number: 12, Name: "S3 cannot be reached", Delivery: true, Make: func(_ context.Context, w *testbed.World) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			w.Config.AWS.Endpoints.S3 = "https://" + l.Addr().String()
			return l.Close()
		}},
		{Number: 13, Name: "the endpoint is plain http", Delivery: true,
			Make: change(func(w *testbed.World) { w.Config.AWS.Endpoints.S3 = "http://s3.example.com" })},
	}
}
