// Package proc reads what the kernel knows of a process: its memory from
// /proc, its processor time from its clock.
package proc
