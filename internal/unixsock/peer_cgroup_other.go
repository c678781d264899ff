//go:build !linux

package unixsock

// unitAndPod returns nothing: units and pods exist on Linux only.
func unitAndPod(int, int32) (unit, pod string) { return "", "" }
