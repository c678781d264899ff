package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const formatVersion = "brokerd spool 1\n"

// prepare creates or checks the directory and locks it. A warning is for a file system
// that may lose objects, which allowVolatile accepts.
func (d *directory) prepare(allowVolatile bool) (warning string, err error) {
	dir := d.root
	err = d.fs.Mkdir(dir, 0o700)
	if err == nil {
		err = d.fs.SyncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", ioError("create directory", dir, err)
	}
	info, err := d.fs.Stat(dir)
	if err != nil {
		return "", ioError("stat", dir, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("spool: %s is not a directory", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("spool: %s has mode %04o: other users could read the objects in it; run chmod 0700 on it", dir, info.Mode().Perm())
	}
	if _, real := d.fs.(osFS); real {
		if err := checkOwner(dir); err != nil {
			return "", err
		}
	}
	space, err := d.fs.Space(dir)
	if err != nil {
		return "", ioError("statfs", dir, err)
	}
	if unsafe := checkFileSystem(dir, space.Type); unsafe != nil {
		if !allowVolatile {
			return "", unsafe
		}
		warning = fmt.Sprintf("the spool %s is on %s: %s; acknowledged objects may be lost", dir, unsafe.FileSystem, unsafe.Why)
	}
	d.lock, err = d.fs.Lock(d.path("lock"), holder(os.Getpid(), time.Now()))
	if err != nil {
		var locked *LockedError
		if errors.As(err, &locked) {
			locked.Dir = dir
			return "", locked
		}
		return "", ioError("lock", "lock", err)
	}
	if err := d.format(); err != nil {
		return "", errors.Join(err, d.lock.Close())
	}
	return warning, nil
}

// format checks the version of the directory, or sets up an empty directory.
func (d *directory) format() error {
	f, err := d.fs.OpenFile(d.path("version"), os.O_RDONLY, 0)
	if err == nil {
		text := make([]byte, len(formatVersion)+1)
		n, _ := f.ReadAt(text, 0)
		_ = f.Close()
		if string(text[:n]) != formatVersion {
			return fmt.Errorf(
				"spool: %s has the format %q; this version of brokerd reads %q only",
				d.root,
				strings.TrimSpace(string(text[:n])),
				strings.TrimSpace(formatVersion),
			)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return ioError("open", "version", err)
	}
	fresh := err != nil
	if fresh {
		foreign := ""
		err := d.fs.ReadDir(d.root, func(name string) error {
			switch name {
			case "lock", "version.tmp", dirQueue, dirReceipts, dirDead, dirQuarantine, "lost+found":
				return nil
			}
			foreign = name
			return nil
		})
		if err != nil {
			return ioError("read directory", ".", err)
		}
		if foreign != "" {
			return fmt.Errorf(
				"spool: %s is not a spool and not empty (it contains %q); set spool.dir to an empty or new directory",
				d.root,
				foreign,
			)
		}
	}
	for _, sub := range []string{dirQueue, dirReceipts, dirDead, dirQuarantine} {
		if err := d.fs.Mkdir(d.path(sub), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return ioError("create directory", sub, err)
		}
	}
	if fresh {
		// The version comes last: it says that the directories exist.
		if err := d.fs.SyncDir(d.root); err != nil {
			return ioError("sync directory", ".", err)
		}
		if err := d.writeSmall("version", []byte(formatVersion)); err != nil {
			return err
		}
		if err := d.fs.SyncDir(d.root); err != nil {
			return ioError("sync directory", ".", err)
		}
	}
	return nil
}
