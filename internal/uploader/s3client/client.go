package s3client

import (
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Options configure a Client: its bucket and the way to it.
type Options struct {
	// Endpoint is scheme://host[:port][/base]; empty means AWS's endpoint of the Region.
	Endpoint string
	// Region is part of the signature, and selects AWS's endpoint.
	Region string
	// Bucket is the bucket's name.
	Bucket string
	// PathStyle puts the bucket into the path. Without it the bucket is in the host
	// name wherever DNS and a wildcard certificate allow that.
	PathStyle bool
	// FIPS and DualStack select variants of AWS's endpoint.
	FIPS, DualStack bool
	// Owner is the account that must own the bucket; empty: not checked.
	Owner string
	// Credentials are retrieved at each call, so the provider should cache them.
	Credentials aws.CredentialsProvider
	// Transport sends the requests. Clients may share it.
	Transport *Transport
	// UserAgent is the value of the header; empty: no header.
	UserAgent string
}

// Client makes the S3 calls of deliveries to one bucket. Its methods may be called
// from several goroutines.
type Client struct {
	opts               Options
	endpoint           endpoint
	route              route
	target             string // scheme and host of the request line, for a proxy that forwards
	proxyAuthorization string
	sign               signer
	memory             sync.Pool // of *scratch
}

// New makes a Client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Credentials == nil || o.Transport == nil {
		return nil, errors.New("s3client: Credentials and Transport are required")
	}
	at, err := resolve(o)
	if err != nil {
		return nil, err
	}
	via, err := o.Transport.routeTo(at)
	if err != nil {
		return nil, err
	}
	c := &Client{
		opts: o, endpoint: at, route: via, sign: signer{region: o.Region},
		memory: sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 4096), head: make([]byte, 0, 4096)} }},
	}
	if authorization, forwarded := via.forwarded(); forwarded {
		c.target, c.proxyAuthorization = at.scheme+"://"+at.host, authorization
	}
	return c, nil
}
