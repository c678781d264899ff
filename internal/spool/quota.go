package spool

import "time"

const (
	retryAfterFull   = 5 * time.Second
	retryAfterParked = time.Minute
)

// ledger is the bytes that the objects and the reservations hold, of all users and of
// each, next to the limits of all destinations together. The bytes of a destination are
// in its queue. The mutex of the index guards it.
type ledger struct {
	dir          *directory
	limits       limits
	total        int64
	unwritten    int64 // bytes that are reserved and not on disk yet
	userBytes    map[uint32]int64
	reservations map[*reservation]struct{} // of objects that are received
}

// limits bound all destinations together.
type limits struct{ total, perUID, minFree int64 }

// reservation is an object's share of the quotas while it is received.
type reservation struct {
	index     *index
	queue     *destQueue
	uid       uint32
	bytes     int64 // reserved
	announced bool
	ahead     int64 // of bytes, not yet written
	began     time.Time
}

// reserve takes the announced size and one file from the quotas, before the first
// byte is read. It takes mu.
func (x *index) reserve(h *Header) (*reservation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	res := &reservation{index: x, queue: x.queue(h.Destination), uid: h.UID, announced: h.Size >= 0, began: time.Now()}
	if most := res.queue.limits.Files; most > 0 && res.queue.files >= most {
		return nil, res.full(QuotaDestinationFiles, int64(most), int64(res.queue.files), 0)
	}
	n := max(h.Size, 0)
	if err := res.takeOrLapse(n); err != nil {
		return nil, err
	}
	x.ledger.reservations[res] = struct{}{}
	res.ahead = n
	x.ledger.unwritten += n
	res.queue.files++
	// statfs reads no disk, so it may run under mu.
	if err := x.ledger.free(h.Destination, 0); err != nil {
		res.drop()
		return nil, err
	}
	return res, nil
}

// take reserves n more bytes, or returns a *FullError; mu is held.
func (r *reservation) take(n int64) error {
	l := &r.index.ledger
	for _, q := range []struct {
		which       Quota
		limit, used int64
	}{
		{QuotaTotal, l.limits.total, l.total},
		{QuotaDestinationBytes, r.queue.limits.Bytes, r.queue.bytes},
		{QuotaUser, l.limits.perUID, l.userBytes[r.uid]},
	} {
		if q.limit > 0 && n > q.limit-q.used {
			return r.full(q.which, q.limit, q.used, r.bytes+n)
		}
	}
	l.hold(r.queue, r.uid, n)
	r.bytes += n
	return nil
}

func (r *reservation) full(which Quota, limit, used, want int64) error {
	e := &FullError{Which: which, Destination: r.queue.name, Limit: limit, Used: used, RetryAfter: retryAfterFull}
	switch {
	case want > limit:
		e.RetryAfter = 0
	case r.queue.parked != nil:
		e.RetryAfter = retryAfterParked
	}
	return e
}

// grow reserves room for a body that has reached size bytes.
func (r *reservation) grow(size int64) error {
	r.index.mu.Lock()
	defer r.index.mu.Unlock()
	if !r.announced {
		return r.takeOrLapse(size - r.bytes)
	}
	r.index.ledger.unwritten -= r.ahead - (r.bytes - size)
	r.ahead = r.bytes - size
	return nil
}

const (
	// lapseAfter is the age from which a reservation may lapse.
	lapseAfter = 30 * time.Second
	// lapseSpeed is the speed, in bytes a second, that keeps a reservation.
	lapseSpeed = 256 << 10
)

// takeOrLapse takes n more bytes. When the quotas are full, the reservations lapse whose
// bytes come too slowly; mu is held.
func (r *reservation) takeOrLapse(n int64) error {
	err := r.take(n)
	if err == nil || !r.index.ledger.lapse(time.Now()) {
		return err
	}
	return r.take(n)
}

// lapse gives back the announced bytes that have not come, of uploads that are slower
// than lapseSpeed, and reports whether there were any. Such an upload goes on, and
// reserves its bytes as they come; mu is held.
func (l *ledger) lapse(now time.Time) (some bool) {
	for r := range l.reservations {
		age := now.Sub(r.began)
		if r.ahead == 0 || age < lapseAfter || float64(r.bytes-r.ahead) >= age.Seconds()*lapseSpeed {
			continue
		}
		l.unwritten -= r.ahead
		l.release(r.queue, r.uid, r.ahead)
		r.bytes -= r.ahead
		r.ahead, r.announced, some = 0, false, true
	}
	return some
}

// settle ends the reservation of an accepted object and returns the surplus; mu is
// held. From now on the object holds the bytes.
func (r *reservation) settle(size int64) {
	delete(r.index.ledger.reservations, r)
	r.index.ledger.unwritten -= r.ahead
	r.ahead = 0
	r.index.ledger.release(r.queue, r.uid, r.bytes-size)
}

// cancel returns the whole reservation.
func (r *reservation) cancel() {
	r.index.mu.Lock()
	defer r.index.mu.Unlock()
	r.drop()
}

func (r *reservation) drop() {
	r.settle(0)
	r.queue.files--
}

// hold adds n bytes of a user to the quotas.
func (l *ledger) hold(to *destQueue, uid uint32, n int64) {
	l.total += n
	to.bytes += n
	l.userBytes[uid] += n
}

// release returns n bytes to the quotas; mu is held.
func (l *ledger) release(to *destQueue, uid uint32, n int64) {
	l.total -= n
	to.bytes -= n
	if l.userBytes[uid] -= n; l.userBytes[uid] == 0 {
		delete(l.userBytes, uid)
	}
}

// checkFree returns a *FullError when n more bytes, with the bytes that other uploads
// have announced and not written, would leave less than the free space to keep. It takes mu.
func (x *index) checkFree(destination string, n int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ledger.free(destination, n)
}

// free is checkFree with mu held.
func (l *ledger) free(destination string, n int64) error {
	floor := l.limits.minFree
	if floor <= 0 {
		return nil
	}
	space, err := l.dir.fs.Space(l.dir.root)
	if err != nil {
		return ioError("statfs", ".", err)
	}
	if left := space.Free - l.unwritten - n; left < floor {
		return &FullError{Which: QuotaFree, Destination: destination, Limit: floor, Used: max(left, 0), RetryAfter: retryAfterFull}
	}
	return nil
}
