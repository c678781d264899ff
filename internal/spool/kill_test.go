package spool_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/spool"
)

// victim is the process that is killed. It accepts and delivers as fast as it can
// and says on standard output what was acknowledged, one number a line.
func victim(dir string) {
	var first int
	_, _ = fmt.Sscan(os.Getenv("SPOOL_TEST_FIRST"), &first)
	out := filepath.Join(dir, "store")
	s, err := spool.Open(spool.Options{
		Dir: filepath.Join(dir, "spool"), AllowVolatile: true, Destinations: map[string]spool.Limits{"logs": {}}, Deliver: toDirectory(out),
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	go func() { _ = s.Run(context.Background()) }()
	var mu sync.Mutex
	next := first
	for range 4 {
		go func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if _, _, err := s.Accept(context.Background(), headerOf(n), unstated{bytes.NewReader(bytesOf(n, 1+n*7919%200_000))}); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println(n) // one write: a line is whole or not there
			}
		}()
	}
	select {}
}

// toDirectory delivers as S3 does: an object is there wholly or not at all, and a
// key is written once. Bytes that differ at the second time are an error.
func toDirectory(dir string) func(context.Context, *spool.Entry) (json.RawMessage, error) {
	return func(_ context.Context, e *spool.Entry) (json.RawMessage, error) {
		data, err := io.ReadAll(e.Section(0, e.Size()))
		if err != nil {
			return nil, err
		}
		name := filepath.Join(dir, e.Header().ID)
		if had, err := os.ReadFile(name); err == nil && !bytes.Equal(had, data) {
			return nil, &awserr.Failure{Disposition: awserr.Dead, Reason: "DIFFERENT", Err: fmt.Errorf("%s differs", name)}
		}
		if err := os.WriteFile(name+".part", data, 0o600); err != nil {
			return nil, err
		}
		return json.RawMessage(`{}`), os.Rename(name+".part", name)
	}
}

func TestKill(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	acked := map[int]bool{}
	first := 1
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SPOOL_TEST_VICTIM="+dir, fmt.Sprintf("SPOOL_TEST_FIRST=%d", first))
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed at some acknowledgement; what it said until then counts.
		stop := 5 + rand.IntN(60)
		lines := bufio.NewScanner(pipe)
		for n := 0; lines.Scan(); n++ {
			if n == stop {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			var number int
			if _, err := fmt.Sscan(lines.Text(), &number); err != nil {
				t.Errorf("round %d: %s", round, lines.Text())
				continue
			}
			acked[number] = true
			first = max(first, number+1)
		}
		_ = cmd.Wait()
		first += 8 // ids that were under way
	}
	s := open(t, spool.Options{
		Dir: filepath.Join(dir, "spool"), AllowVolatile: true, Destinations: map[string]spool.Limits{"logs": {}}, Deliver: toDirectory(store),
	})
	t.Logf("%d acknowledged by %d processes; recovery %+v", len(acked), rounds, s.Recovery())
	running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range acked {
		got, err := os.ReadFile(filepath.Join(store, idOf(n)))
		if err != nil || !bytes.Equal(got, bytesOf(n, 1+n*7919%200_000)) {
			t.Errorf("object %d: %d bytes, %v", n, len(got), err)
		}
	}
	if q := append(s.Recovery().Quarantined, s.Recovery().Unreadable...); len(q) > 0 {
		t.Errorf("quarantined: %v", q)
	}
	for _, left := range names(t, filepath.Join(dir, "spool")) {
		if !strings.HasSuffix(left, ".part") {
			t.Errorf("left behind: %s", left)
		}
	}
}
