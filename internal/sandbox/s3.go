package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// s3Options configure S3.
type s3Options struct {
	BodyDir       string // for object bodies
	SkipChecksums bool   // digests and checksums of object data are neither verified nor computed
}

// s3Service is S3 of all accounts. mu guards everything but the blobs and is never
// held while bytes move or a network is waited for.
type s3Service struct {
	k             *kernel
	iam           *iamService
	kms           *kmsService
	skipChecksums bool
	blobs         *blobStore

	mu      sync.RWMutex
	buckets map[string]*bucket
	blocks  map[string]*iampolicy.PublicAccessBlock // by account
	order   uint64                                  // of the newest object version
}

func newS3(k *kernel, iam *iamService, kms *kmsService, o s3Options) *s3Service {
	s := &s3Service{
		k: k, iam: iam, kms: kms, skipChecksums: o.SkipChecksums, blobs: &blobStore{dir: o.BodyDir},
		buckets: map[string]*bucket{}, blocks: map[string]*iampolicy.PublicAccessBlock{},
	}
	if k.store != nil {
		s.blobs.kept, s.blobs.restored = k.store, map[string]*blob{}
	}
	return s
}

type bucket struct {
	s                     *s3Service
	name, region, account string
	created               time.Time
	policy                *storedPolicy
	encryption            bucketEncryption
	ownership             string // empty after DeleteBucketOwnershipControls
	block                 *iampolicy.PublicAccessBlock
	versioning            string
	lock                  *bucketLock
	conf                  bucketConfig
	versions              map[string][]*object // by key, oldest first
	uploads               map[string]*multipart
}

func (b *bucket) arn() string { return "arn:aws:s3:::" + b.name }

// s3Call is a call on its way through S3.
type s3Call struct {
	*call
	s           *s3Service
	bucketName  string
	key         string
	action      string // IAM action, "s3:PutObject"
	query       url.Values
	payloadHash string
}

func (c *s3Call) resource() string {
	if c.key == "" {
		return "arn:aws:s3:::" + c.bucketName
	}
	return "arn:aws:s3:::" + c.bucketName + "/" + c.key
}

// serve answers a call to S3.
func (s *s3Service) serve(cl *call) error {
	c := &s3Call{call: cl, s: s, query: cl.r.URL.Query()}
	c.bucketName, c.key = bucketAndKey(cl.r)
	if cl.r.Method == http.MethodOptions && c.bucketName != "" {
		return c.preflight()
	}
	route, err := c.route()
	if cl.r.URL.Path == accountBlockPath {
		c.bucketName, c.key = "", ""
		var ok bool
		if route, ok = accountRoutes[cl.r.Method]; !ok {
			return methodNotAllowed().with("Method", cl.r.Method).with("ResourceType", "ACCOUNT")
		}
		err = nil
	}
	if err != nil {
		return err
	}
	cl.record.Operation = route.name
	c.action = route.action
	if c.action == "" {
		c.action = "s3:" + route.name
	}
	if versioned, ok := versionActions[c.action]; ok && c.query.Get("versionId") != "" {
		c.action = versioned
	}
	if c.bucketName != "" {
		cl.record.Resource = c.resource()
	}
	if len(c.key) > maxKeyLength {
		return fail(http.StatusBadRequest, "KeyTooLongError", "Your key is too long").with("Size", strconv.Itoa(len(c.key))).with("MaxSizeAllowed", strconv.Itoa(maxKeyLength))
	}
	if err := cl.applyFault("s3"); err != nil {
		return err
	}
	if err := c.authenticateS3(); err != nil {
		return err
	}
	return route.handle(c)
}

// withBucket runs fn with mu held, on the bucket of the call. Before that it finds the
// bucket, sends callers of the wrong Region away, and decides the call's action.
func (c *s3Call) withBucket(fn func(b *bucket) error) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	b, err := c.locate()
	if err != nil {
		return err
	}
	c.tellCORS(b)
	if err := c.checkPayer(b); err != nil {
		return err
	}
	if c.action != noAction {
		if err := c.allow(b, c.action, c.resource()); err != nil {
			return err
		}
	}
	return fn(b)
}

// locked is the handler of an operation that runs with mu held from beginning to end.
func locked(run func(*s3Call, *bucket) error) func(*s3Call) error {
	return func(c *s3Call) error {
		return c.withBucket(func(b *bucket) error { return run(c, b) })
	}
}

// virtualHosts are the host name endings before which a bucket name may stand.
var virtualHosts = regexp.MustCompile(`^(.+)\.s3(?:[.-][a-z0-9-]+)?\.(?:localhost|amazonaws\.com)$`)

