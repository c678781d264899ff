package spool

import (
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// index is the objects in memory: the record of each object that waits or is dead, the
// place of each receipt, and the queue of each destination. A record is in records
// exactly as long as the figures of its queue and the ledger contain it.
//
// mu also guards the ledger, the scheduler, the claims, the list of unusable files, the
// calls that wait for a change, and the life of the Spool. A method is called with mu held,
// unless it says that it takes mu. No file is read or written under mu.
type index struct {
	mu      sync.Mutex
	records map[ulid.ULID]*record
	idems   map[idem]ulid.ULID
	done    map[ulid.ULID]receiptRef
	queues  map[string]*destQueue
	order   []*destQueue
	scanned time.Time // when findOldest last scanned all records
	ledger  ledger
}

func newIndex(dir *directory) *index {
	return &index{
		records: map[ulid.ULID]*record{}, idems: map[idem]ulid.ULID{}, done: map[ulid.ULID]receiptRef{}, queues: map[string]*destQueue{},
		ledger: ledger{dir: dir, userBytes: map[uint32]int64{}, reservations: map[*reservation]struct{}{}},
	}
}

// queue returns the queue of a destination, a new one if there is none.
func (x *index) queue(name string) *destQueue {
	l := x.queues[name]
	if l == nil {
		l = newDestQueue(name)
		x.queues[name] = l
		x.order = append(x.order, l)
	}
	return l
}

// count adds a record to the figures of its queue (sign 1), or subtracts it (-1).
func (x *index) count(r *record, sign int64) {
	l := r.queue
	switch r.state {
	case Queued:
		l.queued += int(sign)
		l.queuedBytes += sign * r.size
	case Delivering:
		l.delivering += int(sign)
		l.deliveryBytes += sign * r.size
	case Dead:
		l.dead += int(sign)
		l.deadBytes += sign * r.size
	}
}

// move changes the state of a record.
func (x *index) move(r *record, to State) {
	x.count(r, -1)
	if r.state == Dead {
		r.queue.noteOldest(r)
	}
	r.state = to
	x.count(r, 1)
}

// journaled records that an object has a journal. It takes mu.
func (x *index) journaled(id ulid.ULID) {
	x.mu.Lock()
	if r := x.records[id]; r != nil {
		r.journaled = true
	}
	x.mu.Unlock()
}

func (x *index) newRecord(id ulid.ULID, foot *footer, state State) *record {
	return &record{
		id: id, queue: x.queue(foot.header.Destination), idem: foot.header.idem(), size: foot.size,
		received: foot.header.Received.UnixNano(), uid: foot.header.UID, crc: foot.crc, state: state,
	}
}

// enter adds a record to the index.
func (x *index) enter(r *record) {
	x.records[r.id] = r
	if r.idem != (idem{}) {
		x.idems[r.idem] = r.id
	}
	if r.state != Dead {
		r.queue.noteOldest(r)
	}
	x.count(r, 1)
	if r.state == Queued {
		r.queue.put(r, time.Now())
	}
}

// found adds an object on disk to the index and to the quotas.
func (x *index) found(id ulid.ULID, foot *footer, state State) *record {
	r := x.newRecord(id, foot, state)
	x.ledger.hold(r.queue, r.uid, r.size)
	r.queue.files++
	x.enter(r)
	return r
}

// forget removes a record from the index and releases its bytes.
func (x *index) forget(r *record) {
	x.count(r, -1)
	r.dropped = true
	delete(x.records, r.id)
	if x.idems[r.idem] == r.id {
		delete(x.idems, r.idem)
	}
	x.ledger.release(r.queue, r.uid, r.size)
	r.queue.files--
}
