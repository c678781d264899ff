package s3

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Tags of objects.

const maxObjectTags = 10

type taggingXML struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	TagSet  struct {
		Tags []kernel.TagXML `xml:"Tag"`
	}
}

// tagReadXML is a tag as requests write it: both elements have to be there.
type tagReadXML struct{ Key, Value *string }

func invalidTag(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidTag", format, args...)
}

// checkTags applies the rules of tag sets. limit is the most tags.
func checkTags(tags []kernel.Tag, limit int) error {
	if len(tags) > limit {
		if limit == maxObjectTags {
			return kernel.Fail(http.StatusBadRequest, "BadRequest", "Object tags cannot be greater than %d", limit)
		}
		return kernel.Fail(http.StatusBadRequest, "BadRequest", "Bucket tag count cannot be greater than %d", limit)
	}
	for i, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > kernel.MaxTagKey || !kernel.TagText.MatchString(t.Key):
			return invalidTag("The TagKey you have provided is invalid").With("TagKey", t.Key)
		case utf8.RuneCountInString(t.Value) > kernel.MaxTagValue || !kernel.TagText.MatchString(t.Value):
			return invalidTag("The TagValue you have provided is invalid").With("TagKey", t.Key).With("TagValue", t.Value)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			text := "System tags cannot be added/updated by requester"
			if limit == maxObjectTags {
				text = "Your TagKey cannot be prefixed with aws:"
			}
			return invalidTag("%s", text).With("TagKey", t.Key)
		}
		if slices.ContainsFunc(tags[:i], func(o kernel.Tag) bool { return o.Key == t.Key }) {
			return invalidTag("Cannot provide multiple Tags with the same key").With("TagKey", t.Key)
		}
	}
	return nil
}

// headerTags reads x-amz-tagging and decides the action that it implies. The caller holds mu.
func (c *call) headerTags(b *bucket) ([]kernel.Tag, error) {
	text := c.HTTP.Header.Get("X-Amz-Tagging")
	if text == "" {
		return nil, nil
	}
	var tags []kernel.Tag
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(name)
		val, err2 := url.QueryUnescape(value)
		twice := slices.ContainsFunc(tags, func(t kernel.Tag) bool { return t.Key == key })
		if err1 != nil || err2 != nil || key == "" || twice || strings.Contains(value, "=") {
			return nil,
				kernel.InvalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "+
					"name duplicates.").
					With("ArgumentName", "x-amz-tagging").
					With("ArgumentValue", text)
		}
		tags = append(tags, kernel.Tag{Key: key, Value: val})
	}
	if err := checkTags(tags, maxObjectTags); err != nil {
		return nil, err
	}
	return tags, c.allow(b, "s3:PutObjectTagging", c.resource())
}

func readTagging(data []byte, limit int) ([]kernel.Tag, error) {
	var in struct {
		XMLName xml.Name     `xml:"Tagging"`
		Tags    []tagReadXML `xml:"TagSet>Tag"`
	}
	if err := parseXML(data, &in); err != nil {
		return nil, err
	}
	tags := make([]kernel.Tag, 0, len(in.Tags))
	for _, t := range in.Tags {
		if t.Key == nil || t.Value == nil {
			return nil, malformedXML()
		}
		tags = append(tags, kernel.Tag{Key: *t.Key, Value: *t.Value})
	}
	return tags, checkTags(tags, limit)
}

func (c *call) writeTagging(tags []kernel.Tag) error {
	out := taggingXML{Xmlns: namespace}
	for _, t := range tags {
		out.TagSet.Tags = append(out.TagSet.Tags, kernel.TagXML(t))
	}
	return c.writeXML(out)
}

// findVersion is find for calls about an object's settings, with the version header set.
func (c *call) findVersion(b *bucket) (*object, error) {
	if v := b.versions[c.key]; c.query.Get("versionId") == "" && len(v) > 0 && v[len(v)-1].deleteMarker &&
		c.may(b, "s3:ListBucket", b.arn()) {
		return nil, c.deleteMarkerNotAllowed().WithHeader("x-amz-version-id", v[len(v)-1].version)
	}
	o, err := c.find(b)
	if err != nil {
		return nil, err
	}
	if b.versioning != "" {
		c.Out.Header().Set("x-amz-version-id", o.version)
	}
	return o, nil
}

func getObjectTagging(c *call, b *bucket) error {
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	return c.writeTagging(o.tags)
}

func putObjectTagging(c *call) error {
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

func deleteObjectTagging(c *call, b *bucket) error {
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	o.tags = nil
	b.touch(o)
	return c.done(http.StatusNoContent)
}
