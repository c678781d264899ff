package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/kms"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// Options configure S3.
type Options struct {
	BodyDir       string // for object bodies
	SkipChecksums bool   // digests and checksums of object data are neither verified nor computed
}

// Service is S3 of all accounts. mu guards everything but the blobs. It is never held while
// bytes are transferred.
type Service struct {
	k             *kernel.Kernel
	iam           *iam.Service
	kms           *kms.Service
	skipChecksums bool
	blobs         *blobStore

	mu      sync.RWMutex
	buckets map[string]*bucket
	blocks  map[string]*iampolicy.PublicAccessBlock // by account
	order   uint64                                  // of the newest object version
}

// New makes S3 without buckets.
func New(k *kernel.Kernel, iam *iam.Service, kms *kms.Service, o Options) *Service {
	s := &Service{
		k: k, iam: iam, kms: kms, skipChecksums: o.SkipChecksums, blobs: &blobStore{dir: o.BodyDir},
		buckets: map[string]*bucket{}, blocks: map[string]*iampolicy.PublicAccessBlock{},
	}
	if k.Store != nil {
		s.blobs.kept, s.blobs.restored = k.Store, map[string]*blob{}
	}
	return s
}

type bucket struct {
	s                     *Service
	name, region, account string
	created               time.Time
	policy                *iam.StoredPolicy
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

// call is a call on its way through S3.
type call struct {
	*kernel.Request
	s           *Service
	bucketName  string
	key         string
	action      string // IAM action, "s3:PutObject"
	query       url.Values
	payloadHash string
}

func (c *call) resource() string {
	if c.key == "" {
		return "arn:aws:s3:::" + c.bucketName
	}
	return "arn:aws:s3:::" + c.bucketName + "/" + c.key
}

// Serve answers a call to S3.
func (s *Service) Serve(cl *kernel.Request) error {
	c := &call{Request: cl, s: s, query: cl.HTTP.URL.Query()}
	c.bucketName, c.key = kernel.BucketAndKey(cl.HTTP)
	if cl.HTTP.Method == http.MethodOptions && c.bucketName != "" {
		return c.preflight()
	}
	if isControl(cl.HTTP) && cl.HTTP.URL.Path != accountBlockPath {
		return c.unmodelledControl()
	}
	route, err := c.route()
	if cl.HTTP.URL.Path == accountBlockPath {
		c.bucketName, c.key = "", ""
		var ok bool
		if route, ok = accountRoutes[cl.HTTP.Method]; !ok {
			return methodNotAllowed().With("Method", cl.HTTP.Method).With("ResourceType", "ACCOUNT")
		}
		err = nil
	}
	if err != nil {
		return err
	}
	cl.Record.Operation = route.name
	c.action = route.action
	if c.action == "" {
		c.action = "s3:" + route.name
	}
	if versioned, ok := versionActions[c.action]; ok && c.query.Get("versionId") != "" {
		c.action = versioned
	}
	if c.bucketName != "" {
		cl.Record.Resource = c.resource()
	}
	if len(c.key) > maxKeyLength {
		return kernel.Fail(http.StatusBadRequest, "KeyTooLongError", "Your key is too long").
			With("Size", strconv.Itoa(len(c.key))).
			With("MaxSizeAllowed", strconv.Itoa(maxKeyLength))
	}
	if err := cl.ApplyFault("s3"); err != nil {
		return err
	}
	if err := c.authenticateS3(); err != nil {
		return err
	}
	if err := c.checkEncryptionHeader(route.name); err != nil {
		return err
	}
	return route.handle(c)
}

// withBucket runs fn with mu held, on the bucket of the call. Before that it finds the
// bucket, sends callers of the wrong Region away, and decides the call's action.
func (c *call) withBucket(fn func(b *bucket) error) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	b := c.s.buckets[c.bucketName]
	if b == nil {
		return noSuchBucket(c.bucketName)
	}
	err := c.admit(b)
	if err == nil {
		err = fn(b)
	}
	if err != nil || tellsRegion[c.Record.Operation] {
		c.Out.Header().Set("x-amz-bucket-region", b.region)
	}
	return err
}

// tellsRegion are the operations whose answers name the bucket's Region. Errors name it, too.
var tellsRegion = map[string]bool{"HeadBucket": true, "ListObjects": true, "ListObjectsV2": true, "ListObjectVersions": true}

// admit makes the checks of every call on a bucket, and decides its action. The caller holds mu.
func (c *call) admit(b *bucket) error {
	if err := c.locate(b); err != nil {
		return err
	}
	c.tellCORS(b)
	if err := c.checkPayer(b); err != nil {
		return err
	}
	if c.action == noAction {
		return nil
	}
	return c.allow(b, c.action, c.resource())
}

// locked is the handler of an operation that runs with mu held from beginning to end.
func locked(run func(*call, *bucket) error) func(*call) error {
	return func(c *call) error {
		return c.withBucket(func(b *bucket) error { return run(c, b) })
	}
}

// selectors are the query parameters that choose an operation, those of operations that
// are not modelled included. S3 ignores parameters that it does not know.
var selectors = map[string]bool{
	"abac": true, "accelerate": true, "acl": true, "analytics": true, "attributes": true, "cors": true, "delete": true, "encryption": true,
	"intelligent-tiering": true, "inventory": true, "legal-hold": true, "lifecycle": true, "list-type": true, "location": true,
	"logging": true, "metadataConfiguration": true, "metadataInventoryTable": true, "metadataJournalTable": true, "metadataTable": true,
	"metrics": true, "notification": true, "object-lock": true, "ownershipControls": true, "partNumber": true, "policy": true,
	"policyStatus": true, "publicAccessBlock": true, "renameObject": true, "replication": true,
	"requestPayment": true, "restore": true, "retention": true, "select": true, "select-type": true, "session": true, "tagging": true,
	"torrent": true, "uploadId": true, "uploads": true, "versioning": true, "versions": true, "website": true,
}

