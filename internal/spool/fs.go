package spool

import (
	"io"
	"io/fs"
)

// FS is what the spool needs of a file system. Names are paths. Errors are the
// system's, so that errors.Is finds the errno. All methods may be called from
// several goroutines.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	Rename(from, to string) error // within one directory only; replaces
	Link(from, to string) error
	Remove(name string) error
	Stat(name string) (fs.FileInfo, error)
	// ReadDir calls each with every name, in any order, and holds few of them in
	// memory at a time. Entries may be removed meanwhile. An error of each ends it.
	ReadDir(name string, each func(name string) error) error
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
	Space(name string) (Space, error)
	// Lock takes the lock file for this process, until it is closed. A *LockedError
	// says who has it.
	Lock(name, holder string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.Writer // appends
	Sync() error
	Size() (int64, error)
	Close() error
}

// Space is what statfs says.
type Space struct {
	Free int64  // bytes that this process may still use
	Type uint64 // the magic number; 0 where there is none
}
