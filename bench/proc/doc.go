// Package proc reads the resource usage of a process: its memory from
// /proc, its processor time from its clock.
package proc
