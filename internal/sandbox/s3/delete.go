package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// DeleteObject and DeleteObjects.

const maxDeleteKeys = 1000

// deletion is the result for one key.
type deletion struct {
	version       string // of the removed version, or of the new marker
	deleteMarker  bool   // a marker was made or removed
	markerVersion string
}

func deleteObject(c *call, b *bucket) error {
	if err := c.checkBypassHeader(b); err != nil {
		return err
	}
	if err := c.checkDeleteConditions(b.current(c.key), c.HTTP.Header.Get("If-Match")); err != nil {
		return err
	}
	d, err := c.deleteOne(b, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	h := c.Out.Header()
	if d.deleteMarker {
		h.Set("x-amz-delete-marker", "true")
	}
	switch {
	case d.version != "":
		h.Set("x-amz-version-id", d.version)
	case d.markerVersion != "":
		h.Set("x-amz-version-id", d.markerVersion)
	}
	return c.done(http.StatusNoContent)
}

func (c *call) checkDeleteConditions(o *object, match string) error {
	if match == "" {
		return nil
	}
	if o == nil {
		if match == "*" {
			return preconditionFailed("If-Match")
		}
		return noSuchKey(c.key)
	}
	if !etagMatches(match, o.etag) {
		return preconditionFailed("If-Match")
	}
	return nil
}

// deleteOne removes a version, or adds a delete marker, depending on the bucket's
// versioning. The caller holds mu and has decided the action.
func (c *call) deleteOne(b *bucket, version string) (deletion, error) {
	var d deletion
	if version != "" {
		o := b.version(c.key, version)
		if o != nil {
			if err := c.checkLocked(b, o); err != nil {
				return d, err
			}
			b.drop(c.key, version)
			b.noteDeleted(c.key)
		} else if !validVersionID(version) || b.versioning == "" && version != "null" {
			return d, invalidVersionID(version)
		}
		d.version = version
		if o != nil && o.deleteMarker {
			d.deleteMarker, d.markerVersion = true, version
		}
		return d, nil
	}
	if b.versioning == "" {
		if b.drop(c.key, "null") != nil {
			b.noteDeleted(c.key)
		}
		return d, nil
	}
	b.noteDeleted(c.key)
	marker := &object{key: c.key, deleteMarker: true, owner: b.account, writer: c.Caller.ARN, modified: c.Now}
	b.add(marker)
	return deletion{deleteMarker: true, markerVersion: marker.version}, nil
}

// noteDeleted tells the open uploads of a key that it was deleted. The caller holds mu.
func (b *bucket) noteDeleted(key string) {
	for _, u := range b.uploads {
		if u.key == key && !u.deleted {
			u.deleted = true
			b.saveUpload(u)
		}
	}
}

// newVersionID makes the id of a version: its order and a random part, in hexadecimal. A
// listing finds the place of a version by its id after the version is gone.
func newVersionID(order uint64) string { return fmt.Sprintf("%016x%s", order, kernel.NewHex(8)) }

// orderOfVersion is the order of a version by its id; the highest number for ids of other forms.
func orderOfVersion(id string) uint64 {
	if len(id) == 32 {
		if n, err := strconv.ParseUint(id[:16], 16, 64); err == nil {
			return n
		}
	}
	return math.MaxUint64
}

// issuedVersionID is the form of the version ids that the sandbox makes. Deleting a
// version of this form again succeeds; other ids never were versions.
var issuedVersionID = regexp.MustCompile(`^(null|[0-9a-f]{32})$`)

// versionIDForm is the form of version ids; S3 refuses other texts.
var versionIDForm = regexp.MustCompile(`^(null|[A-Za-z0-9][A-Za-z0-9._-]{24,255})$`)

func validVersionID(v string) bool { return versionIDForm.MatchString(v) }

func invalidVersionID(v string) *kernel.Error {
	return kernel.InvalidArgument("Invalid version id specified").With("ArgumentName", "versionId").With("ArgumentValue", v)
}

// version finds one version of a key; nil for none.
func (b *bucket) version(key, version string) *object {
	for _, o := range b.versions[key] {
		if o.version == version {
			return o
		}
	}
	return nil
}

type deleteRequestXML struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID string `xml:"VersionId"`
		ETag      string
	} `xml:"Object"`
}

type deletedXML struct {
	Key                   string
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteErrorXML struct {
	Key           string
	VersionID     string `xml:"VersionId,omitempty"`
	Code, Message string
}

type deleteResultXML struct {
	XMLName xml.Name         `xml:"DeleteResult"`
	Xmlns   string           `xml:"xmlns,attr"`
	Deleted []deletedXML     `xml:"Deleted"`
	Errors  []deleteErrorXML `xml:"Error"`
}

// deleteObjects decides each key separately: the answer lists denied keys next to deleted ones.
func deleteObjects(c *call) error {
	check := func(b *bucket) error {
		if err := c.checkBypassHeader(b); err != nil {
			return err
		}
		return c.requireChecksum()
	}
	return c.configureChecked(maxCompleteBody, check, func(b *bucket, data []byte) error {
		var in deleteRequestXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if len(in.Objects) == 0 || len(in.Objects) > maxDeleteKeys {
			return malformedXML()
		}
		out := deleteResultXML{Xmlns: namespace}
		for _, want := range in.Objects {
			d, err := c.deleteListed(b, want.Key, want.VersionID, want.ETag)
			var api *kernel.Error
			switch {
			case errors.As(err, &api):
				out.Errors = append(out.Errors, deleteErrorXML{want.Key, want.VersionID, api.Code, api.Message})
			case err != nil:
				return err
			case !in.Quiet:
				out.Deleted = append(
					out.Deleted,
					deletedXML{Key: want.Key, VersionID: d.version, DeleteMarker: d.deleteMarker, DeleteMarkerVersionID: d.markerVersion},
				)
			}
		}
		return c.writeXML(out)
	})
}

func (c *call) deleteListed(b *bucket, key, version, etag string) (deletion, error) {
	if key == "" {
		return deletion{}, kernel.Fail(
			http.StatusBadRequest,
			"UserKeyMustBeSpecified",
			"The bucket POST must contain the specified field name. If it is specified, please check the order of the fields.",
		)
	}
	one := *c
	one.key = key
	action := "s3:DeleteObject"
	if version != "" {
		action = "s3:DeleteObjectVersion"
	}
	if err := one.allow(b, action, one.resource()); err != nil {
		return deletion{}, err
	}
	if err := one.checkDeleteConditions(b.current(key), etag); err != nil {
		return deletion{}, err
	}
	if version != "" && validVersionID(version) && b.version(key, version) == nil &&
		(b.versioning == "" || !issuedVersionID.MatchString(version)) {
		return deletion{}, noSuchVersion(key, version)
	}
	return one.deleteOne(b, version)
}

// requireChecksum refuses a body without a digest or checksum.
func (c *call) requireChecksum() error {
	h := c.HTTP.Header
	if h.Get("Content-Md5") != "" || h.Get("X-Amz-Trailer") != "" {
		return nil
	}
	for _, a := range checksumAlgorithms {
		if h.Get(checksumHeader(a)) != "" {
			return nil
		}
	}
	return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}
