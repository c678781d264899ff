// Package load is the work that a benchmark gives to an application: so many
// objects of such a size, so many at a time, out of memory, a stream or a file.
//
// The application provides only the function that puts one object. The rest, with the
// measurements inside the process, is the same for all: two applications with the same
// Job differ only in the way they put an object.
package load
