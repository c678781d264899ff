package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const maxListedBuckets = 10000

func headBucket(c *s3Call, b *bucket) error {
	c.w.Header().Set("x-amz-bucket-arn", b.arn())
	return c.done(http.StatusOK)
}

func deleteBucket(c *s3Call, b *bucket) error {
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
	delete(c.s.buckets, b.name)
	return c.done(http.StatusNoContent)
}

func getBucketLocation(c *s3Call, b *bucket) error {
	if c.caller.account != b.account {
		return accessDenied() // not usable across accounts
	}
	region := b.region
	switch {
	case b.conf.Location != "":
		region = b.conf.Location
	case region == "us-east-1":
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
func listBuckets(c *s3Call) error {
	w, q := c.s, c.query
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.caller.kind == anonymous {
		return accessDenied()
	}
	if e := w.k.authorize(c.call, access{caller: c.caller, action: "s3:ListAllMyBuckets", resource: "*", owner: c.caller.account, context: c.requestContext(c.region())}); e != nil {
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
