// Package load is the work that a benchmark gives to an application: so many
// objects of such a size, so many at a time, out of memory, a stream or a file.
//
// The application says only how it puts one object. Everything else, and what is
// measured from inside, is the same for all: two applications that were given the
// same Job differ in nothing but their way to put it.
package load
