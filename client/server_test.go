package client

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/reason"
)

// The daemon's user, when it is named, is the only one that a client speaks to.
func TestTheDaemonsUserIsCompared(t *testing.T) {
	own := strconv.Itoa(os.Geteuid())
	for name, c := range map[string]struct {
		option, variable string
		refused          bool
	}{
		"this user":               {option: own},
		"another user":            {option: "4242", refused: true},
		"another, by environment": {variable: "4242", refused: true},
		"the option comes first":  {option: own, variable: "4242"},
		"no user is named":        {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("BROKERD_DAEMON_USER", c.variable)
			f := &fake{answers: []error{nil}}
			served := serveFake(t, f)
			var opts []Option
			if c.option != "" {
				opts = append(opts, WithDaemonUser(c.option))
			}
			client, err := Dial(served.Socket(), opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			_, err = client.Upload(t.Context(), "d", "n", strings.NewReader("x"), WithRetry(0))
			var e *Error
			untrusted := errors.As(err, &e) && e.Reason == string(reason.SocketUntrusted)
			if untrusted != c.refused {
				t.Errorf("got %v, want a refusal: %v", err, c.refused)
			}
			if untrusted && (e.Temporary() || MayBeStored(err)) {
				t.Errorf("the refusal says that a retry helps, or that an object may exist: %+v", e)
			}
		})
	}
	if _, err := Dial("/s", WithDaemonUser("no-such-user-here")); err == nil {
		t.Error("a user that does not exist was accepted")
	}
}

func TestTheDirectoryOfTheSocketIsTrustedOnlyWhereOthersCannotReplaceIt(t *testing.T) {
	for name, c := range map[string]struct {
		inner, outer fs.FileMode
		trusted      bool
	}{
		"its own directories":            {0o755, 0o755, true},
		"below a sticky directory":       {0o755, 0o777 | fs.ModeSticky, true},
		"others may write":               {0o777, 0o755, false},
		"the group may write":            {0o775, 0o755, false},
		"others may write, sticky":       {0o777 | fs.ModeSticky, 0o755, false},
		"others may replace a directory": {0o755, 0o777, false},
	} {
		t.Run(name, func(t *testing.T) {
			base, err := os.MkdirTemp("", "dir")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.RemoveAll(base) }()
			outer := filepath.Join(base, "outer")
			inner := filepath.Join(outer, "inner")
			for dir, mode := range map[string]fs.FileMode{outer: c.outer, inner: c.inner} {
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, mode)); err != nil {
					t.Fatal(err)
				}
			}
			l, err := net.Listen("unix", filepath.Join(inner, "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			link := filepath.Join(base, "link")
			if err := os.Symlink(filepath.Join(inner, "s"), link); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{filepath.Join(inner, "s"), link} {
				owner, why := directoryOwner(path)
				if (why == "") != c.trusted || c.trusted && owner != uint32(os.Geteuid()) {
					t.Errorf("%s: got owner %d, %q, want trusted: %v", path, owner, why, c.trusted)
				}
			}
		})
	}
}
