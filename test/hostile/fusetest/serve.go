//go:build linux

package fusetest

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Requests that are answered always; see the kernel's header linux/fuse.h.
const (
	opLookup      = 1
	opForget      = 2
	opOpen        = 14
	opRelease     = 18
	opInit        = 26
	opOpendir     = 27
	opReleasedir  = 29
	opInterrupt   = 36
	opBatchForget = 42
)

const (
	inHeader = 40
	rootNode = 1
	fileNode = 2
)

// serve answers requests until the file system is unmounted.
func (f *fs) serve() {
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(f.dev, buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil || n < inHeader {
			return
		}
		le := binary.LittleEndian
		op, unique, node, thread := le.Uint32(buf[4:]), le.Uint64(buf[8:]), le.Uint64(buf[16:]), le.Uint32(buf[32:])
		if op == opForget || op == opBatchForget || op == opInterrupt || f.withhold(op, thread) {
			continue
		}
		body, errno := f.answer(op, node, buf[inHeader:n])
		out := le.AppendUint32(nil, uint32(16+len(body)))
		out = le.AppendUint32(out, uint32(-int32(errno)))
		out = le.AppendUint64(out, unique)
		_, _ = unix.Write(f.dev, append(out, body...)) // fails where the request was given up
	}
}

func (f *fs) answer(op uint32, node uint64, in []byte) ([]byte, unix.Errno) {
	le := binary.LittleEndian
	switch op {
	case opInit:
		out := make([]byte, 64)
		le.PutUint32(out, 7)
		le.PutUint32(out[4:], 31)
		le.PutUint32(out[8:], le.Uint32(in[8:])) // max_readahead
		le.PutUint16(out[16:], 16)               // max_background
		le.PutUint32(out[20:], 128<<10)          // max_write
		return out, 0
	case opLookup:
		if node != rootNode || string(in) != fileName+"\x00" {
			return nil, unix.ENOENT
		}
		out := make([]byte, 40) // valid for no time
		le.PutUint64(out, fileNode)
		return append(out, f.attributes(fileNode)...), 0
	case uint32(Getattr):
		return append(make([]byte, 16), f.attributes(node)...), 0
	case opOpen, opOpendir:
		return make([]byte, 16), 0
	case uint32(Read):
		at, size := le.Uint64(in[8:]), uint64(le.Uint32(in[16:]))
		at = min(at, uint64(len(Content)))
		return []byte(Content[at:min(at+size, uint64(len(Content)))]), 0
	case uint32(Statfs):
		out := make([]byte, 80)
		le.PutUint32(out[40:], 4096)
		le.PutUint32(out[44:], 255)
		return out, 0
	case uint32(Flush), opRelease, opReleasedir:
		return nil, 0
	}
	return nil, unix.ENOSYS
}

func (f *fs) attributes(node uint64) []byte {
	le := binary.LittleEndian
	out := make([]byte, 88)
	le.PutUint64(out, node)
	le.PutUint32(out[64:], 1) // links
	if node == rootNode {
		le.PutUint32(out[60:], unix.S_IFDIR|0o755)
		return out
	}
	le.PutUint64(out[8:], uint64(len(Content)))
	le.PutUint32(out[60:], unix.S_IFREG|0o644)
	return out
}
