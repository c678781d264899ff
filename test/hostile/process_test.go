//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// processAttacks read the daemon's memory, descriptors and files, as other users, and as a
// process that got the daemon's own number.
func processAttacks() []Attack {
	daemon := Actor{Name: "the daemon's uid", UID: daemonUID, GID: daemonUID, Groups: []uint32{connectGID}}
	var out []Attack
	add := func(as Actor, name string, try func(t *Target) error) {
		out = append(out, Attack{Area: "process", Name: as.Name + " " + name, As: as, Try: func(_ context.Context, t *Target) Outcome {
			switch err := try(t); {
			case err == nil:
				return gotIn("it worked")
			case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EPERM):
				return held("%v", err)
			default:
				return gotIn("want a refusal, got %v", err)
			}
		}})
	}
	proc := func(name string) func(*Target) error {
		return func(t *Target) error {
			_, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", t.DaemonPID, name))
			return err
		}
	}
	for _, as := range []Actor{bob, daemon} {
		add(as, "reads its environment", proc("environ"))
		add(as, "reads its memory", func(t *Target) error {
			_, err := os.Open(fmt.Sprintf("/proc/%d/mem", t.DaemonPID))
			return err
		})
		add(as, "lists its descriptors", func(t *Target) error {
			_, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", t.DaemonPID))
			return err
		})
		add(as, "attaches a debugger", func(t *Target) error {
			runtime.LockOSThread() // only the thread that attached can detach
			err := syscall.PtraceAttach(t.DaemonPID)
			if err == nil {
				_, _ = syscall.Wait4(t.DaemonPID, nil, 0, nil)
				_ = syscall.PtraceDetach(t.DaemonPID)
			}
			return err
		})
	}
	for _, name := range []string{"etc/credentials", "etc/brokerd.yaml", "etc/bob.token", "state/spool/queue"} {
		add(bob, "reads "+name, func(t *Target) error {
			f, err := os.Open(filepath.Join(filepath.Dir(t.RunDir), name))
			if err == nil {
				_ = f.Close()
			}
			return err
		})
	}
	add(bob, "signals it", func(t *Target) error { return syscall.Kill(t.DaemonPID, syscall.SIGTERM) })
	add(bob, "renames its socket", func(t *Target) error { return os.Rename(t.Socket, t.Socket+".old") })
	add(bob, "removes its socket", func(t *Target) error { return os.Remove(t.Socket) })
	add(bob, "takes its lock", func(t *Target) error {
		_, err := os.OpenFile(t.Socket+".lock", os.O_RDWR, 0)
		return err
	})
	add(eve, "opens the credentials socket", func(t *Target) error {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return syscall.Connect(fd, &syscall.SockaddrUnix{Name: t.VendSocket})
	})
	out = append(out, Attack{Area: "process", Name: "a core dump", As: daemon, Try: func(_ context.Context, t *Target) Outcome {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", t.DaemonPID))
		if err != nil {
			return held("%v", err)
		}
		var soft, hard string
		for line := range strings.Lines(string(text)) {
			if _, err := fmt.Sscanf(line, "Max core file size %s %s", &soft, &hard); err == nil && soft == "0" && hard == "0" {
				return held("the limit of a core dump is 0")
			}
		}
		return gotIn("the limit of a core dump is %s, %s", soft, hard)
	}})
	return out
}
