package s3client

import (
	"errors"
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
	// Transport sends the requests. Many clients may share it.
	Transport *Transport
	// UserAgent is the header's value; empty means none.
	UserAgent string
}

// Client makes the calls of deliveries to one bucket. Its methods may be called
// from several goroutines.
type Client struct {
	opts               Options
	place              place
	route              route
	target             string // scheme and host of the request line, for a proxy that forwards
	proxyAuthorization string
	sign               signer
	memory             sync.Pool // of *scratch
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
	way, err := o.Transport.routeTo(where)
	if err != nil {
		return nil, err
	}
	c := &Client{
		opts: o, place: where, route: way, sign: signer{region: o.Region},
		memory: sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 4096), head: make([]byte, 0, 4096)} }},
	}
	if authorization, yes := way.forwarded(); yes {
		c.target, c.proxyAuthorization = where.scheme+"://"+where.host, authorization
	}
	return c, nil
}
