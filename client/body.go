package client

import (
	"context"
	"io"
)

// body is the source of one upload, over all of its attempts.
type body struct {
	replay   *replay
	producer *producer // nil: a Read does not wait
	// verify is called after the last byte and before the trailer; nil: there is nothing to verify.
	verify func(n int64, crc uint32) error
}

func newBody(r io.Reader, most int) *body {
	b := &body{replay: newReplay(r, most)}
	if blocks(r) {
		b.producer = newProducer(b.replay)
	}
	return b
}

func (b *body) check(n int64, crc uint32) error {
	if b.verify == nil {
		return nil
	}
	return b.verify(n, crc)
}

// again reports whether another attempt is possible. While a Read is in progress that
// is not known yet; rewind decides then.
func (b *body) again() bool {
	return b.producer != nil && b.producer.reading() || b.replay.again()
}

// rewind goes back to the start, and reports whether it could.
func (b *body) rewind(ctx context.Context) (ok bool, err error) {
	if b.producer != nil {
		if err := b.producer.settle(ctx); err != nil {
			return false, err
		}
	}
	if !b.replay.again() {
		return false, nil
	}
	if err := b.replay.rewind(); err != nil {
		return false, &readError{err}
	}
	return true, nil
}

func (b *body) close() {
	if b.producer != nil {
		b.producer.close()
	}
}
