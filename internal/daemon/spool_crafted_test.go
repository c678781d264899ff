//go:build linux

package daemon

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/testbed"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// craftedFile is the content of a spool file, written without the code under test.
type craftedFile struct {
	header             map[string]any
	text               []byte // replaces the encoded header; nil: the header
	data               []byte
	size, segment      uint64
	headerLen          uint32 // 0: that of the header
	dataSum, wholeSum  uint32
	footerSum          uint32 // is added to the right one
	magic              string
	cut                int // bytes removed at the end
	trailing, preamble []byte
}

// crafted returns the file of an object that is right in every detail.
func crafted(id string) *craftedFile {
	data := []byte("the body of " + id)
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return &craftedFile{
		header: map[string]any{
			"id": id, "destination": testbed.Destination, "name": id, "key": "logs/" + id, "uid": os.Getuid(), "gid": os.Getgid(),
			"received": time.Now().UTC(), "size": len(data), "segment_size": 1 << 20,
		},
		data: data, size: uint64(len(data)), segment: 1 << 20, dataSum: sum, wholeSum: sum, magic: "brkdspl1",
	}
}

func (c *craftedFile) bytes(t *testing.T) []byte {
	t.Helper()
	foot, err := json.Marshal(c.header)
	if err != nil {
		t.Fatal(err)
	}
	if c.text != nil {
		foot = c.text
	}
	length := uint32(len(foot))
	if c.headerLen != 0 {
		length = c.headerLen
	}
	foot = binary.LittleEndian.AppendUint32(foot, c.dataSum)
	foot = append(foot, c.magic...)
	foot = binary.LittleEndian.AppendUint64(foot, c.size)
	foot = binary.LittleEndian.AppendUint64(foot, c.segment)
	foot = binary.LittleEndian.AppendUint32(foot, length)
	foot = binary.LittleEndian.AppendUint32(foot, c.wholeSum)
	foot = binary.LittleEndian.AppendUint32(foot, c.footerSum+crc32.Checksum(foot, crc32.MakeTable(crc32.Castagnoli)))
	out := bytes.Join([][]byte{c.preamble, c.data, foot, c.trailing}, nil)
	return out[:len(out)-c.cut]
}

// craftedContent changes the content of a file, which is in the directory where then.
type craftedContent struct {
	name, where string
	change      func(*craftedFile)
}

// craftedContents are the attacks by content; first is the id of an object that is right.
func craftedContents(first string) []craftedContent {
	header := func(field string, value any) func(*craftedFile) {
		return func(c *craftedFile) { c.header[field] = value }
	}
	return []craftedContent{
		{"a key outside the prefix", "dead", header("key", "elsewhere/planted")},
		{"an absolute key", "dead", header("key", "/logs/planted")},
		{"a key that leaves the prefix", "dead", header("key", "logs/../elsewhere/planted")},
		{"a key that is the directory above", "dead", header("key", "logs/..")},
		{"a key of another case", "dead", header("key", "LOGS/planted")},
		{"no key", "dead", header("key", "")},
		{"another checksum of the data", "dead", func(c *craftedFile) { c.dataSum++ }},
		{"other data", "dead", func(c *craftedFile) { c.data[0] ^= 1 }},
		{"a destination that does not exist", "queue", header("destination", "nowhere")},
		{"no destination", "queue", header("destination", "")},
		{"the id of another object", "quarantine", header("id", first)},
		{"an id with a path", "quarantine", header("id", "../../"+first)},
		{"another size in the header", "quarantine", header("size", 1)},
		{"a negative size", "quarantine", header("size", -5)},
		{"a size that is text", "quarantine", header("size", "all")},
		{"a user that is no number", "quarantine", header("uid", -1)},
		{"a header that is not JSON", "quarantine", func(c *craftedFile) { c.text = []byte("{") }},
		{"a huge size", "quarantine", func(c *craftedFile) { c.size = 1 << 62 }},
		{"a size beyond 63 bits", "quarantine", func(c *craftedFile) { c.size = 1<<64 - 1 }},
		{"a huge header", "quarantine", func(c *craftedFile) { c.headerLen = 1<<32 - 1 }},
		{"a huge segment", "quarantine", func(c *craftedFile) { c.segment = 1<<64 - 1 }},
		{"segments of one byte", "quarantine", func(c *craftedFile) { c.segment = 1 }},
		{"segments of no byte", "quarantine", func(c *craftedFile) { c.segment = 0 }},
		{"another checksum of the footer", "quarantine", func(c *craftedFile) { c.footerSum = 1 }},
		{"another format", "quarantine", func(c *craftedFile) { c.magic = "brkdspl2" }},
		{"bytes before the data", "quarantine", func(c *craftedFile) { c.preamble = []byte("x") }},
		{"bytes after the footer", "quarantine", func(c *craftedFile) { c.trailing = []byte("x") }},
		{"a file that is cut", "quarantine", func(c *craftedFile) { c.cut = 1 }},
		{"a file without its footer", "quarantine", func(c *craftedFile) { c.cut = len(c.data) + 40 }},
	}
}

