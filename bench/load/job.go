package load

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// The bodies that a Job can ask for.
const (
	Memory = "memory" // a slice of bytes: an io.ReadSeeker
	Stream = "stream" // an io.Reader without Seek
	File   = "file"   // a file on disk, by its path
)

// Job describes the objects that an application sends.
type Job struct {
	Objects  int
	Size     int64  // of each object, in bytes
	InFlight int    // objects that are sent at a time
	Body     string // Memory, Stream or File
	Path     string // with File: the file, of Size bytes
	Prefix   string // of the objects' names
}

// Flags registers the flags that describe a job.
func (j *Job) Flags(f *flag.FlagSet) {
	f.IntVar(&j.Objects, "objects", 1, "how many `objects` to send")
	f.Int64Var(&j.Size, "size", 16<<10, "`bytes` of each")
	f.IntVar(&j.InFlight, "in-flight", 1, "how many at a time")
	f.StringVar(&j.Body, "body", Memory, "memory, stream or file")
	f.StringVar(&j.Path, "file", "", "the `path` to send with -body file")
	f.StringVar(&j.Prefix, "prefix", "object", "what the objects' names begin with")
}

// Arguments returns the flags that describe the job.
func (j Job) Arguments() []string {
	return []string{
		fmt.Sprint("-objects=", j.Objects), fmt.Sprint("-size=", j.Size), fmt.Sprint("-in-flight=", j.InFlight),
		"-body=" + j.Body, "-file=" + j.Path, "-prefix=" + j.Prefix,
	}
}

// Bytes is the size of all objects together.
func (j Job) Bytes() int64 { return int64(j.Objects) * j.Size }

func (j Job) check() error {
	switch {
	case j.Objects < 1 || j.Size < 0 || j.InFlight < 1:
		return errors.New("a job has at least one object, and one in flight")
	case j.Body != Memory && j.Body != Stream && j.Body != File:
		return fmt.Errorf("-body %q: memory, stream or file", j.Body)
	case (j.Body == File) != (j.Path != ""):
		return errors.New("-file goes with -body file")
	}
	return nil
}

// Object is one object to put.
type Object struct {
	Name string
	Size int64
	Path string    // with File
	Body io.Reader // otherwise
}

// Open returns the body in the form in which an application passes it to an SDK: a
// file, a reader of bytes, or a stream. Call the function to close it.
func (o Object) Open() (body io.Reader, end func(), err error) {
	if o.Path == "" {
		return o.Body, func() {}, nil
	}
	f, err := os.Open(o.Path)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil
}

// blockSize fits in a processor's cache: generating the bytes must cost little
// compared with sending them.
const blockSize = 256 << 10

// Block returns the block that all bodies repeat. It does not compress.
func Block() []byte {
	block := make([]byte, blockSize)
	random := rand.NewChaCha8([32]byte{'b', 'r', 'o', 'k', 'e', 'r', 'd'})
	_, _ = random.Read(block) // never fails
	return block
}

// NewStream returns a reader of n bytes that repeats block.
func NewStream(block []byte, n int64) io.Reader {
	return io.LimitReader(&repeating{block: block}, n)
}

type repeating struct {
	block []byte
	at    int
}

// Read implements io.Reader.
func (r *repeating) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// object is the i-th object of the job.
func (j Job) object(block []byte, i int) Object {
	o := Object{Name: fmt.Sprintf("%s-%06d", j.Prefix, i), Size: j.Size}
	switch {
	case j.Body == File:
		o.Path = j.Path
	case j.Body == Memory && j.Size <= int64(len(block)):
		o.Body = bytes.NewReader(block[:j.Size])
	case j.Body == Memory:
		o.Body = bytes.NewReader(bytes.Repeat(block, int(j.Size/int64(len(block))+1))[:j.Size])
	default:
		o.Body = NewStream(block, j.Size)
	}
	return o
}
