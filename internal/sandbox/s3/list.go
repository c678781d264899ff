package s3

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
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
func (c *call) limit(name string) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return maxListed, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		return 0, kernel.InvalidArgument("Argument %s must be an integer between 0 and 2147483647", name).
			With("ArgumentName", name).
			With("ArgumentValue", text)
	}
	if err != nil {
		return 0, kernel.InvalidArgument("Provided %s not an integer or within integer range", name).
			With("ArgumentName", name).
			With("ArgumentValue", text)
	}
	return min(n, maxListed), nil
}

// encoder URL-encodes names when the client asks for it: XML cannot hold all of them.
func (c *call) encoder() (func(string) string, error) {
	encoding := c.query.Get("encoding-type")
	switch {
	case !c.query.Has("encoding-type"):
		return func(s string) string { return s }, nil
	case encoding == "url":
		return func(s string) string { return kernel.URIEncode(s, false) }, nil
	}
	return nil, kernel.InvalidArgument("Invalid Encoding Method specified in Request").
		With("ArgumentName", "encoding-type").
		With("ArgumentValue", encoding)
}

// listing is the common part of the three listings of keys.
type listing struct {
	prefix, delimiter, after string
	limit                    int
	objects                  []*object
	prefixes                 []string
	truncated                bool
	last                     string // the last key or prefix of the page
}

// walk lists the current objects of a bucket after l.after, in key order. The caller holds mu.
func (l *listing) walk(b *bucket) {
	told, group := 0, ""
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		o := b.current(key)
		if o == nil || !strings.HasPrefix(key, l.prefix) || key <= l.after {
			continue
		}
		common := commonPrefix(key, l.prefix, l.delimiter)
		if common != "" && (common == group || common <= l.after && strings.HasPrefix(l.after, common)) {
			continue // in a group that is listed already
		}
		if told == l.limit {
			l.truncated = l.limit > 0
			return
		}
		told++
		if common != "" {
			group, l.last = common, common
			l.prefixes = append(l.prefixes, common)
			continue
		}
		l.last = key
		l.objects = append(l.objects, o)
	}
}

// listParameters reads the parameters that the listings share.
func (c *call) listParameters() (l listing, encode func(string) string, err error) {
	if l.limit, err = c.limit("max-keys"); err != nil {
		return l, nil, err
	}
	l.prefix, l.delimiter = c.query.Get("prefix"), c.query.Get("delimiter")
	encode, err = c.encoder()
	return l, encode, err
}

func objectEntry(o *object, encode func(string) string, owner bool) objectXML {
	x := objectXML{
		Key: encode(o.key), LastModified: kernel.ListTime(o.modified), ETag: `"` + o.etag + `"`, Size: o.size, StorageClass: "STANDARD",
		ChecksumAlgorithm: o.algorithm, ChecksumType: o.checksumType,
	}
	if o.headers.storageClass != "" {
		x.StorageClass = o.headers.storageClass
	}
	if owner {
		x.Owner = &ownerXML{ID: canonicalID(o.owner)}
	}
	return x
}

func encodePrefixes(list []string, encode func(string) string) []prefixXML {
	var out []prefixXML
	for _, p := range list {
		out = append(out, prefixXML{encode(p)})
	}
	return out
}

func listObjectsV2(c *call, b *bucket) error {
	q := c.query
	l, encode, err := c.listParameters()
	if err != nil {
		return err
	}
	l.after = q.Get("start-after")
	token := q.Get("continuation-token")
	if q.Has("continuation-token") {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || token == "" {
			return kernel.InvalidArgument("The continuation token provided is incorrect").With("ArgumentName", "continuation-token")
		}
		l.after = string(raw)
	}
	l.walk(b)
	out := listV2XML{
		Xmlns: namespace, Name: b.name, Prefix: encode(l.prefix), Delimiter: encode(l.delimiter), MaxKeys: l.limit,
		EncodingType: q.Get("encoding-type"), ContinuationToken: token, IsTruncated: l.truncated,
		KeyCount: len(l.objects) + len(l.prefixes), CommonPrefixes: encodePrefixes(l.prefixes, encode),
	}
	if !q.Has("continuation-token") {
		out.StartAfter = encode(q.Get("start-after"))
	}
	for _, o := range l.objects {
		out.Contents = append(out.Contents, objectEntry(o, encode, q.Get("fetch-owner") == "true"))
	}
	if l.truncated {
		out.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(l.last))
	}
	return c.writeXML(out)
}

type listV1XML struct {
	XMLName        xml.Name `xml:"ListBucketResult"`
	Xmlns          string   `xml:"xmlns,attr"`
	Name           string
	Prefix         string
	Marker         string
	NextMarker     string `xml:",omitempty"`
	Delimiter      string `xml:",omitempty"`
	MaxKeys        int
	EncodingType   string `xml:",omitempty"`
	IsTruncated    bool
	Contents       []objectXML
	CommonPrefixes []prefixXML
}

// listObjects is the first version of the listing. It returns NextMarker only with a
// delimiter; without one, the last key is the next marker.
func listObjects(c *call, b *bucket) error {
	l, encode, err := c.listParameters()
	if err != nil {
		return err
	}
	l.after = c.query.Get("marker")
	l.walk(b)
	out := listV1XML{
		Xmlns: namespace, Name: b.name, Prefix: encode(l.prefix), Marker: encode(l.after), Delimiter: encode(l.delimiter), MaxKeys: l.limit,
		EncodingType: c.query.Get("encoding-type"), IsTruncated: l.truncated, CommonPrefixes: encodePrefixes(l.prefixes, encode),
	}
	for _, o := range l.objects {
		out.Contents = append(out.Contents, objectEntry(o, encode, true))
	}
	if l.truncated && l.delimiter != "" {
		out.NextMarker = encode(l.last)
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
