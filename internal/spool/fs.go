package spool

import (
	"io"
	"io/fs"
)

// FS is the part of a file system that the spool uses. Names are paths. Errors wrap
// the system's errno. All methods may be called from several goroutines.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	Rename(from, to string) error // within one directory only; replaces
	Link(from, to string) error
	Remove(name string) error
	Stat(name string) (fs.FileInfo, error)
	// ReadDir calls each with every name, in any order, and holds few names in
	// memory at a time. Entries may be removed meanwhile. ReadDir returns the first
	// error of each.
	ReadDir(name string, each func(name string) error) error
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
	Space(name string) (Space, error)
	// Lock locks the lock file for this process until the returned Closer is closed.
	// When another process holds the lock, the error is a *LockedError.
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

// Space is the result of statfs.
type Space struct {
	Free int64  // bytes that this process may use
	Type uint64 // the magic number; 0 where there is none
}
