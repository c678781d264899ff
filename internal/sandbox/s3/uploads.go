package s3

import (
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The listings of open uploads and of their parts.

type uploadXML struct {
	Key               string
	UploadID          string `xml:"UploadId"`
	Initiator         initiatorXML
	Owner             ownerXML
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// initiatorXML is the principal that began an upload.
type initiatorXML struct{ ID, DisplayName string }

func initiatorOf(u *multipart) initiatorXML {
	return initiatorXML{ID: u.object.writer, DisplayName: u.object.writer[strings.LastIndexAny(u.object.writer, "/:")+1:]}
}

type listUploadsXML struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string
	NextUploadIDMarker string `xml:"NextUploadIdMarker"`
	Prefix             string `xml:",omitempty"`
	Delimiter          string `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []uploadXML `xml:"Upload"`
	CommonPrefixes     []prefixXML
}

// sortedUploads are the uploads in the order of listings: by key, then by age.
func (b *bucket) sortedUploads() []*multipart {
	return slices.SortedFunc(maps.Values(b.uploads), func(x, y *multipart) int {
		if d := strings.Compare(x.key, y.key); d != 0 {
			return d
		}
		if d := x.initiated.Compare(y.initiated); d != 0 {
			return d
		}
		return strings.Compare(x.id, y.id)
	})
}

func listMultipartUploads(c *call, b *bucket) error {
	q := c.query
	limit, err := c.limit("max-uploads")
	if err != nil {
		return err
	}
	encode, err := c.encoder()
	if err != nil {
		return err
	}
	out := listUploadsXML{
		Xmlns: namespace, Bucket: b.name, KeyMarker: encode(q.Get("key-marker")), UploadIDMarker: q.Get("upload-id-marker"),
		Prefix: encode(q.Get("prefix")), Delimiter: encode(q.Get("delimiter")), EncodingType: q.Get("encoding-type"), MaxUploads: limit,
	}
	keyMarker, idMarker := q.Get("key-marker"), q.Get("upload-id-marker")
	if u := b.uploads[idMarker]; idMarker != "" && keyMarker != "" && (u == nil || u.key != keyMarker) {
		return kernel.InvalidArgument("Invalid uploadId marker").With("ArgumentName", "upload-id-marker").With("ArgumentValue", idMarker)
	}
	passed := idMarker == ""
	count, last := 0, ""
	for _, u := range b.sortedUploads() {
		if !strings.HasPrefix(u.key, q.Get("prefix")) || u.key < keyMarker ||
			(u.key == keyMarker && keyMarker != "" && passed && idMarker == "") {
			continue
		}
		if u.key == keyMarker && !passed {
			passed = u.id == idMarker
			continue
		}
		group := commonPrefix(u.key, q.Get("prefix"), q.Get("delimiter"))
		if group != "" && group == last {
			continue
		}
		if count == limit {
			out.IsTruncated = true
			break
		}
		count++
		out.NextKeyMarker, out.NextUploadIDMarker = encode(u.key), u.id
		if group != "" {
			out.NextKeyMarker, out.NextUploadIDMarker = encode(group), ""
			out.CommonPrefixes = append(out.CommonPrefixes, prefixXML{encode(group)})
			last = group
			continue
		}
		x := uploadXML{
			Key: encode(u.key), UploadID: u.id, Initiator: initiatorOf(u), Owner: ownerXML{canonicalID(u.object.owner)},
			StorageClass: "STANDARD", Initiated: kernel.ListTime(u.initiated),
		}
		if u.explicit {
			x.ChecksumAlgorithm, x.ChecksumType = u.object.algorithm, u.object.checksumType
		}
		out.Uploads = append(out.Uploads, x)
	}
	return c.writeXML(out)
}

type partXML struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksumXML
}

type listPartsXML struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	Initiator            initiatorXML
	Owner                ownerXML
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string    `xml:",omitempty"`
	ChecksumType         string    `xml:",omitempty"`
	Parts                []partXML `xml:"Part"`
}

func listParts(c *call, b *bucket) error {
	u, err := c.upload(b)
	if err != nil {
		return err
	}
	limit, err := c.limit("max-parts")
	if err != nil {
		return err
	}
	marker := 0
	if text := c.query.Get("part-number-marker"); text != "" {
		if marker, err = strconv.Atoi(text); err != nil || marker < 0 {
			return kernel.InvalidArgument("Argument part-number-marker must be an integer between 0 and 2147483647")
		}
	}
	out := listPartsXML{
		Xmlns: namespace, Bucket: b.name, Key: u.key, UploadID: u.id, Initiator: initiatorOf(u),
		Owner: ownerXML{canonicalID(u.object.owner)}, StorageClass: "STANDARD", PartNumberMarker: marker, MaxParts: limit,
	}
	if u.explicit {
		out.ChecksumAlgorithm, out.ChecksumType = u.object.algorithm, u.object.checksumType
	}
	b.writeAbortHeaders(c.Out.Header(), u)
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= marker {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = true
			break
		}
		p := u.parts[n]
		x := partXML{PartNumber: n, LastModified: kernel.ListTime(p.modified), ETag: `"` + p.etag + `"`, Size: p.blob.size}
		if u.explicit {
			x.set(u.object.algorithm, p.checksum)
		}
		out.Parts = append(out.Parts, x)
		out.NextPartNumberMarker = n
	}
	return c.writeXML(out)
}
