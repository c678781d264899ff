//go:build race

package chaos

// raced: the daemon is built with the race detector as this test was.
const raced = true
