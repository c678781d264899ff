package watch

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

var seed = flag.Uint64("seed", 0, "seed of TestModel; 0: a few fixed ones")

// model writes, rotates and changes files at random, while deliveries fail and the daemon
// is stopped, killed and started.
type model struct {
	*stage
	rng *rand.Rand
	n   int
	// failures decides about deliveries; the bucket's mutex guards it.
	failures *rand.Rand
	// wanted are contents that must become objects, and allowed those that may: a file
	// that changed later may have been delivered before.
	wanted, allowed map[string]bool
	names           []string // of finished files, as they were made
}

// TestModel checks the guarantees of the package over random histories: every finished
// content is one object, written once; no file is removed without its object; no object
// has a content that no file had when it was finished.
func TestModel(t *testing.T) {
	seeds := []uint64{1, 2}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	for _, s := range seeds {
		for _, after := range []string{config.AfterDelete, config.AfterMove, config.AfterKeep} {
			t.Run(fmt.Sprintf("%s/%d", after, s), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { runModel(t, s, after) })
			})
		}
	}
}

func runModel(t *testing.T, seed uint64, after string) {
	more := ""
	if after == config.AfterMove {
		more = `, move_to: "DIR/.sent"`
	}
	m := &model{
		// The name of an object comes from the part of the name that a rotation keeps.
		stage: newStage(t, `  - {name: app, paths: ["DIR/**/*.fin.[0-9]*"], destination: logs, after: `+after+more+
			`, match: "/(?P<id>[^/]+)[.]fin", object_name: "{match.id}"}
`),
		rng: rand.New(rand.NewPCG(seed, 7)), failures: rand.New(rand.NewPCG(seed, 8)), wanted: map[string]bool{}, allowed: map[string]bool{},
	}
	m.bucket.fail = func(Upload) error { return m.failure("before") }
	m.bucket.lost = func(Upload) error { return m.failure("after") }
	m.start()
	for range 150 {
		m.step()
		m.pass(time.Duration(m.rng.Int64N(int64(20 * time.Second))))
		m.nothingLost()
	}
	m.bucket.mu.Lock()
	m.bucket.fail, m.bucket.lost = nil, nil
	m.bucket.mu.Unlock()
	m.pass(30 * time.Minute)
	m.halt()
	m.judge(after)
}

// failure fails one delivery in four.
func (m *model) failure(when string) error {
	m.bucket.mu.Lock()
	defer m.bucket.mu.Unlock()
	switch m.failures.IntN(16) {
	case 0:
		return &Failure{Kind: Pause, Reason: "NETWORK", Message: when}
	case 1:
		return &Failure{Kind: RetryFile, Reason: "INTERNAL", Message: when}
	case 2:
		return &Failure{Kind: Busy, Reason: "TOO_MANY_UPLOADS", Message: when}
	case 3:
		return errors.New(when)
	}
	return nil
}

// content returns a content that no other file has.
func (m *model) content() string {
	m.n++
	return fmt.Sprintf("content %d %s", m.n, strings.Repeat("x", m.rng.IntN(10_000)))
}

func (m *model) step() {
	switch m.rng.IntN(12) {
	case 0, 1, 2, 3:
		m.rotate()
	case 4, 5:
		m.writeInPlace()
	case 6:
		m.appendTo()
	case 7:
		m.shift()
	case 8:
		m.halt()
		m.start()
	case 9:
		m.crash()
		if m.rng.IntN(2) == 0 {
			if err := os.RemoveAll(m.state); err != nil {
				m.t.Fatal(err)
			}
		}
		m.start()
	case 10:
		if err := os.Chmod(m.any(), 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.t.Fatal(err)
		}
	}
}

// rotate makes a finished file under another name, and renames it when it is complete.
func (m *model) rotate() {
	name, text := fmt.Sprintf("d%d/f%d", m.rng.IntN(3), m.n), m.content()
	m.write(name+".tmp", text)
	m.rename(name+".tmp", name+".fin.1")
	m.wanted[text] = true
	m.names = append(m.names, name)
}

// writeInPlace writes a file under its final name, with pauses shorter than idle.
func (m *model) writeInPlace() {
	name, text := fmt.Sprintf("d%d/f%d", m.rng.IntN(3), m.n), m.content()
	m.write(name+".fin.1", "")
	for i := 0; i < len(text); i += 1 + len(text)/3 {
		m.append(name+".fin.1", text[i:min(len(text), i+1+len(text)/3)])
		m.pass(time.Duration(m.rng.Int64N(int64(25 * time.Second))))
	}
	m.wanted[text] = true
	m.names = append(m.names, name)
}

// any returns the path of a finished file that is still there; of none, if there is none.
func (m *model) any() string {
	found, err := filepath.Glob(m.path("d*/*.fin.*"))
	if err != nil || len(found) == 0 {
		return m.path("none")
	}
	return found[m.rng.IntN(len(found))]
}

// appendTo changes a finished file.
func (m *model) appendTo() {
	p := m.any()
	was, err := os.ReadFile(p)
	if err != nil {
		return
	}
	rel, err := filepath.Rel(m.dir, p)
	if err != nil {
		m.t.Fatal(err)
	}
	m.n++
	more := fmt.Sprintf("+%d", m.n)
	m.append(rel, more)
	if m.wanted[string(was)] {
		delete(m.wanted, string(was))
		m.allowed[string(was)] = true
	}
	m.wanted[string(was)+more] = true
}

// shift renames numbered files, the last one first, as a rotation does.
func (m *model) shift() {
	for _, name := range m.names {
		for i := 4; i > 0; i-- {
			err := os.Rename(m.path(fmt.Sprintf("%s.fin.%d", name, i)), m.path(fmt.Sprintf("%s.fin.%d", name, i+1)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				m.t.Fatal(err)
			}
		}
	}
}

// nothingLost checks that each wanted content is a file or an object.
func (m *model) nothingLost() {
	m.t.Helper()
	there := map[string]bool{}
	_ = filepath.WalkDir(m.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(p) // it may go meanwhile; then it is an object
			there[string(data)] = true
		}
		return nil
	})
	for _, c := range m.bucket.contents() {
		there[c] = true
	}
	for c := range m.wanted {
		if !there[c] {
			m.t.Fatalf("%.20q is neither a file nor an object", c)
		}
	}
}

func (m *model) judge(after string) {
	count := map[string]int{}
	for key, text := range m.bucket.objects {
		count[text]++
		if n := m.bucket.writes[key]; n != 1 {
			m.t.Errorf("%s was written %d times", key, n)
		}
		if !m.wanted[text] && !m.allowed[text] {
			m.t.Errorf("%s has a content that no finished file had: %.30q", key, text)
		}
	}
	for text := range m.wanted {
		if count[text] != 1 {
			m.t.Errorf("%.20q is %d objects", text, count[text])
		}
	}
	for text, n := range count {
		if n > 1 {
			m.t.Errorf("%.20q is %d objects", text, n)
		}
	}
	if left := m.any(); after != config.AfterKeep && left != m.path("none") {
		m.t.Errorf("%s is left", left)
	}
	if len(m.wanted) < 30 {
		m.t.Errorf("only %d files: the model does too little", len(m.wanted))
	}
}
