package uploader

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

const (
	defaultPartSize    = 8 << 20
	defaultConcurrency = 4
	defaultContentType = "application/octet-stream"
)

// lane is one destination with its client.
type lane struct {
	dest        *config.Destination
	client      *s3client.Client
	credentials *lingering
	pace        *rate.Limiter // nil: as fast as it goes
	tagging     string
	context     string // encryption context, as the header carries it
	// blind is set for a compatible store that does not know If-None-Match.
	blind atomic.Bool
}

// way is what decides how S3 is reached. Destinations with the same share
// their connections.
type way struct{ proxy, roots string }

type wayOut struct{ transport *s3client.Transport }

func (u *Uploader) newLane(c *config.Config, d *config.Destination) (*lane, error) {
	transport, err := u.transport(c, d)
	if err != nil {
		return nil, err
	}
	l := &lane{dest: d, credentials: &lingering{present: u.sessions.Credentials(d.Name)}, tagging: tagging(d.Tags)}
	if len(d.EncryptionContext) > 0 {
		text, err := json.Marshal(d.EncryptionContext)
		if err != nil {
			return nil, fmt.Errorf("encryption_context: %w", err)
		}
		l.context = base64.StdEncoding.EncodeToString(text)
	}
	if d.Rate > 0 {
		l.pace = rate.NewLimiter(rate.Limit(d.Rate), max(paceBurst, int(min(d.Rate/4, 8<<20))))
	}
	endpoint := d.Endpoints.S3
	if endpoint == "" {
		endpoint = c.AWS.Endpoints.S3
	}
	l.client, err = s3client.New(s3client.Options{
		Endpoint: endpoint, Region: d.Region, Bucket: d.Bucket, PathStyle: d.PathStyle, FIPS: d.FIPS, DualStack: d.DualStack,
		Owner: d.Owner, Credentials: l.credentials, Transport: transport, UserAgent: "brokerd/" + u.opts.Version,
	})
	return l, err
}

// transport is called with u.reloading held.
func (u *Uploader) transport(c *config.Config, d *config.Destination) (*s3client.Transport, error) {
	w := way{proxy: d.Proxy, roots: d.CABundle}
	if w.roots == "" {
		w.roots = c.AWS.CABundle
	}
	if out := u.ways[w]; out != nil {
		return out.transport, nil
	}
	roots, err := awsclient.Roots(w.roots)
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	switch w.proxy {
	case "":
	case "none":
		proxy = nil
	default:
		fixed, err := url.Parse(w.proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		proxy = http.ProxyURL(fixed)
	}
	out := &wayOut{s3client.NewTransport(s3client.TransportOptions{RootCAs: roots, Proxy: proxy})}
	u.ways[w] = out
	return out.transport, nil
}

func tagging(tags map[string]string) string {
	v := make(url.Values, len(tags))
	for k, t := range tags {
		v.Set(k, t)
	}
	return v.Encode()
}

// fix decides key, metadata and types of an object.
func (l *lane) fix(host string, obj *Object) error {
	key, err := l.dest.KeyTemplate.Render(config.KeyValues{
		Host: host, Time: obj.Received, Name: obj.Name, ID: obj.ID, UID: obj.UID, GID: obj.GID, Unit: obj.Unit, Pod: obj.Pod, Meta: obj.Metadata,
	})
	if err != nil {
		return fmt.Errorf("destination %q: %w", l.dest.Name, err)
	}
	obj.Key = key
	m := maps.Clone(obj.Metadata)
	if m == nil {
		m = make(map[string]string, 1+len(l.dest.Metadata))
	}
	maps.Copy(m, l.dest.Metadata)
	m["brokerd-id"] = obj.ID
	obj.Metadata = m
	if obj.ContentType == "" {
		obj.ContentType = l.dest.ContentType
	}
	if obj.ContentType == "" {
		obj.ContentType = defaultContentType
	}
	if l.dest.Compression != "" {
		if obj.ContentEncoding != "" {
			return &EncodedError{Destination: l.dest.Name, Encoding: obj.ContentEncoding, Compression: l.dest.Compression}
		}
		obj.ContentEncoding = l.dest.Compression
	} else if obj.ContentEncoding == "" {
		obj.ContentEncoding = l.dest.ContentEncoding
	}
	return nil
}

// object is what S3 is told of obj. Encryption is always spelt out: a policy sees
// the headers of the request, not the bucket's default, and aws:kms without a key
// means a key that cannot be shared.
func (l *lane) object(obj Object) s3client.Object {
	o := s3client.Object{
		Key: obj.Key, ContentType: obj.ContentType, ContentEncoding: obj.ContentEncoding, StorageClass: l.dest.StorageClass,
		ACL: l.dest.ACL, Tagging: l.tagging, Metadata: obj.Metadata, IfNoneMatch: l.condition(),
	}
	if l.dest.KMSKey != "" {
		o.Encryption, o.KMSKey, o.EncryptionContext = "aws:kms", l.dest.KMSKey, l.context
		// False is said as well: without the header the bucket's default decides.
		bucketKey := l.dest.BucketKey == nil || *l.dest.BucketKey
		o.BucketKey = &bucketKey
	}
	return o
}

// condition makes a write fail on a key that is taken: by an earlier try of the
// same upload, since nobody else makes keys with its id.
func (l *lane) condition() string {
	if l.dest.FixedKey || l.blind.Load() {
		return ""
	}
	return "*"
}

func (l *lane) partSize() int64 {
	if s := int64(l.dest.PartSize); s > 0 {
		return s
	}
	return defaultPartSize
}

func (l *lane) concurrency() int {
	if c := l.dest.Concurrency; c > 0 {
		return c
	}
	return defaultConcurrency
}
