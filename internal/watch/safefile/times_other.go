//go:build !linux

package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

func mtimeOf(st *unix.Stat_t) int64 { return unix.TimespecToNsec(st.Mtim) }
func ctimeOf(st *unix.Stat_t) int64 { return unix.TimespecToNsec(st.Ctim) }

// Birth returns 0: it is not read on this system.
func Birth(*os.File) int64 { return 0 }
