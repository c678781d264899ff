package s3

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/filltest"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/kms"
)

func newTestS3(t *testing.T, dir string) *Service {
	t.Helper()
	k := kernel.New(kernel.Options{Accounts: []string{"111122223333", "444455556666"}, Region: "eu-west-1"})
	iam, err := iam.New(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(k, iam, kms.New(k, iam), Options{BodyDir: dir})
	s.blobs.restored = map[string]*blob{}
	return s
}

// Every field of a bucket, an object, an upload and a part is restored as it was.
func TestNothingOfS3IsLostOnTheWayToDisk(t *testing.T) {
	dir := t.TempDir()
	s := newTestS3(t, dir)
	f := filltest.New(t, s, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), map[string]*object{}, map[string][]*object{},
		map[string]*multipart{}, map[int]*uploadedPart{})
	filltest.Use(f, func() *blob {
		path := filepath.Join(dir, f.Text())
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		return (&blob{size: 5, path: path, store: s.blobs}).retain()
	})
	filltest.Use(f, func() *iam.StoredPolicy {
		p, err := s.iam.StorePolicy(`{"Version":"2012-10-17",` +
			`"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},` +
			`"Action":"s3:GetObject","Resource":"*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
	b := filltest.Filled[bucket](f)
	filltest.Whole(t, b)
	s.buckets[b.name] = b
	s.blocks["111122223333"] = filltest.Filled[iampolicy.PublicAccessBlock](f)
	o, up, part := filltest.Filled[object](f), filltest.Filled[multipart](f), filltest.Filled[uploadedPart](f)

	data, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := newTestS3(t, dir)
	if err := again.Restore(data); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{
		cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty(),
		cmp.Comparer(func(*Service, *Service) bool { return true }),
		cmp.Comparer(func(x, y *blob) bool { return x.size == y.size && x.path == y.path }),
		cmp.Comparer(func(x, y *iam.StoredPolicy) bool { return reflect.DeepEqual(iam.SavePolicy(x), iam.SavePolicy(y)) }),
	}
	for _, c := range []struct {
		name     string
		was, got any
	}{
		{"bucket", b, again.buckets[b.name]}, {"blocks of accounts", s.blocks, again.blocks},
		{"object", o, filltest.Through(t, o.save("b"), again.restoreObject)}, {"part", part, filltest.Through(t, part.save(), again.restorePart)},
	} {
		if d := cmp.Diff(c.was, c.got, same); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
	saved := up.save("b")
	kept := &multipart{
		id: up.id, key: saved.Object.Key, object: *filltest.Through(t, saved.Object, again.restoreObject), explicit: saved.Explicit,
		initiated: saved.Initiated, order: saved.Order, deleted: saved.Deleted, parts: map[int]*uploadedPart{},
	}
	up.key = up.object.key // one of the two is kept
	if d := cmp.Diff(up, kept, same); d != "" {
		t.Errorf("upload:\n%s", d)
	}
}
