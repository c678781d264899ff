package uploader

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
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

// destination is one configured destination with its S3 client.
type destination struct {
	cfg         *config.Destination
	client      *s3client.Client
	credentials *lastGoodCredentials
	pace        *rate.Limiter // nil: no limit
	tagging     string
	context     string // encryption context, as the header carries it
	// noConditionalWrites is set for a compatible store without If-None-Match.
	noConditionalWrites atomic.Bool
}

// transportKey holds the settings of a transport. Destinations with equal settings
// share their connections.
type transportKey struct{ proxy, roots string }

func (u *Uploader) newDestination(c *config.Config, d *config.Destination) (*destination, error) {
	transport, err := u.transport(c, d)
	if err != nil {
		return nil, err
	}
	to := &destination{cfg: d, credentials: &lastGoodCredentials{present: u.sessions.Credentials(d.Name)}, tagging: tagging(d.Tags)}
	if len(d.EncryptionContext) > 0 {
		text, err := json.Marshal(d.EncryptionContext)
		if err != nil {
			return nil, fmt.Errorf("encryption_context: %w", err)
		}
		to.context = base64.StdEncoding.EncodeToString(text)
	}
	if d.Rate > 0 {
		to.pace = rate.NewLimiter(rate.Limit(d.Rate), max(paceBurst, int(min(d.Rate/4, 8<<20))))
	}
	endpoint := d.Endpoints.S3
	if endpoint == "" {
		endpoint = c.AWS.Endpoints.S3
	}
	to.client, err = s3client.New(s3client.Options{
		Endpoint: endpoint, Region: d.Region, Bucket: d.Bucket, PathStyle: d.PathStyle, FIPS: d.FIPS, DualStack: d.DualStack,
		Owner: d.Owner, Credentials: to.credentials, Transport: transport, UserAgent: "brokerd/" + u.opts.Version,
	})
	return to, err
}

// transport returns the transport of a destination; u.reloading is held.
func (u *Uploader) transport(c *config.Config, d *config.Destination) (*s3client.Transport, error) {
	key := transportKey{proxy: d.Proxy, roots: d.CABundle}
	if key.roots == "" {
		key.roots = c.AWS.CABundle
	}
	if t := u.transports[key]; t != nil {
		return t, nil
	}
	roots, err := awsclient.Roots(key.roots)
	if err != nil {
		return nil, err
	}
	proxy := awsclient.Proxy
	switch key.proxy {
	case "":
	case "none":
		proxy = nil
	default:
		fixed, err := url.Parse(key.proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		proxy = http.ProxyURL(fixed)
	}
	t := s3client.NewTransport(s3client.TransportOptions{RootCAs: roots, Proxy: proxy})
	u.transports[key] = t
	return t, nil
}

func tagging(tags map[string]string) string {
	v := make(url.Values, len(tags))
	for k, t := range tags {
		v.Set(k, t)
	}
	return v.Encode()
}

// resolve sets key, metadata, content type and encoding of an object, as the
// destination configures them.
func (to *destination) resolve(host string, obj *Object) error {
	if err := to.resolveKey(host, obj); err != nil {
		return err
	}
	m := maps.Clone(obj.Metadata)
	if m == nil {
		m = make(map[string]string, 1+len(to.cfg.Metadata))
	}
	maps.Copy(m, to.cfg.Metadata)
	m["brokerd-id"] = obj.ID
	obj.Metadata = m
	if obj.ContentType == "" {
		obj.ContentType = to.cfg.ContentType
	}
	if obj.ContentType == "" {
		obj.ContentType = defaultContentType
	}
	if to.cfg.Compression != "" {
		if obj.ContentEncoding != "" {
			return &EncodedError{Destination: to.cfg.Name, Encoding: obj.ContentEncoding, Compression: to.cfg.Compression}
		}
		obj.ContentEncoding = to.cfg.Compression
	} else if obj.ContentEncoding == "" {
		obj.ContentEncoding = to.cfg.ContentEncoding
	}
	return nil
}

// owns reports whether the destination may write an object under key: it is below the
// static part of the template, which the policies allow, and no segment leads out of it.
func (to *destination) owns(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return key != "" && strings.HasPrefix(key, to.cfg.KeyTemplate.Prefix())
}

// foreignKeyError is returned for a kept object whose key is not the destination's.
type foreignKeyError struct{ key, prefix string }

// Error implements error.
func (e *foreignKeyError) Error() string {
	return fmt.Sprintf("the key %q of the kept object is not below the destination's prefix %q, so that it is not sent: "+
		"its file in the spool was changed, or the destination's key was. Set the key back, then run brokerctl spool retry", e.key, e.prefix)
}

// resolveKey renders the object's key from the destination's template.
func (to *destination) resolveKey(host string, obj *Object) error {
	key, err := to.cfg.KeyTemplate.Render(config.KeyValues{
		Host: host, Time: obj.Received, Name: obj.Name, ID: obj.ID, UID: obj.UID, GID: obj.GID, Unit: obj.Unit, Pod: obj.Pod, Meta: obj.Metadata,
	})
	if err != nil {
		return fmt.Errorf("destination %q: %w", to.cfg.Name, err)
	}
	obj.Key = key
	return nil
}

// object returns the headers of obj for S3. They always name the encryption: a policy
// sees the headers of the request, not the bucket's default. And aws:kms without a key
// would select AWS's own key, which cannot be shared across accounts.
func (to *destination) object(obj Object) s3client.Object {
	o := s3client.Object{
		Key: obj.Key, ContentType: obj.ContentType, ContentEncoding: obj.ContentEncoding, StorageClass: to.cfg.StorageClass,
		ACL: to.cfg.ACL, Tagging: to.tagging, Metadata: obj.Metadata, IfNoneMatch: to.condition(),
	}
	if to.cfg.KMSKey != "" {
		o.Encryption, o.KMSKey, o.EncryptionContext = "aws:kms", to.cfg.KMSKey, to.context
		// Send false too: without the header the bucket's default decides.
		bucketKey := to.cfg.BucketKey == nil || *to.cfg.BucketKey
		o.BucketKey = &bucketKey
	}
	return o
}

// condition returns If-None-Match, which makes a write to an existing key fail. Only
// the same upload writes keys with its id, so such a key is from an earlier try.
func (to *destination) condition() string {
	if to.cfg.FixedKey || to.noConditionalWrites.Load() {
		return ""
	}
	return "*"
}

func (to *destination) partSize() int64 {
	if s := int64(to.cfg.PartSize); s > 0 {
		return s
	}
	return defaultPartSize
}

func (to *destination) concurrency() int {
	if c := to.cfg.Concurrency; c > 0 {
		return c
	}
	return defaultConcurrency
}
