package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/brokerd/brokerd/bench/proc"
)

// Put sends one object, and returns when the receiver has confirmed it. It is
// called from several goroutines.
type Put func(context.Context, Object) error

// Report is the application's own measurement of a run.
type Report struct {
	Objects int     `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // from the first object's beginning to the last one's confirmation
	Peak    int64   `json:"peak"`    // bytes of resident memory
}

// Run does the job and writes the Report as a line of JSON. The first object
// that cannot be put ends it.
func (j Job) Run(ctx context.Context, put Put, w io.Writer) error {
	if err := j.check(); err != nil {
		return err
	}
	block := Block()
	began := time.Now()
	if err := j.putAll(ctx, put, block); err != nil {
		return err
	}
	r := Report{Objects: j.Objects, Bytes: j.Bytes(), Seconds: time.Since(began).Seconds()}
	memory, err := proc.MemoryOf(0)
	if err != nil {
		return err
	}
	r.Peak = memory.Peak
	return json.NewEncoder(w).Encode(r)
}

func (j Job) putAll(ctx context.Context, put Put, block []byte) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	next := make(chan int)
	var senders sync.WaitGroup
	for range min(j.InFlight, j.Objects) {
		senders.Go(func() {
			for i := range next {
				if err := put(ctx, j.object(block, i)); err != nil {
					fail(fmt.Errorf("object %d: %w", i, err))
					return
				}
			}
		})
	}
	for i := 0; i < j.Objects && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	senders.Wait()
	return context.Cause(ctx)
}
