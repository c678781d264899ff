package uploader

import (
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// expecting makes "Expect: 100-continue" work. The SDK asks for it with bodies
// above 2 MiB, but its requests carry no protocol version, and net/http then
// sends the body at once: S3 refuses, closes, and the reset overtakes its
// answer, so that an access that was denied looks like a broken network.
type expecting struct{ *awshttp.BuildableClient }

// Do implements aws.HTTPClient.
func (c expecting) Do(req *http.Request) (*http.Response, error) {
	if req.ProtoMajor == 0 {
		req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, 1
	}
	return c.BuildableClient.Do(req)
}