// craftedKind makes a file of another kind, which is in the directory where then.
type craftedKind struct {
	name, where string
	make        func(id, path string) error
}

// craftedKinds are the attacks by the kind of a file, by its links and its owner.
func craftedKinds(t *testing.T, first string) []craftedKind {
	t.Helper()
	outside := t.TempDir()
	return []craftedKind{
		{"a symbolic link to an object", "queue", func(id, path string) error {
			target := filepath.Join(outside, id)
			return errors.Join(os.WriteFile(target, crafted(id).bytes(t), 0o600), os.Symlink(target, path))
		}},
		{"a symbolic link without a target", "queue", func(_, path string) error { return os.Symlink(outside+"/nowhere", path) }},
		{"a hard link to another object", "quarantine", func(_, path string) error {
			return os.Link(filepath.Join(filepath.Dir(path), first+".obj"), path)
		}},
		{"a named pipe", "queue", func(_, path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"a directory", "queue", func(_, path string) error { return os.Mkdir(path, 0o700) }},
		{"an empty file", "quarantine", func(_, path string) error { return os.WriteFile(path, nil, 0o600) }},
		{"a file of another user", "queue", func(id, path string) error {
			return errors.Join(os.WriteFile(path, crafted(id).bytes(t), 0o644), os.Chown(path, 64999, 64999))
		}},
	}
}

// A crafted file in the spool is moved to quarantine or dead, or stays in the queue. No
// byte of it becomes an object, and the objects next to it are delivered.
func TestCraftedSpoolFilesAreNeverSent(t *testing.T) {
	st := spooling(t, config.DurabilitySpool)
	ready(t, st).halt(t) // makes the directories
	queue := filepath.Join(st.Config.Spool.Dir, "queue")
	write := func(path string, c *craftedFile) {
		if err := os.WriteFile(path, c.bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	newID := func() string {
		var id ulid.ULID
		next++
		_ = id.SetTime(uint64(time.Now().UnixMilli()))
		id[15] = byte(next)
		return id.String()
	}
	first := newID()
	write(filepath.Join(queue, first+".obj"), crafted(first))

	want := map[string]string{} // file: attack
	dead := map[string]string{} // id: attack
	for _, a := range craftedContents(first) {
		id := newID()
		c := crafted(id)
		a.change(c)
		write(filepath.Join(queue, id+".obj"), c)
		want[a.where+"/"+id+".obj"] = a.name
		if a.where == "dead" {
			dead[id] = a.name
		}
	}
	for _, a := range craftedKinds(t, first) {
		if a.name == "a file of another user" && os.Getuid() != 0 {
			t.Logf("%s: not tried, because it needs root", a.name)
			continue
		}
		id := newID()
		if err := a.make(id, filepath.Join(queue, id+".obj")); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		want[a.where+"/"+id+".obj"] = a.name
	}
	// A name of a file that is no ULID is none of the spool's.
	id := newID()
	write(filepath.Join(queue, "planted.obj"), crafted(id))
	want["queue/planted.obj"] = "another name"

	last := newID()
	write(filepath.Join(queue, last+".obj"), crafted(last))

	d := ready(t, st)
	for _, id := range []string{first, last} {
		if got := d.upload(t, id, time.Minute); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED {
			t.Errorf("the object %s, which is right: %v", id, got)
		}
	}
	for id, name := range dead {
		if got := d.upload(t, id, time.Minute); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_DEAD {
			t.Errorf("%s: %v", name, got)
		}
	}
	d.halt(t)
	for file, name := range want {
		if _, err := os.Lstat(filepath.Join(st.Config.Spool.Dir, file)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	holds(t, st, crafted(first).data, crafted(last).data)
	if n := len(st.Sandbox.MultipartUploads(testbed.Bucket)); n != 0 {
		t.Errorf("%d multipart uploads are open", n)
	}
	t.Logf("%d crafted files, none sent", len(want))
}
