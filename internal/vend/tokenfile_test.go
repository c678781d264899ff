//go:build linux

package vend

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/config"
)

// The owner of a token's directory can put any file in the place of the token.
func TestAFileInThePlaceOfATokenOpensNothing(t *testing.T) {
	const stranger = 7002
	root := os.Geteuid() == 0
	for name, tc := range map[string]struct {
		needsRoot bool
		put       func(path, token string) error
		says      string
	}{
		"a named pipe": {false, func(path, _ string) error { return unix.Mkfifo(path, 0o600) }, "not a regular file"},
		"a device": {
			true, func(path, _ string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) }, "not a regular file",
		},
		"a socket": {true, func(path, _ string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
			"no such device"},
		"a hard link to another's token": {false, func(path, token string) error { return os.Link(token, path) }, "hard link"},
		"a stranger's link to another's token": {true, func(path, token string) error {
			return errors.Join(os.Symlink(token, path), os.Lchown(path, stranger, stranger))
		}, "symbolic link of uid 7002"},
		"a stranger's link to a directory": {true, func(path, token string) error {
			dir := filepath.Dir(path)
			if err := os.Remove(dir); err != nil {
				return err
			}
			return errors.Join(os.Symlink(filepath.Dir(token), dir), os.Lchown(dir, stranger, stranger))
		}, "symbolic link of uid 7002"},
		"a stranger's file": {true, func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte(goodToken), 0o600), os.Chown(path, stranger, stranger))
		}, "its owner is uid 7002"},
		"a link to itself": {false, func(path, _ string) error { return os.Symlink(path, path) }, "too many levels"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.needsRoot && !root {
				t.Skip("making the file needs root")
			}
			token := tokenFile(t, goodToken, 0o600)
			path := filepath.Join(t.TempDir(), "of-the-peer", "token")
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tc.put(path, token); err != nil {
				t.Fatal(err)
			}
			d := serviceFor(t, func(cfg *config.Config) { cfg.Vend.Tokens[0].File = path })
			if _, err := shows(d, goodToken); err == nil {
				t.Error("it opens")
			}
			if text := said(d.logs); !strings.Contains(text, tc.says) {
				t.Errorf("the log does not say %q: %s", tc.says, text)
			}
		})
	}
}

// The volumes of Kubernetes have links: token -> ..data/token, ..data -> ..2026_11_30.
func TestATokenInAVolumeOfKubernetesIsRead(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"..2026_11_30", "..2026_12_01"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	next := strings.ToUpper(goodToken)
	writeToken(t, filepath.Join(dir, "..2026_11_30", "token"), goodToken, 0o400)
	writeToken(t, filepath.Join(dir, "..2026_12_01", "token"), next, 0o400)
	if err := errors.Join(os.Symlink("..2026_11_30", filepath.Join(dir, "..data")),
		os.Symlink("..data/token", filepath.Join(dir, "token"))); err != nil {
		t.Fatal(err)
	}
	d := serviceFor(t, func(cfg *config.Config) { cfg.Vend.Tokens[0].File = filepath.Join(dir, "token") })
	if _, err := shows(d, goodToken); err != nil {
		t.Error(err)
	}
	// The kubelet replaces the link of the directory.
	if err := errors.Join(os.Symlink("..2026_12_01", filepath.Join(dir, "..tmp")),
		os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))); err != nil {
		t.Fatal(err)
	}
	if _, err := shows(d, next); err != nil {
		t.Error(err)
	}
	if _, err := shows(d, goodToken); err == nil {
		t.Error("the old token opens")
	}
}

// The file of the peer's own is read, also below its own directory.
func TestThePeersOwnFileIsRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a file away needs root")
	}
	path := tokenFile(t, goodToken, 0o600)
	if err := os.Chown(path, userApp, userApp); err != nil {
		t.Fatal(err)
	}
	d := serviceFor(t, func(cfg *config.Config) { cfg.Vend.Tokens[0].File = path })
	if _, err := shows(d, goodToken); err != nil {
		t.Error(err)
	}
}
