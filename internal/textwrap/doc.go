// Package textwrap fits text into the columns of a terminal.
//
// Guarantees: it counts the columns that a terminal shows, so that colours are free and
// wide characters count twice. It breaks lines at spaces only: a word without spaces,
// such as an ARN, and a command between backquotes stay whole, so that they can be copied.
package textwrap
