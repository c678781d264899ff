package s3client

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"
)

// The largest bodies of responses in bytes; only a list of parts is large.
const (
	maxResponse = 4 << 20
	maxRefusal  = 64 << 10
)

// document is the union of the XML responses of all calls.
type document struct {
	XMLName xml.Name

	// Error
	Code      string `xml:"Code"`
	Message   string `xml:"Message"`
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
	Region    string `xml:"Region"`

	// InitiateMultipartUploadResult, CompleteMultipartUploadResult
	UploadID       string `xml:"UploadId"`
	ETag           string `xml:"ETag"`
	ChecksumCRC32C string `xml:"ChecksumCRC32C"`

	// ListPartsResult
	IsTruncated          string       `xml:"IsTruncated"`
	NextPartNumberMarker string       `xml:"NextPartNumberMarker"`
	Parts                []listedPart `xml:"Part"`
}

type listedPart struct {
	Number         int32  `xml:"PartNumber"`
	ETag           string `xml:"ETag"`
	ChecksumCRC32C string `xml:"ChecksumCRC32C"`
}

// parseDocument parses the XML of a response. For any other text it returns a document
// with a name that no response of S3 has.
func parseDocument(text []byte) *document {
	// During a long completion S3 sends blanks before the XML declaration.
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return &document{}
	}
	var d document
	if err := xml.Unmarshal(text, &d); err != nil {
		return &document{XMLName: xml.Name{Local: "?"}}
	}
	return &d
}

// writtenOf reads the headers of a successful response.
func writtenOf(h http.Header) Written {
	return Written{
		ETag: unquoted(get(h, "Etag")), VersionID: get(h, "X-Amz-Version-Id"), ChecksumCRC32C: get(h, hChecksum.name),
		Encryption: get(h, hEncryption.name), KMSKey: get(h, hKMSKey.name), RequestID: get(h, "X-Amz-Request-Id"),
	}
}

// get is http.Header.Get for names that are canonical already.
func get(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func unquoted(etag string) string { return strings.Trim(etag, `"`) }
