package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/oklog/ulid/v2"
)

// How far the time in a client's key may be from the daemon's clock. Older keys
// than the receipts are kept for could not be honoured anyway.
const (
	keyMaxAge  = 24 * time.Hour
	keyMaxLead = 5 * time.Minute
)

// identify gives an upload its id and the time that its key is made with. The
// same idempotency key of the same user and destination gives the same id: from
// memory, or, when the key is itself a ULID, from the key alone, so that it holds
// over a restart.
func (l *Ledger) identify(uid uint32, destination, key string, now time.Time) (id string, received time.Time) {
	if key == "" {
		return ulid.Make().String(), now
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uid))
	h.Write([]byte(destination))
	h.Write([]byte{0})
	h.Write([]byte(key))
	sum := h.Sum(nil)
	name := string(sum)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.keys.Get(name); ok {
		return known, ulid.MustParse(known).Timestamp()
	}
	at := now
	if u, err := ulid.ParseStrict(key); err == nil {
		if t := u.Timestamp(); t.After(now.Add(-keyMaxAge)) && t.Before(now.Add(keyMaxLead)) {
			at = t
		}
	}
	var u ulid.ULID
	_ = u.SetTime(ulid.Timestamp(at)) // fails after the year 10889
	copy(u[6:], sum)                  // 80 bits of what names the upload
	l.keys.Add(name, u.String())
	return u.String(), u.Timestamp()
}

// begin opens a record. When the upload has been stored before, it returns that
// record; when it is under way, by an earlier call of the same client, it waits
// for that one to end.
func (l *Ledger) begin(ctx context.Context, r record) (earlier *record, end func(), err error) {
	for {
		l.mu.Lock()
		other := l.running[r.id]
		if other == nil {
			if was, ok := l.uploads.Get(r.id); ok && was.ended && was.failure == nil {
				l.mu.Unlock()
				return &was, func() {}, nil
			}
			done := make(chan struct{})
			l.running[r.id] = done
			l.uploads.Add(r.id, r)
			l.mu.Unlock()
			return nil, func() {
				l.mu.Lock()
				delete(l.running, r.id)
				l.mu.Unlock()
				close(done)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// ended returns a channel that is closed when the upload that runs under id has
// ended; nil when none does.
func (l *Ledger) ended(id string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.running[id]; c != nil {
		return c
	}
	return nil
}

// forget drops a record that somebody else keeps.
func (l *Ledger) forget(id string) { l.uploads.Remove(id) }
