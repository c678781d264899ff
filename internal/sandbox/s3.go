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
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

type bucket struct {
	world                 *world
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
	s           *Sandbox
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

// s3Route is one operation. handle is called authenticated; for routes on a
// bucket it gets the bucket, located, owner-checked and authorized, with mu
// held for writing: it must give it up before bytes move.
type s3Route struct {
	name   string
	action string // empty: the operation's name; noAction: the handler decides
	handle func(*s3Call, *bucket) error
}

// noAction marks operations that are decided object by object.
const noAction = "-"

// versionActions are the actions of operations that name a version.
var versionActions = map[string]string{
	"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion", "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
	"s3:PutObjectAcl": "s3:PutObjectVersionAcl", "s3:GetObjectTagging": "s3:GetObjectVersionTagging", "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
	"s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging", "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
}

func (s *Sandbox) handleS3(cl *call) error {
	c := &s3Call{call: cl, s: s, query: cl.r.URL.Query()}
	c.bucketName, c.key = bucketAndKey(cl.r)
	if cl.r.Method == http.MethodOptions && c.bucketName != "" {
		return c.preflight()
	}
	route, err := c.route()
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
	if err := s.applyFault(cl, "s3"); err != nil {
		return err
	}
	if err := c.authenticateS3(); err != nil {
		return err
	}
	if c.bucketName == "" || route.name == "CreateBucket" {
		return route.handle(c, nil)
	}
	s.world.mu.Lock()
	b, err := c.locate()
	if err == nil {
		c.tellCORS(b)
		err = c.checkPayer(b)
	}
	if err == nil && c.action != noAction {
		err = c.allow(b, c.action, c.resource())
	}
	if err != nil {
		s.world.mu.Unlock()
		return err
	}
	return route.handle(c, b)
}

// unlock gives up the world before bytes move.
func (c *s3Call) unlock() { c.s.world.mu.Unlock() }

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

func (c *s3Call) route() (s3Route, error) {
	level := "service"
	switch {
	case c.key != "":
		level = "object"
	case c.bucketName != "":
		level = "bucket"
	}
	sel := c.selector()
	if sel == "list-type" && c.query.Get("list-type") != "2" {
		sel = "list-type=" + c.query.Get("list-type")
	}
	name := c.r.Method + " " + sel
	route, ok := s3Routes[level][name]
	if !ok && level == "bucket" {
		route, ok = configurationRoutes[name]
	}
	if !ok && level == "object" {
		route, ok = objectACLRoutes[name]
	}
	if !ok {
		if e := misplaced(c.r.Method, level, sel); e != nil {
			return route, e
		}
		c.record.Operation = c.r.Method + " " + level + " " + sel
		return route, notImplemented("s3 " + c.record.Operation)
	}
	if copied, ok := copyRoutes[route.name]; ok && c.r.Header.Get("X-Amz-Copy-Source") != "" {
		return copied, nil
	}
	return route, nil
}

// misplaced are requests that S3 itself has no operation for.
func misplaced(method, level, selector string) *apiError {
	switch {
	case level == "service" && method != http.MethodGet, level == "object" && method == http.MethodPut && selector == "uploadId":
		return methodNotAllowed().with("Method", method).with("ResourceType", strings.ToUpper(level))
	case level == "object" && method == http.MethodGet && selector == "uploads":
		return fail(http.StatusBadRequest, "InvalidRequest", "Key is not expected for the GET method ?uploads subresource")
	case level == "object" && method == http.MethodGet && selector == "versions":
		return fail(http.StatusBadRequest, "InvalidRequest", "There is no such thing as the ?versions sub-resource for a key")
	case level == "object" && method == http.MethodPut && selector == "partNumber":
		return invalidArgument("This operation does not accept a part number without an upload id").with("ArgumentName", "partNumber")
	}
	return nil
}

// copyRoutes replace the operations of their names when the request names a source.
var copyRoutes = map[string]s3Route{
	"PutObject":  {"CopyObject", "s3:PutObject", copyObject},
	"UploadPart": {"UploadPartCopy", "s3:PutObject", uploadPartCopy},
}

// s3Routes are the operations by level, method and selector.
var s3Routes = map[string]map[string]s3Route{
	"service": {"GET ": {"ListBuckets", "s3:ListAllMyBuckets", listBuckets}},
	"bucket": {
		"PUT ":                     {"CreateBucket", "", createBucket},
		"HEAD ":                    {"HeadBucket", "s3:ListBucket", headBucket},
		"DELETE ":                  {"DeleteBucket", "", deleteBucket},
		"GET location":             {"GetBucketLocation", "", getBucketLocation},
		"GET ":                     {"ListObjects", "s3:ListBucket", listObjects},
		"GET versions":             {"ListObjectVersions", "s3:ListBucketVersions", listObjectVersions},
		"POST delete":              {"DeleteObjects", noAction, deleteObjects},
		"GET object-lock":          {"GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", getLockConfiguration},
		"PUT object-lock":          {"PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", putLockConfiguration},
		"GET list-type":            {"ListObjectsV2", "s3:ListBucket", listObjectsV2},
		"GET uploads":              {"ListMultipartUploads", "s3:ListBucketMultipartUploads", listMultipartUploads},
		"GET policy":               {"GetBucketPolicy", "", getBucketPolicy},
		"PUT policy":               {"PutBucketPolicy", "", putBucketPolicy},
		"DELETE policy":            {"DeleteBucketPolicy", "", deleteBucketPolicy},
		"GET encryption":           {"GetBucketEncryption", "s3:GetEncryptionConfiguration", getBucketEncryption},
		"PUT encryption":           {"PutBucketEncryption", "s3:PutEncryptionConfiguration", putBucketEncryption},
		"DELETE encryption":        {"DeleteBucketEncryption", "s3:PutEncryptionConfiguration", deleteBucketEncryption},
		"GET ownershipControls":    {"GetBucketOwnershipControls", "", getOwnershipControls},
		"PUT ownershipControls":    {"PutBucketOwnershipControls", "", putOwnershipControls},
		"DELETE ownershipControls": {"DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", deleteOwnershipControls},
		"GET publicAccessBlock":    {"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", getPublicAccessBlock},
		"PUT publicAccessBlock":    {"PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", putPublicAccessBlock},
		"DELETE publicAccessBlock": {"DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", deletePublicAccessBlock},
		"GET versioning":           {"GetBucketVersioning", "", getVersioning},
		"PUT versioning":           {"PutBucketVersioning", "", putVersioning},
	},
	"object": {
		"PUT ":                    {"PutObject", "", putObject},
		"GET ":                    {"GetObject", "", getObject},
		"HEAD ":                   {"HeadObject", "s3:GetObject", headObject},
		"DELETE ":                 {"DeleteObject", "", deleteObject},
		"GET partNumber":          {"GetObject", "", getObject},
		"HEAD partNumber":         {"HeadObject", "s3:GetObject", headObject},
		"GET attributes":          {"GetObjectAttributes", "", getObjectAttributes},
		"GET tagging":             {"GetObjectTagging", "", getObjectTagging},
		"PUT tagging":             {"PutObjectTagging", "", putObjectTagging},
		"DELETE tagging":          {"DeleteObjectTagging", "", deleteObjectTagging},
		"GET retention":           {"GetObjectRetention", "", getObjectRetention},
		"PUT retention":           {"PutObjectRetention", "", putObjectRetention},
		"GET legal-hold":          {"GetObjectLegalHold", "", getObjectLegalHold},
		"PUT legal-hold":          {"PutObjectLegalHold", "", putObjectLegalHold},
		"POST uploads":            {"CreateMultipartUpload", "s3:PutObject", createMultipartUpload},
		"PUT partNumber&uploadId": {"UploadPart", "s3:PutObject", uploadPart},
		"POST uploadId":           {"CompleteMultipartUpload", "s3:PutObject", completeMultipartUpload},
		"DELETE uploadId":         {"AbortMultipartUpload", "", abortMultipartUpload},
		"GET uploadId":            {"ListParts", "s3:ListMultipartUploadParts", listParts},
	},
}

func (c *s3Call) authenticateS3() error {
	c.payloadHash = c.r.Header.Get("X-Amz-Content-Sha256")
	if c.r.Header.Get("Authorization") != "" && c.payloadHash == "" {
		return fail(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	if !validPayloadHash(c.payloadHash) {
		return invalidArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.").
			with("ArgumentName", "x-amz-content-sha256").with("ArgumentValue", c.payloadHash)
	}
	if err := c.s.world.authenticate(c.call, "s3", c.payloadHash); err != nil {
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
	b := c.s.world.buckets[c.bucketName]
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

// signedHeaderKeys become condition keys s3:<header> when they are sent. S3
// shows policies what the request says, not what the bucket's defaults add.
var s3HeaderKeys = []string{
	"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl", "x-amz-storage-class",
	"x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-read-acp", "x-amz-grant-write-acp", "x-amz-grant-full-control",
	"x-amz-content-sha256", "x-amz-object-ownership", "x-amz-website-redirect-location", "x-amz-metadata-directive",
	"x-amz-server-side-encryption-customer-algorithm", "x-amz-copy-source",
}

func (c *s3Call) conditionContext(owner, region string) map[string][]string {
	ctx := c.requestContext(region)
	ctx["s3:ResourceAccount"] = []string{owner}
	for _, h := range s3HeaderKeys {
		if v := c.r.Header.Get(h); v != "" {
			ctx["s3:"+h] = []string{v}
		}
	}
	if v := c.r.Header.Get("If-None-Match"); v != "" {
		ctx["s3:if-none-match"] = []string{v}
	}
	if v := c.query.Get("versionId"); v != "" {
		ctx["s3:versionid"] = []string{v}
	}
	switch c.action {
	case "s3:ListBucket", "s3:ListBucketVersions":
		for _, name := range []string{"prefix", "delimiter", "max-keys"} {
			if c.query.Has(name) {
				ctx["s3:"+name] = []string{c.query.Get(name)}
			}
		}
	}
	c.lockContext(ctx)
	if tags, err := url.ParseQuery(c.r.Header.Get("X-Amz-Tagging")); err == nil {
		var keys []string
		for k, v := range tags {
			ctx["s3:RequestObjectTag/"+k] = v[:1]
			keys = append(keys, k)
		}
		if keys != nil {
			ctx["s3:RequestObjectTagKeys"] = keys
		}
	}
	if c.r.TLS != nil {
		ctx["s3:TlsVersion"] = []string{tlsVersion(c.r.TLS.Version)}
	}
	if c.sig != nil {
		ctx["s3:signatureversion"] = []string{sigAlgorithm}
		ctx["s3:authType"] = []string{"REST-HEADER"}
		if c.sig.presigned {
			ctx["s3:authType"] = []string{"REST-QUERY-STRING"}
		}
		ctx["s3:signatureAge"] = []string{fmt.Sprint(max(0, c.now.Sub(c.sig.time).Milliseconds()))}
	}
	return ctx
}

func tlsVersion(v uint16) string {
	if v == 0x0304 {
		return "1.3"
	}
	return "1.2"
}

// allow decides an action on a bucket or its objects. The caller holds mu.
func (c *s3Call) allow(b *bucket, action, resource string) error {
	sc, res := c.judge(b, action, resource)
	if res.Decision != iampolicy.Allowed && c.rootRescue(b, action) {
		res.Decision = iampolicy.Allowed
	}
	c.decided(access{caller: c.caller, action: action, resource: resource, owner: b.account}, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := accessDenied()
	// S3 explains itself to callers of the owner's account or organization only,
	// and never how an endpoint's policy decided.
	if c.s.world.sameOrganization(c.caller.account, sc.Request.ResourceAccount) && iampolicy.BlamedLayer(sc, res) != iampolicy.LayerVPCEndpoint {
		e.Message = iampolicy.AccessDeniedText(sc, res)
	}
	return e
}

func (c *s3Call) question(b *bucket, action, resource string) access {
	_, policy := c.s.world.policyNow(b.policy)
	ctx := c.conditionContext(b.account, b.region)
	if c.key != "" {
		for _, t := range b.existingTags(c.key, c.query.Get("versionId")) {
			ctx["s3:ExistingObjectTag/"+t.Key] = []string{t.Value}
		}
	}
	block := b.block
	if block != nil && block.BlockPublicAcls && b.ownership == ownerEnforced {
		// Lists have no effect here: that, and not their being public, is why they are refused.
		unblocked := *block
		unblocked.BlockPublicAcls = false
		block = &unblocked
	}
	return access{
		caller: c.caller, action: action, resource: resource, owner: b.account,
		context: ctx, policy: policy, block: block,
	}
}

// rootRescue: the owner's root user can always get at the bucket policy, or a
// bad one would lock everybody out.
func (c *s3Call) rootRescue(b *bucket, action string) bool {
	if c.caller.kind != rootUser || c.caller.account != b.account {
		return false
	}
	switch action {
	case "s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy":
		return true
	}
	return false
}

// may asks without leaving a trace. The caller holds mu.
func (c *s3Call) may(b *bucket, action, resource string) bool {
	_, res := c.judge(b, action, resource)
	return res.Decision == iampolicy.Allowed
}

// writeXML answers with a document.
func (c *s3Call) writeXML(v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering the answer: %w", err)
	}
	c.w.Header().Set("Content-Type", "application/xml")
	c.s.reply(c.call, http.StatusOK)
	_, err = c.w.Write(append([]byte(xml.Header), body...))
	return err
}

func (c *s3Call) done(status int) error {
	c.s.reply(c.call, status)
	return nil
}
