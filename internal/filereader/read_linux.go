package filereader

import (
	"errors"
	"hash/crc32"
	"io"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

// step is how many bytes of a file are moved at a time.
const step = 1 << 20

// fileState is the state of a file by which a later change is noticed.
type fileState struct {
	size              int64
	modified, changed unix.Timespec // mtime and ctime
}

func stateOf(fd int) (fileState, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return fileState{st.Size, st.Mtim, st.Ctim}, err
}

// open refuses a file that this process does not read, or that is too short.
func (j *job) open() (err error) {
	if err := inspect(j.fd); err != nil {
		return err
	}
	if j.first, err = stateOf(j.fd); err != nil {
		return reason.New(reason.FileUnreadable, "reading the file's size: %v; nothing was stored", err)
	}
	if j.first.size < j.Offset+j.Size {
		return reason.New(
			reason.SizeMismatch,
			"the header announced %d bytes, the file has %d; nothing was stored",
			j.Size,
			max(j.first.size-j.Offset, 0),
		)
	}
	_ = unix.Fadvise(j.fd, j.Offset, j.Size, unix.FADV_SEQUENTIAL) // a hint
	return nil
}

// shrunk is the error of a file that became shorter while it was read. A new upload of
// the file may succeed.
func shrunk(got, want int64) *reason.Error {
	e := reason.New(
		reason.SizeMismatch,
		"the file had %d bytes when the upload began, and has %d now; nothing was stored. Send it again",
		want,
		max(got, 0),
	)
	e.Status = codes.Aborted
	return e
}

// copy moves the bytes into the pipe. The file's own offset is neither used nor moved:
// the peer shares it.
func (j *job) copy() error {
	move, spliced := j.splice, true
	for at, end := j.Offset, j.Offset+j.Size; at < end; {
		n, err := move(at, int(min(end-at, step)))
		at += int64(n)
		switch {
		case spliced && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM)):
			move, spliced = j.readAndWrite(make([]byte, 256<<10)), false // the file system, or the unit, has no splice
		case err != nil:
			return reason.New(reason.FileUnreadable, "reading the file after %d bytes: %v; nothing was stored", at-j.Offset, err)
		case n == 0:
			return shrunk(at-j.Offset, j.Size)
		}
	}
	return nil
}

// splice moves up to n bytes without a copy through this process.
func (j *job) splice(at int64, n int) (moved int, err error) {
	raw, err := j.pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	var serr error
	err = raw.Write(func(pipe uintptr) bool {
		for {
			var got int64
			got, serr = unix.Splice(j.fd, &at, int(pipe), nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			moved = int(got)
			if !errors.Is(serr, unix.EINTR) {
				return !errors.Is(serr, unix.EAGAIN)
			}
		}
	})
	return max(moved, 0), errors.Join(err, serr)
}

// readAndWrite does the same with a copy.
func (j *job) readAndWrite(buf []byte) func(at int64, n int) (int, error) {
	return func(at int64, n int) (int, error) {
		n, err := pread(j.fd, buf[:min(n, len(buf))], at)
		if err != nil || n == 0 {
			return 0, err
		}
		return j.pipe.Write(buf[:n])
	}
}

func pread(fd int, buf []byte, at int64) (n int, err error) {
	for {
		if n, err = unix.Pread(fd, buf, at); !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

// unchanged compares the bytes that were read with the file. Unchanged times and an unchanged size
// prove that the file was not written to. After any change the bytes are read a second
// time: a program that only appends, or a rename, leaves them as they were.
func (j *job) unchanged(c check) error {
	current, err := stateOf(j.fd)
	switch {
	case err != nil:
		return reason.New(reason.FileUnreadable, "reading the file's times: %v; nothing was stored", err)
	case current == j.first:
		return nil
	}
	crc, n, err := j.sum()
	switch {
	case err != nil:
		return reason.New(reason.FileUnreadable, "reading the file again after it changed: %v; nothing was stored", err)
	case n != j.Size:
		return shrunk(n, j.Size)
	case crc != c.CRC32C:
		return reason.New(reason.FileChanged, "the file changed while it was read; nothing was stored. Send it again when nothing writes to it")
	}
	return nil
}

// sum reads the bytes a second time, until the daemon has given the file up.
func (j *job) sum() (crc uint32, n int64, err error) {
	buf := make([]byte, 256<<10)
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for n < j.Size {
		if j.left() {
			return 0, n, io.ErrClosedPipe
		}
		got, err := pread(j.fd, buf[:min(int64(len(buf)), j.Size-n)], j.Offset+n)
		if err != nil {
			return 0, n, err
		}
		if got == 0 {
			break
		}
		_, _ = h.Write(buf[:got]) // never fails
		n += int64(got)
	}
	return h.Sum32(), n, nil
}
