package sink

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Options simulate a network.
type Options struct {
	Delay time.Duration // added to every response, except those of STS and of CountPath
	Rate  int64         // bytes a second that one connection is read with; 0: as fast as it goes
}

// Count counts the objects that have arrived.
type Count struct {
	Objects  int64 `json:"objects"`  // put, or completed
	Bytes    int64 `json:"bytes"`    // of those objects, without any transfer encoding
	Requests int64 `json:"requests"` // of S3
}

// Sink is the endpoint. Serve it with a Server.
type Sink struct {
	delay time.Duration
	pages sync.Pool // of *[]byte

	mu      sync.Mutex
	count   Count
	arrived chan struct{} // closed, and replaced, with every object
	objects map[string]object
	uploads map[string]*upload
	nextID  int
}

// object holds the values that HeadObject returns.
type object struct {
	size int64
	etag string
	seen http.Header // encryption and checksum, as answered
}

// upload is an open multipart upload.
type upload struct {
	path  string
	asked http.Header // encryption, as asked for
	parts map[int]int64
}

// pageSize is the number of bytes of a body that one read takes.
const pageSize = 256 << 10

// New makes an empty sink.
func New(o Options) *Sink {
	return &Sink{
		delay:   o.Delay,
		pages:   sync.Pool{New: func() any { page := make([]byte, pageSize); return &page }},
		arrived: make(chan struct{}),
		objects: make(map[string]object),
		uploads: make(map[string]*upload),
	}
}

// Count returns the counts so far.
func (s *Sink) Count() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Wait returns when n objects have arrived since the sink was made, or ctx ends.
func (s *Sink) Wait(ctx context.Context, n int64) error {
	for {
		s.mu.Lock()
		enough, more := s.count.Objects >= n, s.arrived
		s.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keep counts an object. The caller holds the lock.
func (s *Sink) keep(path string, o object) {
	s.objects[path] = o
	s.count.Objects++
	s.count.Bytes += o.size
	close(s.arrived)
	s.arrived = make(chan struct{})
}
