//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: needs Linux: processes are pinned to cores, and measured by what /proc says of them")
	os.Exit(1) //nolint:forbidigo // a command
}
