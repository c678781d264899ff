package rpc

import (
	"sync"
	"sync/atomic"
)

// receivers are the goroutines that receive the messages of uploads. An upload
// needs one that can be left waiting, while its reader gives up. A few are kept
// for the next upload: their stacks have grown already, as those of the server's
// own stream workers have.
type receivers struct {
	work chan func()
	idle atomic.Int32
	once sync.Once
	end  chan struct{}
}

// keptReceivers is how many wait for work.
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

// close ends those that wait, and keeps none from then on.
func (r *receivers) close() { r.once.Do(func() { close(r.end) }) }