// takesID are the selectors whose configurations have an id.
var takesID = []string{"analytics", "intelligent-tiering", "inventory", "metrics"}

// selector is what chooses the operation: the subresource names in the query, sorted.
func (c *call) selector() string {
	var names []string
	for name := range c.query {
		if selectors[name] {
			names = append(names, name)
		}
	}
	if c.query.Has("id") && slices.ContainsFunc(takesID, c.query.Has) {
		names = append(names, "id")
	}
	slices.Sort(names)
	return strings.Join(names, "&")
}

// conditionsOfQuery takes the conditions of a presigned request from its query, where
// some clients put the headers that they sign.
func (c *call) conditionsOfQuery() {
	if !c.Signature.IsPresigned() {
		return
	}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if v := c.query.Get(name); v != "" && c.HTTP.Header.Get(name) == "" {
			c.HTTP.Header.Set(name, v)
		}
	}
}

func (c *call) authenticateS3() error {
	c.payloadHash = c.HTTP.Header.Get("X-Amz-Content-Sha256")
	if header := c.HTTP.Header.Get("Authorization"); kernel.IsV2(header) || strings.HasPrefix(header, "AWS4-ECDSA-") {
		return kernel.UnsupportedSignature(&kernel.S3AuthErrors)
	}
	if c.HTTP.Header.Get("Authorization") != "" && c.payloadHash == "" {
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	if !validPayloadHash(c.payloadHash) {
		return kernel.InvalidArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "+
			"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, "+
			"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.").
			With("ArgumentName", "x-amz-content-sha256").
			With("ArgumentValue", c.payloadHash)
	}
	if err := c.Authenticate(c.s.iam, "s3", c.payloadHash); err != nil {
		return err
	}
	if c.Signature != nil && c.Signature.Region == "aws-global" {
		return wrongRegion(c.Signature.Region, "us-east-1")
	}
	c.conditionsOfQuery()
	if c.HTTP.ContentLength == 0 && len(c.payloadHash) == len(emptySHA256) && c.payloadHash != emptySHA256 && !c.Signature.IsPresigned() {
		return payloadMismatch(c.payloadHash, emptySHA256)
	}
	return nil
}

// validPayloadHash reports whether a value of x-amz-content-sha256 is one of those that are modelled.
func validPayloadHash(v string) bool {
	switch v {
	case "", kernel.PayloadUnsigned, kernel.PayloadUnsignedTrailer, kernel.PayloadSigned, kernel.PayloadSignedTrailer:
		return true
	}
	sum, err := hex.DecodeString(v)
	return err == nil && len(sum) == sha256.Size
}

func noSuchBucket(name string) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist").With("BucketName", name)
}

func accessDenied() *kernel.Error {
	e := kernel.Fail(http.StatusForbidden, "AccessDenied", "Access Denied")
	e.Denied = true
	return e
}

// locate sends callers of the wrong Region away, and checks the owner that the caller
// expects. The caller holds mu.
func (c *call) locate(b *bucket) error {
	if err := c.checkRegion(b); err != nil {
		return err
	}
	want := c.HTTP.Header.Get("X-Amz-Expected-Bucket-Owner")
	switch {
	case want == "":
		return nil
	case !kernel.AccountPattern.MatchString(want):
		return kernel.Fail(
			http.StatusBadRequest,
			"InvalidBucketOwnerAWSAccountID",
			"The value of the expected bucket owner parameter must be an AWS Account ID... [%s]",
			want,
		)
	case want != b.account:
		return accessDenied()
	}
	return nil
}

// checkRegion compares the Region of the signature with the bucket's.
func (c *call) checkRegion(b *bucket) error {
	if c.Signature == nil || c.Signature.Region == b.region {
		return nil
	}
	signed := c.Signature.Region
	switch {
	case c.Signature.Presigned:
		return kernel.Fail(http.StatusBadRequest, "AuthorizationQueryParametersError",
			"Error parsing the X-Amz-Credential parameter; the region '%s' is wrong; expecting '%s'", signed, b.region).
			With("Region", b.region)
	case signed == "us-east-1" && c.Record.Operation == "GetBucketLocation":
		return nil // clients find a bucket's Region in this way
	case signed == "us-east-1", kernel.HostRegion(c.HTTP) == b.region:
		// The global endpoint, for which clients sign us-east-1, and the bucket's own endpoint.
		return wrongRegion(signed, b.region)
	}
	return kernel.Fail(http.StatusMovedPermanently, "PermanentRedirect",
		"The bucket you are attempting to access must be addressed using the specified endpoint. "+
			"Please send all future requests to this endpoint.").
		With("Endpoint", b.name+".s3."+b.region+".amazonaws.com").
		With("Bucket", b.name)
}

func wrongRegion(signed, region string) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "AuthorizationHeaderMalformed",
		"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", signed, region).
		With("Region", region)
}

// writeXML answers with a document.
func (c *call) writeXML(v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering the answer: %w", err)
	}
	c.Out.Header().Set("Content-Type", "application/xml")
	c.Reply(http.StatusOK)
	_, err = c.Out.Write(append([]byte(xml.Header), body...))
	return err
}

func (c *call) done(status int) error {
	c.Reply(status)
	return nil
}
