package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/brokerd/brokerd/bench/load"
)

// The names and keys that all participants use.
const (
	region     = "eu-west-1"
	bucket     = "bench-bucket"
	owner      = "444455556666"
	kmsKey     = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	accessKey  = "AKIAIOSFODNN7EXAMPLE"
	secretKey  = "bench-secret"
	modulePath = "github.com/brokerd/brokerd"
)

// harness holds the parts that all cases share: programs, cores and files.
type harness struct {
	cores
	dir   string
	owned bool // close removes dir
}

func newHarness(ctx context.Context, o options) (*harness, error) {
	root, err := sourceTree(ctx)
	if err != nil {
		return nil, err
	}
	s := &harness{dir: o.tmp}
	if s.cores, err = pickCores(); err != nil {
		return nil, err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "bench"); err != nil {
			return nil, err
		}
		s.owned = true
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(s.dir, 0o700), s.build(ctx, root)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *harness) close() {
	if s.owned {
		_ = os.RemoveAll(s.dir) // a failure leaves files in the temporary directory
	}
}

func (s *harness) path(name string) string { return filepath.Join(s.dir, name) }

// sourceTree returns the root of this module; the working directory must be inside it.
func sourceTree(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the source tree: %w", err)
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if path != modulePath {
		return "", fmt.Errorf("run it inside the source tree of %s, not of %s", modulePath, path)
	}
	return dir, nil
}

// releaseTags are the build tags of a release, as README.md gives them.
const releaseTags = "grpcnotrace"

// build builds the programs. The peers' module uses the product's versions of shared
// dependencies: build updates a copy of its go.mod, never the one in the tree.
func (s *harness) build(ctx context.Context, root string) error {
	fmt.Fprintln(os.Stderr, "building brokerd, the sink and the applications")
	mod := s.path("peers.mod")
	if err := errors.Join(
		concatenate(mod, filepath.Join(root, "bench/peers/go.mod")),
		concatenate(s.path("peers.sum"), filepath.Join(root, "bench/peers/go.sum"), filepath.Join(root, "go.sum")),
	); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-C", root, "build", "-tags", releaseTags, "-o", s.dir + "/", "./cmd/brokerd", "./bench/cmd/sink", "./bench/cmd/caller"},
		{"-C", filepath.Join(root, "bench/peers"), "build", "-mod=mod", "-modfile", mod, "-o", s.path("peers"), "./cmd"},
	} {
		if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

func concatenate(to string, from ...string) error {
	var all bytes.Buffer
	for _, path := range from {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all.Write(text)
	}
	return os.WriteFile(to, all.Bytes(), 0o600)
}

// payload returns the file that a job sends, or a directory of files for a job of
// several objects. It creates them on the first call.
func (s *harness) payload(job load.Job) (string, error) {
	if job.Objects == 1 {
		path := s.path(fmt.Sprint("payload-", job.Size))
		return path, writeFile(path, job.Size)
	}
	dir := s.path(fmt.Sprintf("payload-%dx%d", job.Objects, job.Size))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for i := range job.Objects {
		if err := writeFile(filepath.Join(dir, fmt.Sprintf("%06d", i)), job.Size); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func writeFile(path string, size int64) error {
	if info, err := os.Stat(path); err == nil && info.Size() == size {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, load.NewStream(load.Block(), size))
	return errors.Join(err, f.Close())
}
