// Package fusetest is the file system of a hostile user: it leaves chosen requests of
// other processes unanswered. A process of its own serves it by FUSE and hands its file
// over, because a process that has such a file may not end. It needs root and /dev/fuse.
package fusetest
