package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// crashCheck compares the bucket and the spool with the acknowledged items. It
// runs while brokerd is stopped, so that neither changes.
type crashCheck struct {
	st    *testbedtest.Bed
	spool string // directory
	items []*item

	mu      sync.Mutex
	written strings.Builder // all records of open multipart uploads that were on disk
	looks   int
	held    int // the most objects that were in the spool
}

// check fails t unless every acknowledged object is in the bucket or in the spool.
func (r *crashCheck) check(t *testing.T) {
	t.Helper()
	safe := map[string]bool{}
	held := 0
	for _, dir := range []string{"queue", "dead"} {
		entries, err := os.ReadDir(filepath.Join(r.spool, dir))
		if err != nil {
			if !os.IsNotExist(err) {
				t.Error(err)
			}
			continue // brokerd was killed before it made the directory
		}
		for _, e := range entries {
			name := filepath.Join(r.spool, dir, e.Name())
			switch filepath.Ext(name) {
			case ".obj":
				safe[strings.TrimSuffix(e.Name(), ".obj")] = true
				held++
			case ".mpu":
				r.read(t, name)
			}
		}
	}
	leftovers, err := filepath.Glob(filepath.Join(r.spool+".streams", "*"))
	if err != nil {
		t.Error(err)
	}
	for _, name := range leftovers {
		r.read(t, name)
	}
	for _, o := range r.st.Sandbox.Objects(testbed.Bucket) {
		safe[idOf(o.Key)] = true
	}
	for _, i := range r.items {
		i.mu.Lock()
		acked := i.acked
		i.mu.Unlock()
		if acked != "" && !safe[acked] {
			t.Errorf("%s was acknowledged by %s as %s, and is neither in the bucket nor in the spool", i.name(), i.destination, acked)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	r.held = max(r.held, held)
}

func (r *crashCheck) read(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written.Write(text)
	r.written.WriteByte('\n')
}

// wroteDown reports whether any check found a record of the multipart upload on disk.
func (r *crashCheck) wroteDown(uploadID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.written.String(), uploadID)
}

// idOf returns the upload id at the end of an object key, or "" if it has none.
func idOf(key string) string {
	if len(key) <= ulid.EncodedSize {
		return ""
	}
	id := key[len(key)-ulid.EncodedSize:]
	if _, err := ulid.ParseStrict(id); err != nil {
		return ""
	}
	return id
}
