package unixsock

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestListenLooksAtTheDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		mode    os.FileMode
		owner   int // -1: this user
		refused string
		warned  bool
	}{
		"its own":                             {mode: 0o755, owner: -1},
		"its own, private":                    {mode: 0o700, owner: -1},
		"others may write":                    {mode: 0o777, owner: -1, refused: "chmod go-w"},
		"the group may write":                 {mode: 0o775, owner: -1, refused: "chmod go-w"},
		"others may write, with a sticky bit": {mode: 0o777 | os.ModeSticky, owner: -1, warned: true},
		"another user's":                      {mode: 0o755, owner: 64101, refused: "belongs to user 64101"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Dir(socketPath(t))
			if c.owner >= 0 {
				if os.Geteuid() != 0 {
					t.Skip("needs root: the directory belongs to another user")
				}
				if err := os.Chown(dir, c.owner, -1); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, c.mode); err != nil {
				t.Fatal(err)
			}
			core, logs := observer.New(zap.WarnLevel)
			l, err := Listen(filepath.Join(dir, "s.sock"), 0o660, -1, zap.New(core))
			if err == nil {
				defer func() { _ = l.Close() }()
			}
			switch {
			case c.refused == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)),
				c.refused != "" && !strings.Contains(err.Error(), "BROKERD_DAEMON_USER"):
				t.Fatalf("got %v, want a refusal with %q and the remedy", err, c.refused)
			case (logs.Len() > 0) != c.warned:
				t.Errorf("warnings: %v", logs.All())
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestListenCreatesADirectoryOfItsOwn(t *testing.T) {
	parent := filepath.Dir(socketPath(t))
	if err := os.Chmod(parent, 0o777); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(filepath.Join(parent, "brokerd", "s.sock"), 0o666, -1, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	info, err := os.Stat(filepath.Join(parent, "brokerd"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v, want a directory of mode 0755", info, err)
	}
	if _, err := Listen(filepath.Join(parent, "a", "b", "s.sock"), 0o666, -1, zap.NewNop()); err == nil {
		t.Error("two directories were created")
	}
}

func TestALockOfAnotherUserIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the lock belongs to another user")
	}
	path := socketPath(t)
	if err := os.WriteFile(path+".lock", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path+".lock", 64101, 64101); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, 0o660, -1, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("got %v", err)
	}
}

// A link that takes the name of the socket's directory does not lead the daemon's chmod
// and chown elsewhere: they go by descriptor.
func TestThePrivateDirectoryIsNotFollowedByName(t *testing.T) {
	dir, err := openDirectory(filepath.Dir(socketPath(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	p, err := dir.private()
	if err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(dir.path, "aside")
	if err := os.Rename(filepath.Join(dir.path, p.name), aside); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir.path, p.name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir.path, p.name, "s")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", p.pathOf("s"))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	defer func() { _ = l.Close() }()
	if err := p.give("s", 0o666, -1); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(victim); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of another file was changed: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(aside, "s")); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket has not its mode: %v, %v", info, err)
	}
}
