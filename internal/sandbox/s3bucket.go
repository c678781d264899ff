package sandbox

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
)

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
		u.release()
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

func listBuckets(c *s3Call, _ *bucket) error {
	w := c.s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.caller.kind == anonymous {
		return accessDenied()
	}
	if e := w.authorize(c.call, access{caller: c.caller, action: "s3:ListAllMyBuckets", resource: "*", owner: c.caller.account, context: c.requestContext(c.s.region(c.call))}); e != nil {
		return e
	}
	type entry struct {
		Name, CreationDate, BucketRegion string
	}
	out := struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   ownerXML
		Buckets []entry `xml:"Buckets>Bucket"`
	}{Xmlns: s3Namespace, Owner: ownerXML{canonicalID(c.caller.account)}}
	for _, name := range slices.Sorted(maps.Keys(w.buckets)) {
		if b := w.buckets[name]; b.account == c.caller.account {
			out.Buckets = append(out.Buckets, entry{b.name, isoTime(b.created), b.region})
		}
	}
	return c.writeXML(out)
}
