package s3

import (
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Tags of buckets.

const maxBucketTags = 50

func getBucketTagging(c *call, b *bucket) error {
	if len(b.conf.Tags) == 0 {
		return kernel.Fail(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist").With("BucketName", b.name)
	}
	return c.writeTagging(b.conf.Tags)
}

func putBucketTagging(c *call) error {
	return c.configureDigested(func(b *bucket, data []byte) error {
		tags, err := readTagging(data, maxBucketTags)
		if err != nil {
			return err
		}
		b.conf.Tags = tags
		return c.done(http.StatusNoContent)
	})
}

func deleteBucketTagging(c *call, b *bucket) error {
	b.conf.Tags = nil
	return c.done(http.StatusNoContent)
}

// configureDigested is configure for the calls that S3 takes with a digest of the body only.
func (c *call) configureDigested(apply func(b *bucket, data []byte) error) error {
	check := func(*bucket) error { return c.requireDigest() }
	return c.configureChecked(maxConfigBody, check, apply)
}

func (c *call) requireDigest() error {
	digest := c.HTTP.Header.Get("Content-Md5") != "" ||
		strings.HasPrefix(strings.ToLower(c.HTTP.Header.Get("X-Amz-Trailer")), "x-amz-checksum-")
	for _, a := range checksumAlgorithms {
		digest = digest || c.HTTP.Header.Get(checksumHeader(a)) != ""
	}
	if !digest {
		return kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
		)
	}
	return nil
}
