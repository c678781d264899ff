// Package dependencies compares docs/dependencies.md with the modules that the programs
// link, and with the licence files of those modules.
package dependencies
