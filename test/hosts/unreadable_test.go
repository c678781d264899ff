package hosts

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

const nobody = 65534

// spooled starts a daemon with a spool, uploads two objects while S3 is down, and stops
// the daemon. It returns the ids.
func spooled(t *testing.T, st *testbedtest.Bed) (ids []string) {
	t.Helper()
	edit(t, st, "    path_style: true\n", "    path_style: true\n    durability: spool\n")
	edit(t, st, "spool:\n", "spool:\n  allow_volatile: true\n")
	down, err := sandbox.ParseFault("s3:* code=ServiceUnavailable")
	if err != nil {
		t.Fatal(err)
	}
	st.Sandbox.SetFaults([]sandbox.Fault{down})
	p := start(t, st, logFile(t))
	c := p.dial(t)
	for _, name := range []string{"a.log", "b.log"} {
		res, err := c.Upload(t.Context(), testbed.Destination, name, strings.NewReader(name))
		if err != nil || res.State != client.Spooled {
			t.Fatalf("got %+v, %v", res, err)
		}
		ids = append(ids, res.UploadID)
	}
	p.stop(t, 45*time.Second)
	st.Sandbox.SetFaults(nil)
	return ids
}

// unreadable makes the file of an object unreadable for the daemon that option starts:
// as root, the daemon becomes another user, and the file stays root's.
func unreadable(t *testing.T, st *testbedtest.Bed, file string) (as func(*exec.Cmd), repair func()) {
	t.Helper()
	if os.Getuid() != 0 {
		chmod := func(mode os.FileMode) {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
		}
		chmod(0)
		return func(*exec.Cmd) {}, func() { chmod(0o600) }
	}
	err := filepath.WalkDir(st.Dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil || name == file {
			return err
		}
		return os.Lchown(name, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	as = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return as, func() {
		if err := os.Chown(file, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

// The first start was by hand as root, the next one is the unit's: an accepted object
// belongs to the wrong user.
func TestAnObjectThatTheDaemonCannotReadIsNamedEverywhereAndDeliveredAfterTheRepair(t *testing.T) {
	st := testbedtest.New(t)
	ids := spooled(t, st)
	file := filepath.Join(st.Dir, "spool", "queue", ids[0]+".obj")
	as, repair := unreadable(t, st, file)
	log := logFile(t)
	p := start(t, st, log, as)
	eventually(t, "the delivery of the readable object", func() bool { return len(st.Sandbox.Objects(testbed.Bucket)) == 1 })

	contains(t, p.brokerctl(t, 1, "status"), "1 accepted object cannot be read by the daemon", "chown", file)
	contains(t, p.brokerctl(t, 0, "spool", "ls"), ids[0], "unreadable", "permission denied")
	contains(t, p.brokerctl(t, 0, "spool", "ls", testbed.Destination), ids[0])
	contains(t, p.brokerctl(t, 0, "spool", "show", ids[0]), "unreadable", "cannot be read", "brokerctl spool retry")
	p.brokerctl(t, 1, "spool", "retry", ids[0])
	p.brokerctl(t, 1, "spool", "drop", "--yes", ids[0])
	contains(t, p.brokerctl(t, 1, "drain", "--timeout", "10s"), "not drained", "cannot be read")
	var drained struct {
		Drained    bool   `json:"drained"`
		Unreadable uint64 `json:"unreadable_objects"`
	}
	if err := json.Unmarshal([]byte(p.brokerctl(t, 1, "drain", "-o", "json")), &drained); err != nil || drained.Drained ||
		drained.Unreadable != 1 {
		t.Errorf("drain as JSON: got %+v, %v", drained, err)
	}
	p.brokerctl(t, 0, "drain", "--resume")
	p.brokerctl(t, 75, "wait", "--timeout", "1s", "brokerd:spool")
	text, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(text), "an accepted object cannot be read; it stays in place")

	repair()
	p.brokerctl(t, 0, "spool", "retry", ids[0])
	p.brokerctl(t, 0, "wait", "--timeout", "30s", "brokerd:spool")
	contains(t, p.brokerctl(t, 0, "drain", "--timeout", "30s"), "drained: all deliverable objects are delivered")
	if n := len(st.Sandbox.Objects(testbed.Bucket)); n != 2 {
		t.Errorf("got %d objects in the bucket, want 2", n)
	}
	p.stop(t, 45*time.Second)
}

// A reload reads the files again: an operator who repairs the directory as a whole
// does not name each object.
func TestAReloadReadsUnreadableObjectsAgain(t *testing.T) {
	st := testbedtest.New(t)
	ids := spooled(t, st)
	as, repair := unreadable(t, st, filepath.Join(st.Dir, "spool", "queue", ids[1]+".obj"))
	p := start(t, st, logFile(t), as)
	repair()
	p.brokerctl(t, 0, "reload")
	eventually(t, "the delivery of both objects", func() bool { return len(st.Sandbox.Objects(testbed.Bucket)) == 2 })
	p.stop(t, 45*time.Second)
}
