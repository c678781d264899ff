package s3

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The forms of objects and uploads in the data directory. A test fills every field of object and
// multipart and fails when a field is not restored.

type savedBody struct {
	File string // below bodies/
	Size int64
}

type savedSeal struct {
	Algorithm string            `json:",omitempty"`
	KeyARN    string            `json:",omitempty"`
	BucketKey bool              `json:",omitempty"`
	Context   map[string]string `json:",omitempty"`
}

type savedHeaders struct {
	ContentType, ContentEncoding, CacheControl, Disposition, Language, Expires, StorageClass, Redirect string

	Metadata map[string]string `json:",omitempty"`
}

type savedObject struct {
	ID, Bucket, Key, Version     string
	Order                        uint64
	DeleteMarker                 bool        `json:",omitempty"`
	Body                         []savedBody `json:",omitempty"`
	Size                         int64
	ETag                         string
	Seal                         savedSeal
	Algorithm, Checksum, SumType string
	UploadID                     string       `json:",omitempty"`
	Parts                        []objectPart `json:",omitempty"`
	Headers                      savedHeaders
	Tags                         []kernel.Tag `json:",omitempty"`
	Lock                         objectLock
	ACL                          *accessList `json:",omitempty"`
	Owner, Writer                string
	Modified                     time.Time
}

type savedUpload struct {
	Bucket    string
	Explicit  bool
	Initiated time.Time
	Order     uint64 `json:",omitempty"`
	Deleted   bool   `json:",omitempty"`
	Object    savedObject
}

type savedPart struct {
	Body     savedBody
	ETag     string
	MD5      string `json:",omitempty"`
	Checksum string
	Modified time.Time
}

func saveBody(b body) []savedBody {
	var out []savedBody
	for _, x := range b {
		out = append(out, savedBody{filepath.Base(x.path), x.size})
	}
	return out
}

// restoreBlob makes a blob of a stored body, whose file must exist.
func (w *Service) restoreBlob(s savedBody) (*blob, error) {
	if s.File == "" || strings.ContainsRune(s.File, filepath.Separator) {
		return nil, fmt.Errorf("a body is named %q", s.File)
	}
	path := filepath.Join(w.blobs.dir, s.File)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("a body is missing: %w", err)
	}
	if info.Size() != s.Size {
		return nil, fmt.Errorf("body %s has %d bytes and should have %d", path, info.Size(), s.Size)
	}
	b := w.blobs.restored[s.File]
	if b == nil {
		b = &blob{size: s.Size, path: path, store: w.blobs}
		w.blobs.restored[s.File] = b
	}
	return b.retain(), nil
}

func (o *object) save(bucket string) savedObject {
	out := savedObject{
		ID: o.id, Bucket: bucket, Key: o.key, Version: o.version, Order: o.order, DeleteMarker: o.deleteMarker, Body: saveBody(o.body),
		Size: o.size, ETag: o.etag,
		Seal:      savedSeal{Algorithm: o.seal.algorithm, KeyARN: o.seal.keyARN, BucketKey: o.seal.bucketKey, Context: o.seal.context},
		Algorithm: o.algorithm, Checksum: o.checksum, SumType: o.checksumType, UploadID: o.uploadID, Parts: o.parts, Tags: o.tags,
		Lock: o.lock, ACL: o.acl, Owner: o.owner, Writer: o.writer, Modified: o.modified,
		Headers: savedHeaders{
			o.headers.contentType, o.headers.contentEncoding, o.headers.cacheControl, o.headers.disposition, o.headers.language,
			o.headers.expires, o.headers.storageClass, o.headers.redirect, o.headers.metadata,
		},
	}
	return out
}

func (w *Service) restoreObject(s savedObject) (*object, error) {
	o := &object{
		id: s.ID, key: s.Key, version: s.Version, order: s.Order, deleteMarker: s.DeleteMarker, size: s.Size, etag: s.ETag,
		seal:      sealed{algorithm: s.Seal.Algorithm, keyARN: s.Seal.KeyARN, bucketKey: s.Seal.BucketKey, context: s.Seal.Context},
		algorithm: s.Algorithm, checksum: s.Checksum, checksumType: s.SumType, uploadID: s.UploadID, parts: s.Parts, tags: s.Tags,
		lock: s.Lock, acl: s.ACL, owner: s.Owner, writer: s.Writer, modified: s.Modified,
		headers: objectHeaders{
			contentType: s.Headers.ContentType, contentEncoding: s.Headers.ContentEncoding, cacheControl: s.Headers.CacheControl,
			disposition: s.Headers.Disposition, language: s.Headers.Language, expires: s.Headers.Expires,
			storageClass: s.Headers.StorageClass, redirect: s.Headers.Redirect, metadata: s.Headers.Metadata,
		},
	}
	for _, b := range s.Body {
		x, err := w.restoreBlob(b)
		if err != nil {
			return nil, err
		}
		o.body = append(o.body, x)
	}
	return o, nil
}

