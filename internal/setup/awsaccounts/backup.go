package awsaccounts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/brokerd/brokerd/internal/setup"
)

// backup keeps replaced documents, one file each: 01-key-policy-1234abcd.json.
type backup struct {
	dir string
	n   int
}

// keep writes what c is about to replace, and returns when it is on the disk.
func (b *backup) keep(c *setup.Change) error {
	if c.Before == "" || b.dir == "" {
		return nil
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("making the backup directory: %w", err)
	}
	b.n++
	name := c.ARN[strings.LastIndexAny(c.ARN, ":/")+1:]
	path := filepath.Join(b.dir, fmt.Sprintf("%02d-%s-%s.json", b.n, c.Kind, name))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("backing up a replaced document: %w", err)
	}
	_, err = f.WriteString(c.Before)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("backing up a replaced document: %w", err)
	}
	return nil
}

// used is the directory, or "" when nothing was kept.
func (b *backup) used() string {
	if b.n == 0 {
		return ""
	}
	return b.dir
}
