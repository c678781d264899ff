package s3

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const maxListedBuckets = 10000

func headBucket(c *call, b *bucket) error {
	h := c.Out.Header()
	h.Set("x-amz-bucket-arn", b.arn())
	h.Set("x-amz-access-point-alias", "false")
	h.Set("Content-Type", "application/xml")
	return c.done(http.StatusOK)
}

func deleteBucket(c *call, b *bucket) error {
	if len(b.versions) > 0 {
		text := "The bucket you tried to delete is not empty"
		if b.versioning != "" {
			text += ". You must delete all versions in the bucket."
		}
		return kernel.Fail(http.StatusConflict, "BucketNotEmpty", "%s", text).With("BucketName", b.name)
	}
	for _, u := range b.uploads {
		b.endUpload(u)
	}
	delete(c.s.buckets, b.name)
	return c.done(http.StatusNoContent)
}

func getBucketLocation(c *call, b *bucket) error {
	if c.Caller.Account != b.account {
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
	}{Xmlns: namespace, Region: region})
}

type ownerXML struct{ ID string }

// canonicalID stands in for an account's canonical user id.
func canonicalID(account string) string {
	return strings.Repeat("0", 64-len(account)) + account
}

type bucketEntryXML struct {
	Name, CreationDate, BucketRegion, BucketArn string
}

// listBuckets lists the caller's buckets, in pages only when the caller asks for a size.
func listBuckets(c *call) error {
	w, q := c.s, c.query
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Caller.Kind == kernel.Anonymous {
		return accessDenied()
	}
	if e := w.k.Authorize(c.Request, kernel.Access{
		Caller: c.Caller, Action: "s3:ListAllMyBuckets", Resource: "*", Owner: c.Caller.Account, Context: c.Conditions(c.Region()),
	}); e != nil {
		return e
	}
	if region := q.Get("bucket-region"); q.Has("bucket-region") && !kernel.RegionPattern.MatchString(region) {
		return kernel.InvalidArgument("Argument value %s is not a valid AWS Region", region).With("ArgumentName", "bucket-region")
	}
	limit := maxListedBuckets
	if text := q.Get("max-buckets"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxListedBuckets {
			return kernel.InvalidArgument("Argument max-buckets must be an integer between 1 and %d", maxListedBuckets).
				With("ArgumentName", "max-buckets").
				With("ArgumentValue", text)
		}
		limit = n
	}
	after, err := base64.RawURLEncoding.DecodeString(q.Get("continuation-token"))
	if err != nil {
		return kernel.InvalidArgument("The continuation token provided is incorrect").With("ArgumentName", "continuation-token")
	}
	out := struct {
		XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
		Xmlns             string   `xml:"xmlns,attr"`
		Owner             ownerXML
		Buckets           []bucketEntryXML `xml:"Buckets>Bucket"`
		ContinuationToken string           `xml:",omitempty"`
		Prefix            string           `xml:",omitempty"`
	}{Xmlns: namespace, Owner: ownerXML{ID: canonicalID(c.Caller.Account)}, Prefix: q.Get("prefix")}
	for _, name := range slices.Sorted(maps.Keys(w.buckets)) {
		b := w.buckets[name]
		if b.account != c.Caller.Account || !strings.HasPrefix(name, out.Prefix) || name <= string(after) ||
			q.Has("bucket-region") && b.region != q.Get("bucket-region") {
			continue
		}
		if len(out.Buckets) == limit {
			out.ContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(out.Buckets[limit-1].Name))
			break
		}
		out.Buckets = append(out.Buckets, bucketEntryXML{b.name, kernel.ListTime(b.created), b.region, b.arn()})
	}
	return c.writeXML(out)
}
