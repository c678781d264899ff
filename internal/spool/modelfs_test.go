package spool_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/spool"
)

// modelFS is a file system in memory that promises no more than POSIX does: what
// was not synced may be lost. A file's bytes survive a crash after its own Sync,
// a name after the SyncDir of its directory. Everything else survives wholly, in
// part, as zeros, or not at all, in any combination.
type modelFS struct {
	mu      sync.Mutex
	root    *modelDir
	locked  bool
	ops     int
	crashAt int // this operation and all later ones fail; 0: none
	crashed chan struct{}
	fault   func(op int, what, name string) error // before the operation has any effect
	log     []string
}

type modelDir struct {
	now, durable map[string]modelNode
	pending      []change
}

// change is one directory operation. A rename within a directory is one change.
type change struct {
	name string
	node modelNode // zero: the name goes
	from string    // of a rename
}

type modelNode struct {
	dir  *modelDir
	file *modelFile
}

// modelFile is a file. lost are the bytes that a failed sync gave up: they can
// still be read, and the next sync calls itself a success, but no crash leaves them.
type modelFile struct {
	data, durable []byte
	lost          []lostBytes
}

type lostBytes struct{ from, to int }

// medium is what a sync that succeeds leaves there.
func (f *modelFile) medium() []byte {
	if len(f.lost) == 0 {
		return f.data
	}
	out := bytes.Clone(f.data)
	for _, l := range f.lost {
		clear(out[l.from:l.to])
	}
	return out
}

var errCrashed = errors.New("the machine has stopped")

func newDir() *modelDir {
	return &modelDir{now: map[string]modelNode{}, durable: map[string]modelNode{}}
}

func newModelFS() *modelFS { return &modelFS{root: newDir(), crashed: make(chan struct{})} }

func (c change) apply(to map[string]modelNode) {
	if c.from != "" {
		delete(to, c.from)
	}
	if c.node == (modelNode{}) {
		delete(to, c.name)
	} else {
		to[c.name] = c.node
	}
}

func (d *modelDir) do(c change) {
	c.apply(d.now)
	d.pending = append(d.pending, c)
}

// begin counts an operation; mu is held after it.
func (m *modelFS) begin(what, name string) error {
	m.mu.Lock()
	m.ops++
	m.log = append(m.log, what+" "+path.Base(name))
	if m.crashAt > 0 && m.ops >= m.crashAt {
		if m.ops == m.crashAt {
			close(m.crashed)
		}
		return errCrashed
	}
	if m.fault != nil {
		return m.fault(m.ops, what, name)
	}
	return nil
}

func (m *modelFS) isCrashed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.crashAt > 0 && m.ops >= m.crashAt
}

func (m *modelFS) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// at finds the directory of a name.
func (m *modelFS) at(name string) (*modelDir, string, error) {
	d := m.root
	parts := strings.Split(strings.Trim(path.Clean(name), "/"), "/")
	for _, p := range parts[:len(parts)-1] {
		n, ok := d.now[p]
		if !ok || n.dir == nil {
			return nil, "", &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
		}
		d = n.dir
	}
	return d, parts[len(parts)-1], nil
}

func (m *modelFS) node(name string) (modelNode, error) {
	if strings.Trim(name, "/") == "" {
		return modelNode{dir: m.root}, nil
	}
	d, base, err := m.at(name)
	if err != nil {
		return modelNode{}, err
	}
	n, ok := d.now[base]
	if !ok {
		return n, &fs.PathError{Op: "stat", Path: name, Err: syscall.ENOENT}
	}
	return n, nil
}

func (m *modelFS) OpenFile(name string, flag int, _ fs.FileMode) (spool.File, error) {
	err := m.begin("open", name)
	defer m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d, base, err := m.at(name)
	if err != nil {
		return nil, err
	}
	n, ok := d.now[base]
	switch {
	case ok && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EEXIST}
	case !ok && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	case !ok:
		n = modelNode{file: &modelFile{}}
		d.do(change{name: base, node: n})
	case flag&os.O_TRUNC != 0:
		n.file.data, n.file.lost = nil, nil
	}
	return &modelHandle{m: m, f: n.file, name: name}, nil
}

func (m *modelFS) Mkdir(name string, _ fs.FileMode) error {
	err := m.begin("mkdir", name)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	d, base, err := m.at(name)
	if err != nil {
		return err
	}
	if _, ok := d.now[base]; ok {
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.EEXIST}
	}
	d.do(change{name: base, node: modelNode{dir: newDir()}})
	return nil
}

func (m *modelFS) Rename(from, to string) error {
	err := m.begin("rename", to)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	n, err := m.node(from)
	if err != nil {
		return err
	}
	d, base, err := m.at(to)
	if err != nil {
		return err
	}
	if path.Dir(from) != path.Dir(to) {
		return errors.New("a rename between directories is not relied on")
	}
	d.do(change{name: base, node: n, from: path.Base(from)})
	return nil
}

func (m *modelFS) Link(from, to string) error {
	err := m.begin("link", to)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	n, err := m.node(from)
	if err != nil {
		return err
	}
	d, base, err := m.at(to)
	if err != nil {
		return err
	}
	if _, ok := d.now[base]; ok {
		return &fs.PathError{Op: "link", Path: to, Err: syscall.EEXIST}
	}
	d.do(change{name: base, node: n})
	return nil
}

