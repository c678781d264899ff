//go:build !linux

package filereader

import (
	"context"

	"go.uber.org/zap"
)

// IsChild reports false: this system has no child.
func IsChild([]string) bool { return false }

// Serve is the child, of which this system has none.
func Serve() int { return 1 }

// Reader refuses every file on this system.
type Reader struct{}

// New returns a Reader.
func New(string, *zap.Logger) *Reader { return &Reader{} }

// Open refuses the file.
func (*Reader) Open(context.Context, Request) (f *File, taken bool, err error) {
	return nil, false, unavailable("this system hands no files over")
}

// Unanswered returns 0.
func (*Reader) Unanswered() int { return 0 }

// Close does nothing.
func (*Reader) Close() {}

// File is the body of an upload; this system has none.
type File struct{}

// Read implements io.Reader.
func (*File) Read([]byte) (int, error) { return 0, errNone }

// Interrupt implements uploader.Body.
func (*File) Interrupt(error) {}

// Accepted implements intake.Incoming.
func (*File) Accepted(string) error { return errNone }

// Verify implements intake.Incoming.
func (*File) Verify(int64, uint32) error { return errNone }

// Close does nothing.
func (*File) Close() {}

var errNone = unavailable("this system hands no files over")
