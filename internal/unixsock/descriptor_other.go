//go:build !linux

package unixsock

import "os"

func checkFileSystem(int, int) error { return nil }

// ReadAhead does nothing on this system.
func ReadAhead(*os.File, int64, int64) {}
