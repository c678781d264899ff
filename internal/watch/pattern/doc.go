// Package pattern holds the two small languages of a watch: globs that select files, and
// templates that name objects.
//
// Guarantees:
//
//   - A [Glob] has a fixed beginning, a directory without wildcards. It selects no file
//     outside that directory, whatever a pattern or a file's name contains.
//   - "**" spans at most [MaxDepth] directories.
//   - A [Template] renders equal files to equal names, and never an empty segment, ".",
//     ".." or a control character that comes from a file's name.
//
// It refuses relative globs, globs with ".." and alternatives that contain a '/', because
// they would have no fixed beginning. It reads no file system.
package pattern
