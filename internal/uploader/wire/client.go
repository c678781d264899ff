package wire

import (
	"errors"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Options say which bucket a Client speaks to, and how.
type Options struct {
	// Endpoint is scheme://host[:port][/base]; empty means AWS's for the Region.
	Endpoint string
	// Region is signed for, and decides AWS's endpoint.
	Region string
	// Bucket is a bucket's name.
	Bucket string
	// PathStyle puts the bucket into the path. Without it the bucket is in the
	// host name wherever a certificate for one label and DNS allow that.
	PathStyle bool
	// FIPS and DualStack choose variants of AWS's endpoint.
	FIPS, DualStack bool
	// Owner is the account that must own the bucket; empty means not said.
	Owner string
	// Credentials are asked at each call; they should be cached.
	Credentials aws.CredentialsProvider
	// Transport sends the requests; see NewTransport. Many clients may share it.
	Transport http.RoundTripper
	// UserAgent is the header's value; empty means net/http's.
	UserAgent string
}

// Client makes the calls of deliveries to one bucket. Its methods may be called
// from several goroutines.
type Client struct {
	opts   Options
	place  place
	sign   signer
	memory sync.Pool // of *scratch
}

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Credentials == nil || o.Transport == nil {
		return nil, errors.New("wire: Credentials and Transport are required")
	}
	where, err := locate(o)
	if err != nil {
		return nil, err
	}
	return &Client{
		opts: o, place: where, sign: signer{region: o.Region},
		memory: sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 4096)} }},
	}, nil
}
