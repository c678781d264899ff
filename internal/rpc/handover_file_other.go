//go:build !linux

package rpc

import "os"

func acceptableHere(int, int) error { return nil }

func readAhead(*os.File, int64, int64) {}
