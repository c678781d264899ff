package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const maxListed = 1000

type objectXML struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	StorageClass      string
	Owner             *ownerXML `xml:",omitempty"`
}

type prefixXML struct{ Prefix string }

type listV2XML struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Xmlns                 string   `xml:"xmlns,attr"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	MaxKeys               int
	EncodingType          string `xml:",omitempty"`
	KeyCount              int
	IsTruncated           bool
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	Contents              []objectXML
	CommonPrefixes        []prefixXML
}

// limit reads a max-… parameter.
func (c *s3Call) limit(name string) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return maxListed, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, invalidArgument("Provided %s not an integer or within integer range", name).with("ArgumentName", name).with("ArgumentValue", text)
	}
	return min(n, maxListed), nil
}

// encoder is url encoding of names when the client asks for it: XML cannot hold all of them.
func (c *s3Call) encoder() (func(string) string, error) {
	switch c.query.Get("encoding-type") {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return func(s string) string { return uriEncode(s, false) }, nil
	}
	return nil, invalidArgument("Invalid Encoding Method specified in Request").with("ArgumentName", "encoding-type")
}

func listObjectsV2(c *s3Call, b *bucket) error {
	defer c.unlock()
	q := c.query
	limit, err := c.limit("max-keys")
	if err != nil {
		return err
	}
	encode, err := c.encoder()
	if err != nil {
		return err
	}
	after := q.Get("start-after")
	token := q.Get("continuation-token")
	if q.Has("continuation-token") {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || token == "" {
			return invalidArgument("The continuation token provided is incorrect").with("ArgumentName", "continuation-token")
		}
		after = string(raw)
	}
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	out := listV2XML{
		Xmlns: s3Namespace, Name: b.name, Prefix: encode(prefix), Delimiter: encode(delimiter), MaxKeys: limit,
		EncodingType: q.Get("encoding-type"), ContinuationToken: token, StartAfter: encode(q.Get("start-after")),
	}
	last := ""
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		o := b.current(key)
		if o == nil || !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		group := commonPrefix(key, prefix, delimiter)
		if group != "" && (group == last || group <= after && strings.HasPrefix(after, group)) {
			continue // within a group that was already told
		}
		if out.KeyCount == limit {
			out.IsTruncated = limit > 0
			break
		}
		out.KeyCount++
		if group != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, prefixXML{encode(group)})
			last = group
			continue
		}
		last = key
		x := objectXML{
			Key: encode(key), LastModified: isoTime(o.modified), ETag: `"` + o.etag + `"`, Size: o.size, StorageClass: "STANDARD",
			ChecksumAlgorithm: o.algorithm, ChecksumType: o.checksumType,
		}
		if o.headers.storageClass != "" {
			x.StorageClass = o.headers.storageClass
		}
		if q.Get("fetch-owner") == "true" {
			x.Owner = &ownerXML{canonicalID(o.owner)}
		}
		out.Contents = append(out.Contents, x)
	}
	if out.IsTruncated {
		out.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(last))
	}
	return c.writeXML(out)
}

// commonPrefix is the part of key up to the first delimiter after prefix; empty without one.
func commonPrefix(key, prefix, delimiter string) string {
	if delimiter == "" {
		return ""
	}
	rest := key[len(prefix):]
	i := strings.Index(rest, delimiter)
	if i < 0 {
		return ""
	}
	return prefix + rest[:i+len(delimiter)]
}
