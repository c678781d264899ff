package sandbox

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tags of objects.

const (
	maxObjectTags = 10
	maxTagKey     = 128
	maxTagValue   = 256
)

// tagText is what S3 accepts in keys and values: letters, digits, spaces and + - = . _ : / @ of any script.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

type taggingXML struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	TagSet  *struct {
		Tags []tagXML `xml:"Tag"`
	}
}

func invalidTag(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidTag", format, args...)
}

// checkTags applies the rules of tag sets. limit is the most tags.
func checkTags(tags []tag, limit int) error {
	if len(tags) > limit {
		if limit == maxObjectTags {
			return fail(http.StatusBadRequest, "BadRequest", "Object tags cannot be greater than %d", limit)
		}
		return fail(http.StatusBadRequest, "BadRequest", "Bucket tag count cannot be greater than %d", limit)
	}
	for i, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > maxTagKey || !tagText.MatchString(t.Key):
			return invalidTag("The TagKey you have provided is invalid").with("TagKey", t.Key)
		case utf8.RuneCountInString(t.Value) > maxTagValue || !tagText.MatchString(t.Value):
			return invalidTag("The TagValue you have provided is invalid").with("TagKey", t.Key).with("TagValue", t.Value)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return invalidTag("System tags cannot be added/updated by requester")
		}
		if slices.ContainsFunc(tags[:i], func(o tag) bool { return o.Key == t.Key }) {
			return invalidTag("Cannot provide multiple Tags with the same key").with("TagKey", t.Key)
		}
	}
	return nil
}

// headerTags reads x-amz-tagging and decides the action that it implies. The caller holds mu.
func (c *s3Call) headerTags(b *bucket) ([]tag, error) {
	text := c.r.Header.Get("X-Amz-Tagging")
	if text == "" {
		return nil, nil
	}
	var tags []tag
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(name)
		val, err2 := url.QueryUnescape(value)
		twice := slices.ContainsFunc(tags, func(t tag) bool { return t.Key == key })
		if err1 != nil || err2 != nil || key == "" || twice || strings.Contains(value, "=") {
			return nil, invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
				with("ArgumentName", "x-amz-tagging").with("ArgumentValue", text)
		}
		tags = append(tags, tag{key, val})
	}
	if err := checkTags(tags, maxObjectTags); err != nil {
		return nil, err
	}
	return tags, c.allow(b, "s3:PutObjectTagging", c.resource())
}

func readTagging(data []byte, limit int) ([]tag, error) {
	var in taggingXML
	if err := parseXML(data, &in); err != nil {
		return nil, err
	}
	if in.TagSet == nil {
		return nil, malformedXML()
	}
	tags := make([]tag, 0, len(in.TagSet.Tags))
	for _, t := range in.TagSet.Tags {
		tags = append(tags, tag(t))
	}
	return tags, checkTags(tags, limit)
}

func (c *s3Call) writeTagging(tags []tag) error {
	out := taggingXML{Xmlns: s3Namespace, TagSet: &struct {
		Tags []tagXML `xml:"Tag"`
	}{}}
	for _, t := range tags {
		out.TagSet.Tags = append(out.TagSet.Tags, tagXML(t))
	}
	return c.writeXML(out)
}

// findVersion is find for calls about an object's settings, with the version header set.
func (c *s3Call) findVersion(b *bucket) (*object, error) {
	o, err := c.find(b)
	if err != nil {
		return nil, err
	}
	if b.versioning != "" {
		c.w.Header().Set("x-amz-version-id", o.version)
	}
	return o, nil
}

func getObjectTagging(c *s3Call, b *bucket) error {
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	return c.writeTagging(o.tags)
}

func putObjectTagging(c *s3Call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		tags, err := readTagging(data, maxObjectTags)
		if err != nil {
			return err
		}
		o, err := c.findVersion(b)
		if err != nil {
			return err
		}
		o.tags = tags
		b.touch(o)
		return c.done(http.StatusOK)
	})
}

func deleteObjectTagging(c *s3Call, b *bucket) error {
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	o.tags = nil
	b.touch(o)
	return c.done(http.StatusNoContent)
}
