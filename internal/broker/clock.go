package broker

import (
	"sync/atomic"
	"time"
)

const (
	// skewNoise is what a Date header, which counts in seconds, and the way of the
	// answer add to a clock that is right.
	skewNoise = 5 * time.Second
	// skewWarn is the skew above which signatures and sessions begin to suffer.
	skewWarn = time.Minute
)

// clock is the local wall clock, corrected by what the answers of STS say the
// time is. Expiries are STS's, and are compared with STS's time.
type clock struct {
	offset atomic.Int64 // what to add to the local clock, nanoseconds
}

func (c *clock) skew() time.Duration { return time.Duration(c.offset.Load()) }

// now never uses the monotonic clock: it stands still while a machine is suspended.
func (c *clock) now() time.Time { return time.Now().Round(0).Add(c.skew()) }

// nanoseconds is now for the reads from memory.
func (c *clock) nanoseconds() int64 { return time.Now().UnixNano() + c.offset.Load() }

// learn takes in the time that a server gave when the local clock said local.
// It says whether the offset changed.
func (c *clock) learn(server, local time.Time) bool {
	offset := server.Round(0).Sub(local.Round(0))
	if offset.Abs() < skewNoise {
		offset = 0
	}
	was := time.Duration(c.offset.Load())
	if (offset-was).Abs() < skewNoise && (offset == 0) == (was == 0) {
		return false
	}
	c.offset.Store(int64(offset))
	return true
}

// stepped is told that the wall clock moved otherwise than time passed: somebody
// set it, or the machine was suspended. An offset that lengthens lives may be
// wrong from now on and is dropped until the next answer; one that shortens
// them is kept: at worst it costs a refresh.
func (c *clock) stepped() bool {
	if c.skew() < 0 {
		c.offset.Store(0)
		return true
	}
	return false
}

// steps compares two readings of the local clock, with their monotonic parts.
func steps(last, now time.Time) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - now.Sub(last)
}
