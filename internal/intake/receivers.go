package intake

import (
	"sync"
	"sync/atomic"
)

// receivers is a pool of the goroutines that receive messages of uploads. An upload
// needs a goroutine that may stay blocked in a receive after its reader has given up.
// The pool keeps a few for later uploads, because their stacks have grown already.
type receivers struct {
	work chan func()
	idle atomic.Int32
	once sync.Once
	end  chan struct{}
}

// keptReceivers is the largest number of idle goroutines.
const keptReceivers = 16

func newReceivers() *receivers {
	return &receivers{work: make(chan func()), end: make(chan struct{})}
}

// run calls receive in a goroutine.
func (r *receivers) run(receive func()) {
	select {
	case r.work <- receive:
	default:
		go r.loop(receive)
	}
}

func (r *receivers) loop(receive func()) {
	for {
		receive()
		if r.idle.Add(1) > keptReceivers {
			r.idle.Add(-1)
			return
		}
		select {
		case receive = <-r.work:
			r.idle.Add(-1)
		case <-r.end:
			return
		}
	}
}

// close ends the idle goroutines; the others end with their upload.
func (r *receivers) close() { r.once.Do(func() { close(r.end) }) }