func (u *multipart) save(bucket string) savedUpload {
	return savedUpload{
		Bucket:    bucket,
		Explicit:  u.explicit,
		Initiated: u.initiated,
		Order:     u.order,
		Deleted:   u.deleted,
		Object:    u.object.save(bucket),
	}
}

func (p *uploadedPart) save() savedPart {
	return savedPart{
		Body:     saveBody(body{p.blob})[0],
		ETag:     p.etag,
		MD5:      hex.EncodeToString(p.md5),
		Checksum: p.checksum,
		Modified: p.modified,
	}
}

func (w *Service) restorePart(s savedPart) (*uploadedPart, error) {
	p := &uploadedPart{etag: s.ETag, checksum: s.Checksum, modified: s.Modified}
	var err error
	if s.MD5 != "" {
		if p.md5, err = hex.DecodeString(s.MD5); err != nil {
			return nil, err
		}
	}
	p.blob, err = w.restoreBlob(s.Body)
	return p, err
}

func partID(uploadID string, number int) string { return uploadID + "." + strconv.Itoa(number) }

// LoadObjects reads the objects, uploads and parts of the data directory into the
// restored buckets, and removes bodies that none of them refers to.
func (w *Service) LoadObjects() error {
	if w.k.Store == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.k.Store.Each(kernel.ObjectKind, func(_ string, data []byte) error {
		var s savedObject
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		b := w.buckets[s.Bucket]
		if b == nil {
			return fmt.Errorf("its bucket %s does not exist", s.Bucket)
		}
		o, err := w.restoreObject(s)
		if err != nil {
			return err
		}
		b.versions[o.key] = append(b.versions[o.key], o)
		w.order = max(w.order, o.order)
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range w.buckets {
		for _, versions := range b.versions {
			slices.SortFunc(versions, func(x, y *object) int {
				if x.order < y.order {
					return -1
				}
				return 1
			})
		}
	}
	if err := w.loadUploads(); err != nil {
		return err
	}
	return w.sweepBodies()
}

func (w *Service) loadUploads() error {
	uploads := map[string]*multipart{}
	parts := map[string][]byte{}
	err := w.k.Store.Each(kernel.UploadKind, func(id string, data []byte) error {
		if strings.Contains(id, ".") {
			parts[id] = data
			return nil
		}
		var s savedUpload
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		b := w.buckets[s.Bucket]
		if b == nil {
			return fmt.Errorf("its bucket %s does not exist", s.Bucket)
		}
		o, err := w.restoreObject(s.Object)
		if err != nil {
			return err
		}
		u := &multipart{
			id:        id,
			key:       o.key,
			object:    *o,
			explicit:  s.Explicit,
			initiated: s.Initiated,
			order:     s.Order,
			deleted:   s.Deleted,
			parts:     map[int]*uploadedPart{},
		}
		b.uploads[id], uploads[id] = u, u
		return nil
	})
	if err != nil {
		return err
	}
	for id, data := range parts {
		uploadID, text, _ := strings.Cut(id, ".")
		number, err := strconv.Atoi(text)
		if err != nil || uploads[uploadID] == nil {
			w.k.Store.Drop(kernel.UploadKind, id) // the upload ended while the part was on its way out
			continue
		}
		var s savedPart
		if err := json.Unmarshal(data, &s); err != nil {
			return fmt.Errorf("part %s: %w", id, err)
		}
		p, err := w.restorePart(s)
		if err != nil {
			return fmt.Errorf("part %s: %w", id, err)
		}
		uploads[uploadID].parts[number] = p
	}
	return nil
}

// sweepBodies removes the files of bodies that no object or part refers to. They belong to
// calls that were never answered.
func (w *Service) sweepBodies() error {
	entries, err := os.ReadDir(w.blobs.dir)
	if err != nil {
		return fmt.Errorf("reading the data directory: %w", err)
	}
	for _, e := range entries {
		if w.blobs.restored[e.Name()] == nil {
			w.k.Store.Discard(filepath.Join(w.blobs.dir, e.Name()))
		}
	}
	w.blobs.restored = nil
	return w.k.Store.Flush()
}
