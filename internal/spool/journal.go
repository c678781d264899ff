package spool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// journalLine is one line of a multipart upload's journal.
type journalLine struct {
	Upload   string `json:"upload,omitempty"` // a new upload: earlier parts do not count
	PartSize int64  `json:"part_size,omitempty"`
	Forget   bool   `json:"forget,omitempty"`

	Part   int32  `json:"part,omitempty"`
	ETag   string `json:"etag,omitempty"`
	CRC32C uint32 `json:"crc32c,omitempty"`
}

type sentPart struct {
	number int32
	etag   string
	crc    uint32
}

// progress is the state that a journal describes.
type progress struct {
	upload   string
	partSize int64
	parts    []sentPart // the latest line of each part, ordered by number
}

// readProgress replays a journal. It skips torn and damaged lines: a part without a
// line is sent again, which S3 allows.
func readProgress(text []byte) progress {
	var p progress
	for l := range bytes.Lines(text) {
		var m journalLine
		if parseLine(l, &m) {
			p.apply(m)
		}
	}
	return p
}

func (p *progress) apply(m journalLine) {
	switch {
	case m.Forget:
		*p = progress{}
	case m.Upload != "":
		*p = progress{upload: m.Upload, partSize: m.PartSize}
	case m.Part > 0 && p.upload != "":
		part := sentPart{m.Part, m.ETag, m.CRC32C}
		at, known := slices.BinarySearchFunc(p.parts, m.Part, func(s sentPart, n int32) int { return int(s.number) - int(n) })
		if known {
			p.parts[at] = part
		} else {
			p.parts = slices.Insert(p.parts, at, part)
		}
	}
}

// journal is the append-only file next to an object that is sent in parts.
type journal struct {
	dir  *directory
	name string // relative

	mu   sync.Mutex
	file File // opened by the first append
	progress
}

// loadJournal reads a journal. A missing or unreadable journal counts as empty, and
// the object is sent again from its first part.
func (d *directory) loadJournal(name string) *journal {
	j := &journal{dir: d, name: name}
	f, err := d.fs.OpenFile(d.path(name), os.O_RDONLY, 0)
	if err != nil {
		return j
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil || size > maxFooter {
		return j
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	if err == nil {
		j.progress = readProgress(text)
	}
	return j
}

// append adds a line. With durable set, the line and the file's name are on the
// medium on return.
func (j *journal) append(m journalLine, durable bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	text, err := line(m)
	if err != nil {
		return err
	}
	if j.file == nil {
		j.file, err = j.dir.fs.OpenFile(j.dir.path(j.name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return ioError("open", j.name, err)
		}
		// The last line may be torn; this newline ends it.
		text = append([]byte{'\n'}, text...)
	}
	if _, err := j.file.Write(text); err != nil {
		j.abandon()
		return ioError("write", j.name, err)
	}
	if durable {
		if err := j.file.Sync(); err != nil {
			j.abandon()
			return ioError("sync", j.name, err)
		}
		if err := j.dir.queue.commit(); err != nil {
			return ioError("sync directory", dirQueue, err)
		}
	}
	j.apply(m)
	return nil
}

// abandon closes the file, so that the next append ends the torn line first.
func (j *journal) abandon() {
	_ = j.file.Close()
	j.file = nil
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.abandon()
	}
}

// UploadID returns the multipart upload that BeginUpload recorded and ForgetUpload
// did not end; empty when there is none.
func (e *Entry) UploadID() (id string, partSize int64) {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	return e.journal.upload, e.journal.partSize
}

// EachPart calls f once for every part that was sent, ordered by number. f must not
// call methods of e that write the journal.
func (e *Entry) EachPart(f func(number int32, etag string, crc32c uint32)) {
	e.journal.mu.Lock()
	parts := slices.Clone(e.journal.parts)
	e.journal.mu.Unlock()
	for _, p := range parts {
		f(p.number, p.etag, p.crc)
	}
}

// BeginUpload records a multipart upload and forgets any earlier one. The record is
// durable on return. Call BeginUpload before the first part is sent: then every
// upload that a crash leaves can be aborted.
func (e *Entry) BeginUpload(id string, partSize int64) error {
	if id == "" || partSize <= 0 {
		return fmt.Errorf("spool: journal of %s: an upload needs an id and a part size", e.id)
	}
	e.s.index.journaled(e.id)
	return e.journal.append(journalLine{Upload: id, PartSize: partSize}, true)
}

// PartSent records a part, without a sync: a part whose record a crash loses is sent
// again.
func (e *Entry) PartSent(number int32, etag string, crc32c uint32) error {
	if number <= 0 {
		return fmt.Errorf("spool: journal of %s: part number %d", e.id, number)
	}
	if id, _ := e.UploadID(); id == "" {
		return fmt.Errorf("spool: journal of %s: a part without an upload", e.id)
	}
	return e.journal.append(journalLine{Part: number, ETag: etag, CRC32C: crc32c}, false)
}

// ForgetUpload records that the upload was aborted, or that the store lost it.
func (e *Entry) ForgetUpload() error {
	if id, _ := e.UploadID(); id == "" {
		return nil
	}
	return e.journal.append(journalLine{Forget: true}, false)
}