func (m *modelFS) Remove(name string) error {
	err := m.begin("remove", name)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := m.node(name); err != nil {
		return err
	}
	d, base, err := m.at(name)
	if err != nil {
		return err
	}
	d.do(change{name: base})
	return nil
}

func (m *modelFS) Stat(name string) (fs.FileInfo, error) {
	err := m.begin("stat", name)
	defer m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	n, err := m.node(name)
	return modelInfo{n}, err
}

func (m *modelFS) ReadDir(name string, each func(string) error) error {
	err := m.begin("readdir", name)
	var all []string
	if err == nil {
		var n modelNode
		if n, err = m.node(name); err == nil {
			for base := range n.dir.now {
				all = append(all, base)
			}
		}
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	for _, base := range all {
		if err := each(base); err != nil {
			return err
		}
	}
	return nil
}

func (m *modelFS) SyncDir(name string) error {
	err := m.begin("syncdir", name)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	n, err := m.node(name)
	if err != nil {
		return err
	}
	n.dir.durable, n.dir.pending = maps.Clone(n.dir.now), nil
	return nil
}

func (m *modelFS) Space(string) (spool.Space, error) {
	err := m.begin("statfs", "")
	defer m.mu.Unlock()
	return spool.Space{Free: 1 << 40, Type: 0xef53}, err
}

func (m *modelFS) Lock(name, _ string) (io.Closer, error) {
	err := m.begin("lock", name)
	defer m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if m.locked {
		return nil, &spool.LockedError{}
	}
	m.locked = true
	return closing(func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.locked = false
		return nil
	}), nil
}

type closing func() error

func (c closing) Close() error { return c() }

type modelInfo struct{ n modelNode }

func (i modelInfo) Name() string       { return "" }
func (i modelInfo) Size() int64        { return 0 }
func (i modelInfo) ModTime() time.Time { return time.Time{} }
func (i modelInfo) IsDir() bool        { return i.n.dir != nil }
func (i modelInfo) Sys() any           { return nil }
func (i modelInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

type modelHandle struct {
	m    *modelFS
	f    *modelFile
	name string
}

func (h *modelHandle) ReadAt(p []byte, off int64) (int, error) {
	err := h.m.begin("read", h.name)
	defer h.m.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if off >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *modelHandle) Write(p []byte) (int, error) {
	err := h.m.begin("write", h.name)
	defer h.m.mu.Unlock()
	if err != nil {
		n := len(p) / 2 // a failing write writes something
		h.f.data = append(h.f.data[:len(h.f.data):len(h.f.data)], p[:n]...)
		return n, err
	}
	h.f.data = append(h.f.data[:len(h.f.data):len(h.f.data)], p...)
	return len(p), nil
}

func (h *modelHandle) Sync() error {
	err := h.m.begin("sync", h.name)
	defer h.m.mu.Unlock()
	if err != nil {
		h.f.lost = append(h.f.lost, lostBytes{min(len(h.f.durable), len(h.f.data)), len(h.f.data)})
		return err
	}
	h.f.durable = h.f.medium()
	return nil
}

func (h *modelHandle) Size() (int64, error) {
	err := h.m.begin("size", h.name)
	defer h.m.mu.Unlock()
	return int64(len(h.f.data)), err
}

func (h *modelHandle) Close() error {
	err := h.m.begin("close", h.name)
	defer h.m.mu.Unlock()
	return err
}

// loss is how much of what was not synced a crash takes.
type loss int

const (
	loseAll loss = iota
	loseNothing
	loseSome
)

// reboot is the file system after a crash.
func (m *modelFS) reboot(l loss, r *rand.Rand) *modelFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[*modelFile]*modelFile{}
	out := newModelFS()
	out.root = m.root.reboot(l, r, files)
	return out
}

func (d *modelDir) reboot(l loss, r *rand.Rand, files map[*modelFile]*modelFile) *modelDir {
	left := maps.Clone(d.durable)
	for _, c := range d.pending {
		if l == loseNothing || l == loseSome && r.IntN(2) == 0 {
			c.apply(left)
		}
	}
	out := newDir()
	for name, n := range left {
		switch {
		case n.dir != nil:
			n = modelNode{dir: n.dir.reboot(l, r, files)}
		case files[n.file] != nil:
			n = modelNode{file: files[n.file]}
		default:
			f := n.file.reboot(l, r)
			files[n.file] = f
			n = modelNode{file: f}
		}
		out.now[name] = n
	}
	out.durable = maps.Clone(out.now)
	return out
}

func (f *modelFile) reboot(l loss, r *rand.Rand) *modelFile {
	data := f.durable
	switch {
	case l == loseNothing:
		data = f.medium()
	case l == loseSome && len(f.data) > len(f.durable):
		kept := len(f.durable) + r.IntN(len(f.data)-len(f.durable)+1)
		data = append([]byte(nil), f.data[:kept]...)
		if r.IntN(2) == 0 { // the length came to the medium, the bytes did not
			data = append(data, make([]byte, len(f.data)-kept)...)
		}
	}
	data = append([]byte(nil), data...)
	return &modelFile{data: data, durable: data}
}
