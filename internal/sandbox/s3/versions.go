package s3

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// ListObjectVersions.

type versionXML struct {
	XMLName           xml.Name
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64 `xml:",omitempty"`
	StorageClass      string `xml:",omitempty"`
	Key               string
	VersionID         string `xml:"VersionId"`
	IsLatest          bool
	LastModified      string
	Owner             ownerXML
}

type listVersionsXML struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	Xmlns               string   `xml:"xmlns,attr"`
	Name                string
	Prefix              string
	KeyMarker           string
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Entries             []versionXML
	CommonPrefixes      []prefixXML
}

func listObjectVersions(c *call, b *bucket) error {
	q := c.query
	l, encode, err := c.listParameters()
	if err != nil {
		return err
	}
	keyMarker, versionMarker := q.Get("key-marker"), q.Get("version-id-marker")
	if q.Has("version-id-marker") && keyMarker == "" {
		return kernel.InvalidArgument("A version-id marker cannot be specified without a key marker.").
			With("ArgumentName", "version-id-marker").
			With("ArgumentValue", versionMarker)
	}
	out := listVersionsXML{
		Xmlns: namespace, Name: b.name, Prefix: encode(l.prefix), KeyMarker: encode(keyMarker), VersionIDMarker: versionMarker, MaxKeys: l.limit,
		Delimiter: encode(l.delimiter), EncodingType: q.Get("encoding-type"),
	}
	told, group := 0, ""
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		if !strings.HasPrefix(key, l.prefix) || key < keyMarker || key == keyMarker && versionMarker == "" {
			continue
		}
		common := commonPrefix(key, l.prefix, l.delimiter)
		if common != "" && (common == group || common <= keyMarker && strings.HasPrefix(keyMarker, common)) {
			continue
		}
		passed := key != keyMarker
		for i, o := range slices.Backward(b.versions[key]) { // newest first
			if !passed {
				passed = o.version == versionMarker
				if passed || o.order >= orderOfVersion(versionMarker) {
					continue
				}
				passed = true // the marker's version is gone: go on with the first one before it
			}
			if told == l.limit {
				out.IsTruncated = l.limit > 0
				return c.writeXML(out.finish())
			}
			told++
			if common != "" {
				group = common
				out.CommonPrefixes = append(out.CommonPrefixes, prefixXML{encode(common)})
				out.NextKeyMarker, out.NextVersionIDMarker = encode(common), ""
				break
			}
			out.Entries = append(out.Entries, versionEntry(o, encode, i == len(b.versions[key])-1))
			out.NextKeyMarker, out.NextVersionIDMarker = encode(key), o.version
		}
	}
	return c.writeXML(out.finish())
}

// finish drops the markers of a listing that is complete.
func (x *listVersionsXML) finish() *listVersionsXML {
	if !x.IsTruncated {
		x.NextKeyMarker, x.NextVersionIDMarker = "", ""
	}
	return x
}

func versionEntry(o *object, encode func(string) string, latest bool) versionXML {
	x := versionXML{
		XMLName: xml.Name{Local: "Version"}, Key: encode(o.key), VersionID: o.version, IsLatest: latest,
		LastModified: kernel.ListTime(o.modified), Owner: ownerXML{ID: canonicalID(o.owner)},
	}
	if o.deleteMarker {
		x.XMLName.Local = "DeleteMarker"
		return x
	}
	e := objectEntry(o, encode, false)
	x.ETag, x.Size, x.StorageClass, x.ChecksumAlgorithm, x.ChecksumType = e.ETag, &o.size, e.StorageClass, e.ChecksumAlgorithm, e.ChecksumType
	return x
}

// existingTags are the tags behind the condition key s3:ExistingObjectTag.
func (b *bucket) existingTags(key, version string) []kernel.Tag {
	o := b.current(key)
	if version != "" {
		o = b.version(key, version)
	}
	if o == nil {
		return nil
	}
	return o.tags
}

// touch saves a version again after a change.
func (b *bucket) touch(o *object) {
	if b.s.k.Store != nil {
		b.s.k.Store.Put(kernel.ObjectKind, o.id, o.save(b.name))
	}
}
