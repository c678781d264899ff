package s3

import (
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// GetObjectAttributes.

type objectChecksumXML struct {
	checksumXML
	ChecksumType string `xml:",omitempty"`
}

type attributePartXML struct {
	checksumXML
	PartNumber int
	Size       int64
}

type objectPartsXML struct {
	IsTruncated          *bool
	MaxParts             *int
	NextPartNumberMarker *int
	PartNumberMarker     *int
	PartsCount           int
	Parts                []attributePartXML `xml:"Part"`
}

type attributesXML struct {
	XMLName      xml.Name           `xml:"GetObjectAttributesResponse"`
	Xmlns        string             `xml:"xmlns,attr"`
	ETag         string             `xml:",omitempty"`
	Checksum     *objectChecksumXML `xml:",omitempty"`
	ObjectParts  *objectPartsXML    `xml:",omitempty"`
	StorageClass string             `xml:",omitempty"`
	ObjectSize   *int64             `xml:",omitempty"`
}

var objectAttributes = []string{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}

func getObjectAttributes(c *call, b *bucket) error {
	read := "s3:GetObject"
	if c.query.Get("versionId") != "" {
		read = "s3:GetObjectVersion"
	}
	if err := c.allow(b, read, c.resource()); err != nil {
		return err
	}
	wanted, err := c.wantedAttributes()
	if err != nil {
		return err
	}
	o, err := c.findVersion(b)
	var api *kernel.Error
	if errors.As(err, &api) && api.Status == http.StatusMethodNotAllowed {
		return noSuchKey(c.key).WithHeader("x-amz-delete-marker", "true") // a delete marker has no attributes
	}
	if err != nil {
		return err
	}
	if err := c.useKey(b, "Decrypt", o.seal); err != nil {
		return err
	}
	out := attributesXML{Xmlns: namespace}
	for _, a := range wanted {
		switch a {
		case "ETag":
			out.ETag = o.etag
		case "Checksum":
			out.Checksum = &objectChecksumXML{ChecksumType: o.checksumType}
			out.Checksum.set(o.algorithm, strings.TrimSuffix(o.checksum, "-"+strconv.Itoa(len(o.parts))))
		case "ObjectParts":
			if o.parts != nil {
				if out.ObjectParts, err = c.attributeParts(o); err != nil {
					return err
				}
			}
		case "StorageClass":
			if out.StorageClass = o.headers.storageClass; out.StorageClass == "" {
				out.StorageClass = "STANDARD"
			}
		case "ObjectSize":
			out.ObjectSize = &o.size
		}
	}
	c.Out.Header().Set("Last-Modified", kernel.HTTPTime(o.modified))
	return c.writeXML(out)
}

func (c *call) wantedAttributes() ([]string, error) {
	var out []string
	for _, line := range c.HTTP.Header.Values("X-Amz-Object-Attributes") {
		for a := range strings.SplitSeq(line, ",") {
			if a = strings.TrimSpace(a); a == "" {
				continue
			}
			if !slices.Contains(objectAttributes, a) {
				return nil, kernel.InvalidArgument("Invalid attribute name specified.").
					With("ArgumentName", "x-amz-object-attributes").
					With("ArgumentValue", a)
			}
			out = append(out, a)
		}
	}
	if out == nil {
		return nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
		)
	}
	return out, nil
}

// attributeParts lists the parts. S3 lists them for composite checksums; for other uploads
// it returns their number only.
func (c *call) attributeParts(o *object) (*objectPartsXML, error) {
	number := func(header, name string, otherwise int) (int, error) {
		text := c.HTTP.Header.Get(header)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, kernel.InvalidArgument("Provided %s not an integer or within integer range", name).
				With("ArgumentName", name).
				With("ArgumentValue", text)
		}
		if n < 0 {
			return 0, kernel.InvalidArgument("Argument %s must be an integer between 0 and 2147483647", name).
				With("ArgumentName", name).
				With("ArgumentValue", text)
		}
		return n, nil
	}
	limit, err := number("X-Amz-Max-Parts", "max-parts", maxListed)
	if err != nil {
		return nil, err
	}
	marker, err := number("X-Amz-Part-Number-Marker", "part-number-marker", 0)
	if err != nil {
		return nil, err
	}
	out := &objectPartsXML{PartsCount: len(o.parts)}
	if o.checksumType != composite {
		return out, nil
	}
	limit = min(limit, maxListed)
	truncated, next := false, 0
	out.MaxParts, out.PartNumberMarker, out.IsTruncated, out.NextPartNumberMarker = &limit, &marker, &truncated, &next
	for _, p := range o.parts {
		if p.Number <= marker {
			continue
		}
		if len(out.Parts) == limit {
			truncated = true
			break
		}
		x := attributePartXML{PartNumber: p.Number, Size: p.Size}
		x.set(o.algorithm, p.Checksum)
		out.Parts = append(out.Parts, x)
		next = p.Number
	}
	return out, nil
}
