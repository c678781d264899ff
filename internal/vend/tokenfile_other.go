//go:build !linux

package vend

import (
	"os"
	"syscall"
)

// openWithoutForeignLinks refuses a file that is itself a link. This system is for
// development only: links in the directories above are followed.
func openWithoutForeignLinks(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}
