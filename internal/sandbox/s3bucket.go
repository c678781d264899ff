package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const maxListedBuckets = 10000

var bucketNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func validBucketName(name string) bool {
	return bucketNamePattern.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil &&
		!strings.HasPrefix(name, "xn--") && !strings.HasSuffix(name, "-s3alias")
}

func createBucket(c *s3Call, _ *bucket) error {
	data, err := c.control(maxConfigBody)
	if err != nil {
		return err
	}
	var conf struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
	}
	if len(data) > 0 {
		if err := parseXML(data, &conf); err != nil {
			return err
		}
	}
	if c.caller.kind == anonymous {
		return accessDenied()
	}
	signed, region := c.s.region(c.call), conf.LocationConstraint
	switch {
	case region == "us-east-1":
		return fail(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid").with("LocationConstraint", region)
	case region == "" && signed == "us-east-1":
		region = signed
	case region == "":
		return fail(http.StatusBadRequest, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case signed != "us-east-1" && signed != region:
		return fail(http.StatusBadRequest, "IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", region)
	case !regionPattern.MatchString(region):
		return fail(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid").with("LocationConstraint", region)
	}
	if !validBucketName(c.bucketName) {
		return fail(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", c.bucketName)
	}
	if acl := c.r.Header.Get("X-Amz-Acl"); acl != "" && acl != "private" {
		return notImplemented("bucket ACLs")
	}
	ownership := c.r.Header.Get("X-Amz-Object-Ownership")
	if ownership == "" {
		ownership = "BucketOwnerEnforced"
	}
	if !validOwnership(ownership) {
		return fail(http.StatusBadRequest, "InvalidArgument", "Invalid x-amz-object-ownership header: %s", ownership)
	}

	w := c.s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx := c.conditionContext(c.caller.account, region)
	ctx["s3:LocationConstraint"] = []string{region}
	if e := w.authorize(c.call, access{caller: c.caller, action: "s3:CreateBucket", resource: c.resource(), owner: c.caller.account, context: ctx}); e != nil {
		return e
	}
	if old := w.buckets[c.bucketName]; old != nil {
		if old.account != c.caller.account {
			return fail(http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").with("BucketName", c.bucketName)
		}
		if old.region == "us-east-1" && region == "us-east-1" {
			c.w.Header().Set("Location", "/"+c.bucketName)
			return c.done(http.StatusOK) // the oldest Region forgives this
		}
		return fail(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.").with("BucketName", c.bucketName)
	}
	w.buckets[c.bucketName] = &bucket{
		world: w, name: c.bucketName, region: region, account: c.caller.account, created: c.now,
		encryption: bucketEncryption{algorithm: sseS3}, ownership: ownership,
		block:    &iampolicy.PublicAccessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true},
		versions: map[string][]*object{}, uploads: map[string]*multipart{},
	}
	if strings.EqualFold(c.r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
		b := w.buckets[c.bucketName]
		b.lock, b.versioning = &bucketLock{}, "Enabled"
	}
	c.w.Header().Set("Location", "/"+c.bucketName)
	return c.done(http.StatusOK)
}

func headBucket(c *s3Call, b *bucket) error {
	defer c.unlock()
	c.w.Header().Set("x-amz-bucket-arn", b.arn())
	return c.done(http.StatusOK)
}

func deleteBucket(c *s3Call, b *bucket) error {
	defer c.unlock()
	if len(b.versions) > 0 {
		text := "The bucket you tried to delete is not empty"
		if b.versioning != "" {
			text += ". You must delete all versions in the bucket."
		}
		return fail(http.StatusConflict, "BucketNotEmpty", "%s", text).with("BucketName", b.name)
	}
	for _, u := range b.uploads {
		b.endUpload(u)
	}
	delete(c.s.world.buckets, b.name)
	return c.done(http.StatusNoContent)
}

func getBucketLocation(c *s3Call, b *bucket) error {
	defer c.unlock()
	if c.caller.account != b.account {
		return accessDenied() // not usable across accounts
	}
	region := b.region
	if region == "us-east-1" {
		region = ""
	}
	return c.writeXML(struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		Xmlns   string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}{Xmlns: s3Namespace, Region: region})
}

type ownerXML struct{ ID string }

// canonicalID stands in for an account's canonical user id.
func canonicalID(account string) string {
	return strings.Repeat("0", 64-len(account)) + account
}

type bucketEntryXML struct {
	Name, CreationDate, BucketRegion, BucketArn string
}

// listBuckets lists the caller's own. Pages are only made when the caller asks for a size.
func listBuckets(c *s3Call, _ *bucket) error {
	w, q := c.s.world, c.query
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.caller.kind == anonymous {
		return accessDenied()
	}
	if e := w.authorize(c.call, access{caller: c.caller, action: "s3:ListAllMyBuckets", resource: "*", owner: c.caller.account, context: c.requestContext(c.s.region(c.call))}); e != nil {
		return e
	}
	limit := maxListedBuckets
	if text := q.Get("max-buckets"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListedBuckets {
			return invalidArgument("Argument max-buckets must be an integer between 1 and %d", maxListedBuckets).with("ArgumentName", "max-buckets").with("ArgumentValue", text)
		}
		limit = n
	}
	after, err := base64.RawURLEncoding.DecodeString(q.Get("continuation-token"))
	if err != nil {
		return invalidArgument("The continuation token provided is incorrect").with("ArgumentName", "continuation-token")
	}
	out := struct {
		XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
		Xmlns             string   `xml:"xmlns,attr"`
		Owner             ownerXML
		Buckets           []bucketEntryXML `xml:"Buckets>Bucket"`
		ContinuationToken string           `xml:",omitempty"`
		Prefix            string           `xml:",omitempty"`
	}{Xmlns: s3Namespace, Owner: ownerXML{ID: canonicalID(c.caller.account)}, Prefix: q.Get("prefix")}
	for _, name := range slices.Sorted(maps.Keys(w.buckets)) {
		b := w.buckets[name]
		if b.account != c.caller.account || !strings.HasPrefix(name, out.Prefix) || name <= string(after) || q.Has("bucket-region") && b.region != q.Get("bucket-region") {
			continue
		}
		if len(out.Buckets) == limit {
			out.ContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(out.Buckets[limit-1].Name))
			break
		}
		out.Buckets = append(out.Buckets, bucketEntryXML{b.name, isoTime(b.created), b.region, b.arn()})
	}
	return c.writeXML(out)
}
