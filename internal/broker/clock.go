package broker

import (
	"sync/atomic"
	"time"
)

const (
	// skewNoise is the apparent skew of a clock that is right: a Date header counts in
	// seconds, and the response takes time to arrive.
	skewNoise = 5 * time.Second
	// skewWarn is the skew above which the log warns: signatures may be refused.
	skewWarn = time.Minute
)

// clock is the local wall clock, corrected by the time in STS's responses. Expiries
// come from STS, so they are compared with STS's time.
type clock struct {
	offset atomic.Int64 // to add to the local clock, in nanoseconds
}

func (c *clock) skew() time.Duration { return time.Duration(c.offset.Load()) }

// now has no monotonic part: that part stands still while a host is suspended.
func (c *clock) now() time.Time { return time.Now().Round(0).Add(c.skew()) }

// nanoseconds is now for reads of the cached session.
func (c *clock) nanoseconds() int64 { return time.Now().UnixNano() + c.offset.Load() }

// observeServerTime takes the time that a server stated at local time. It reports
// whether the offset changed.
func (c *clock) observeServerTime(server, local time.Time) bool {
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

// wallClockJumped is called when the wall clock and elapsed time differ: the clock was
// set, or the host was suspended. It drops an offset that makes lives longer until the
// next response, because it may be wrong now. An offset that makes lives shorter stays:
// at worst it costs a refresh. It reports whether the offset changed.
func (c *clock) wallClockJumped() bool {
	if c.skew() < 0 {
		c.offset.Store(0)
		return true
	}
	return false
}

// jump returns how far the wall clock moved beyond the elapsed time between two
// readings of the local clock with their monotonic parts.
func jump(last, now time.Time) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - now.Sub(last)
}
