package rpc

import (
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/unixsock"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// heartbeatEvery is how often a peer that handed over a file hears of the daemon until
// the final answer. A client gives up after 15 s of silence.
const heartbeatEvery = 5 * time.Second

// heartbeat tells a waiting peer that the daemon is alive: a long delivery and a frozen
// daemon look the same otherwise.
type heartbeat struct {
	c *unixsock.FileConn

	mu      sync.Mutex
	timer   *time.Timer
	id      string
	stopped bool
}

func startHeartbeat(c *unixsock.FileConn) *heartbeat {
	h := &heartbeat{c: c}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(heartbeatEvery, h.beat)
	return h
}

func (h *heartbeat) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped || h.write() != nil {
		return // the peer left, or does not read
	}
	h.timer.Reset(heartbeatEvery)
}

// announce tells the peer the id of its upload.
func (h *heartbeat) announce(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id = id
	return h.write()
}

func (h *heartbeat) write() error {
	return write(h.c, &brokerdv1.FileUploadResult{UploadId: h.id, Heartbeat: durationpb.New(heartbeatEvery)})
}

// stop ends the heartbeats before the final answer. It may be called twice.
func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	h.timer.Stop()
}

// fileSender is a peer that handed over a file. It implements intake.Announcer.
type fileSender struct {
	beat *heartbeat
	out  *brokerdv1.FileUploadResult // the final answer
}

// Announce implements intake.Announcer.
func (s fileSender) Announce(id string) error {
	s.out.UploadId = id
	return s.beat.announce(id)
}
