package uploader

import (
	"context"
	"fmt"
	"sync"
)

// Delivery is one handling of an object: the object as its destination configures
// it, and its body. Close it when its body is no longer read.
type Delivery struct {
	Destination string
	Object      Object // with its key, metadata and types
	Body        Body   // compressed where the destination compresses

	to    *destination
	close func() // nil: nothing to give back
	once  sync.Once
}

// Close gives back the memory of the compressor. Later calls do nothing.
func (d *Delivery) Close() {
	d.once.Do(func() {
		if d.close != nil {
			d.close()
		}
	})
}

// Open resolves the properties of an object that its destination configures, its key
// above all, and compresses the body where the destination compresses. Call it once,
// when the object is accepted: on another day, or after a reload, the same object
// would get another key.
func (u *Uploader) Open(ctx context.Context, destination string, obj Object, body Body) (*Delivery, error) {
	to, err := u.destination(destination)
	if err != nil {
		return nil, err
	}
	if err := to.resolve(u.opts.Host, &obj); err != nil {
		return nil, err
	}
	d := &Delivery{Destination: destination, Object: obj, Body: body, to: to}
	if to.cfg.Compression != "" {
		if err := u.compress(ctx, d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Key returns the key that Open would give an object. It makes no call.
func (u *Uploader) Key(destination string, obj Object) (string, error) {
	to, err := u.destination(destination)
	if err != nil {
		return "", err
	}
	err = to.resolveKey(u.opts.Host, &obj)
	return obj.Key, err
}

// Put delivers one object while its body arrives. It returns an *Error when AWS or the
// network failed, a *MismatchError when S3 confirmed other properties than requested,
// ctx's error, or the body's own error, unchanged inside the chain. An *UnfinishedError
// around it names a multipart upload that was left in the bucket. The caller holds a
// slot of the budget. d comes from Open.
func (u *Uploader) Put(ctx context.Context, d *Delivery) (Stored, error) {
	if d.to == nil || d.Object.Key == "" {
		return Stored{}, fmt.Errorf("destination %q: the delivery does not come from Open", d.Destination)
	}
	// Retrieve the credentials first: without them, bytes need not be taken. With them,
	// the delivery also ends after a reload that removes the destination before the
	// first call.
	if _, err := d.to.credentials.Retrieve(ctx); err != nil {
		return Stored{}, err
	}
	t := &transfer{u: u, to: d.to, obj: d.Object, body: d.Body}
	return t.run(ctx)
}
