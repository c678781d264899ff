//go:build linux

package filereader

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/test/hostile/fusetest"
)

// inFUSE returns the threads of this process that wait for FUSE. It needs root.
func inFUSE(t *testing.T) (stacks []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/task/*/stack")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(raw), "fuse_") { // else it ended
			stacks = append(stacks, string(raw))
		}
	}
	return stacks
}

// hostile is a message with the file of a hostile process.
func (r *underTest) hostile(fs *fusetest.FS) Request {
	r.t.Helper()
	ours, theirs := streamPair(r.t)
	if err := fs.HandOver(theirs, make([]byte, 9)); err != nil {
		r.t.Fatal(err)
	}
	return Request{Conn: ours, Message: 9, UID: 1000, Size: 5, Idle: 5 * time.Second, Announce: func(string) error { return nil }}
}

// A file system of the peer that leaves a request unanswered is refused. It delays no
// other file, it holds no thread of the daemon, and it keeps no Reader from its end.
func TestAFileSystemThatDoesNotAnswer(t *testing.T) {
	for _, op := range []fusetest.Op{fusetest.Getattr, fusetest.Read, fusetest.Statfs, fusetest.Flush} {
		for _, overlay := range []bool{false, true} {
			t.Run(fmt.Sprintf("operation %d, below an overlay: %t", op, overlay), func(t *testing.T) {
				t.Parallel()
				fs := fusetest.Mount(t, overlay, op)
				r := newReader(t)
				_, local := localFile(t, []byte("honest"))

				refused := make(chan error, 1)
				q := r.hostile(fs)
				go func() {
					_, _, err := r.Open(t.Context(), q)
					refused <- err
				}()
				if op == fusetest.Statfs {
					if err := fs.Await(op); err != nil {
						t.Fatal(err)
					}
				}
				body, err := r.openAt(int(local.Fd()), 0, 6) // while the other one hangs
				if err != nil {
					t.Fatal(err)
				}
				if got, err := whole(body); err != nil || string(got) != "honest" {
					t.Errorf("another user's file: %q, %v", got, err)
				}
				body.Close()
				wantReason(t, <-refused, reason.DescriptorRefused)
				if op == fusetest.Flush {
					if err := fs.Await(op); err != nil {
						t.Fatal(err)
					}
				}
				child, exited := fmt.Sprint(r.child.cmd.Process.Pid), r.child.exited
				hangs := op == fusetest.Statfs || op == fusetest.Flush
				r.Close()
				if d := inFUSE(t); len(d) > 0 {
					t.Errorf("threads of the daemon wait: %s", d)
				}
				if !hangs {
					<-exited
				} else if _, err := os.Stat("/proc/" + child); err != nil {
					t.Errorf("the child does not hang, so that this test shows nothing: %v", err)
				}
				fs.Abort()
				<-exited
			})
		}
	}
}

// A user whose file systems do not answer may hand over no more files; others may.
func TestHangingFilesAreCountedForTheirUser(t *testing.T) {
	fs := fusetest.Mount(t, false, fusetest.Flush)
	r := newReader(t)
	for range maxUnanswered {
		_, _, err := r.Open(t.Context(), r.hostile(fs))
		wantReason(t, err, reason.DescriptorRefused)
	}
	<-r.warned
	_, local := localFile(t, []byte("honest"))
	q := r.handed(9, int(local.Fd()))
	_, taken, err := r.Open(t.Context(), q)
	wantReason(t, err, reason.DescriptorRefused)
	if taken {
		t.Error("the file was received although its user has too many that hang")
	}
	q = r.handed(9, int(local.Fd()))
	q.UID, q.Size = q.UID+1, 6
	body, _, err := r.Open(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := whole(body); err != nil || !bytes.Equal(got, []byte("honest")) {
		t.Errorf("another user: %q, %v", got, err)
	}
	fs.Abort()
}

// The child outlives the signals that end the daemon: open uploads are finished then.
func TestTheChildEndsWithItsReader(t *testing.T) {
	r := newReader(t)
	_, local := localFile(t, bytes.Repeat([]byte("x"), 3<<20))
	body, err := r.openAt(int(local.Fd()), 0, 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	pid := r.child.cmd.Process.Pid
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		if err := unix.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := whole(body); err != nil {
		t.Error(err)
	}
	body.Close()
	r.Close()
	if err := unix.Kill(pid, 0); err == nil {
		t.Error("the child is still there")
	}
}

// A child that was killed is replaced, and its files fail as temporary or go as streams.
func TestAKilledChildIsReplaced(t *testing.T) {
	r := newReader(t)
	_, local := localFile(t, bytes.Repeat([]byte("x"), 3<<20))
	body, err := r.openAt(int(local.Fd()), 0, 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	c := r.child
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := whole(body); err == nil {
		t.Error("half a file was read as whole")
	} else {
		wantReason(t, err, reason.FileUnreadable)
	}
	body.Close()
	<-c.exited
	r.mu.Lock()
	r.notBefore = time.Time{} // the pause has passed
	r.mu.Unlock()
	again, err := r.openAt(int(local.Fd()), 0, 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := whole(again); err != nil {
		t.Error(err)
	}
	if r.logs.FilterMessageSnippet("ended").Len() != 1 {
		t.Error("the log does not say that the child ended")
	}
}

// The child has nothing of the daemon but its control socket.
func TestTheChildInheritsNothing(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	r := newReader(t)
	_, local := localFile(t, []byte("x"))
	body, err := r.openAt(int(local.Fd()), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whole(body); err != nil {
		t.Fatal(err)
	}
	body.Close()
	proc := fmt.Sprintf("/proc/%d", r.child.cmd.Process.Pid)
	if env, err := os.ReadFile(proc + "/environ"); err != nil || len(env) > 0 {
		t.Errorf("environment %q, %v", env, err)
	}
	if dir, err := os.Readlink(proc + "/cwd"); err != nil || dir != "/" {
		t.Errorf("works in %s, %v", dir, err)
	}
	entries, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink(proc + "/fd/" + e.Name())
		if err != nil {
			continue // closed meanwhile
		}
		if target == lock.Name() {
			t.Errorf("descriptor %s is %s", e.Name(), target)
		}
	}
}

func TestTheCallersEndIsTheEndOfTheWait(t *testing.T) {
	fs := fusetest.Mount(t, false, fusetest.Statfs)
	r := newReader(t)
	q := r.hostile(fs)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := r.Open(ctx, q)
		ended <- err
	}()
	if err := fs.Await(fusetest.Statfs); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	fs.Abort()
}