func bucketAndKey(r *http.Request) (bucketName, key string) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if m := virtualHosts.FindStringSubmatch(strings.ToLower(host)); m != nil {
		return m[1], path
	}
	bucketName, key, _ = strings.Cut(path, "/")
	return bucketName, key
}

// plainParameters do not choose an operation.
var plainParameters = map[string]bool{
	"x-id": true, "awsaccesskeyid": true, "signature": true, "expires": true, "prefix": true, "delimiter": true, "max-keys": true, "continuation-token": true, "start-after": true,
	"encoding-type": true, "fetch-owner": true, "marker": true, "key-marker": true, "upload-id-marker": true, "max-uploads": true,
	"part-number-marker": true, "max-parts": true, "version-id-marker": true, "max-buckets": true, "bucket-region": true, "versionid": true,
	"response-content-type": true, "response-content-language": true, "response-expires": true, "response-cache-control": true,
	"response-content-disposition": true, "response-content-encoding": true,
}

// selector is what chooses the operation: the subresource names in the query, sorted.
func (c *s3Call) selector() string {
	var names []string
	for name := range c.query {
		lower := strings.ToLower(name)
		if !plainParameters[lower] && !strings.HasPrefix(lower, "x-amz-") {
			names = append(names, name)
		}
	}
	if len(names) == 2 && names[0] > names[1] {
		names[0], names[1] = names[1], names[0]
	}
	return strings.Join(names, "&")
}

func (c *s3Call) authenticateS3() error {
	c.payloadHash = c.r.Header.Get("X-Amz-Content-Sha256")
	if header := c.r.Header.Get("Authorization"); isV2(header) || strings.HasPrefix(header, "AWS4-ECDSA-") {
		return unsupportedSignature(&s3AuthErrors)
	}
	if c.r.Header.Get("Authorization") != "" && c.payloadHash == "" {
		return fail(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	if !validPayloadHash(c.payloadHash) {
		return invalidArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.").
			with("ArgumentName", "x-amz-content-sha256").with("ArgumentValue", c.payloadHash)
	}
	if err := c.authenticate(c.s.iam, "s3", c.payloadHash); err != nil {
		return err
	}
	if c.r.ContentLength == 0 && len(c.payloadHash) == len(emptySHA256) && c.payloadHash != emptySHA256 && !c.sig.isPresigned() {
		return payloadMismatch(c.payloadHash, emptySHA256)
	}
	return nil
}

// validPayloadHash reports whether a value of x-amz-content-sha256 is one of those that are modelled.
func validPayloadHash(v string) bool {
	switch v {
	case "", payloadUnsigned, payloadUnsignedTrailer, payloadSigned, payloadSignedTrailer:
		return true
	}
	sum, err := hex.DecodeString(v)
	return err == nil && len(sum) == sha256.Size
}

func noSuchBucket(name string) *apiError {
	return fail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
}

func accessDenied() *apiError {
	e := fail(http.StatusForbidden, "AccessDenied", "Access Denied")
	e.denied = true
	return e
}

// locate finds the bucket, sends callers of the wrong Region away, and checks
// the owner that the caller expects. The caller holds mu.
func (c *s3Call) locate() (*bucket, error) {
	b := c.s.buckets[c.bucketName]
	if b == nil {
		return nil, noSuchBucket(c.bucketName)
	}
	c.w.Header().Set("x-amz-bucket-region", b.region)
	if c.sig.isPresigned() && c.sig.region != b.region {
		return nil, fail(http.StatusBadRequest, "AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter; the region '%s' is wrong; expecting '%s'", c.sig.region, b.region).with("Region", b.region)
	}
	if c.sig != nil && c.sig.region != b.region {
		if c.sig.region == "us-east-1" {
			// Clients of the global endpoint sign for us-east-1.
			return nil, fail(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region '%s' is wrong; expecting '%s'", c.sig.region, b.region).
				with("Region", b.region)
		}
		return nil, fail(http.StatusMovedPermanently, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.").
			with("Endpoint", b.name+".s3."+b.region+".amazonaws.com").with("Bucket", b.name)
	}
	if want := c.r.Header.Get("X-Amz-Expected-Bucket-Owner"); want != "" {
		if !accountPattern.MatchString(want) {
			return nil, fail(http.StatusBadRequest, "InvalidBucketOwnerAWSAccountID", "The value of the expected bucket owner parameter must be an AWS Account ID... [%s]", want)
		}
		if want != b.account {
			return nil, accessDenied()
		}
	}
	return b, nil
}

// writeXML answers with a document.
func (c *s3Call) writeXML(v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering the answer: %w", err)
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.reply(http.StatusOK)
	_, err = c.w.Write(append([]byte(xml.Header), body...))
	return err
}

func (c *s3Call) done(status int) error {
	c.reply(status)
	return nil
}
