//go:build race

package verify_test

// raced: this test is built with the race detector, which makes it some five times as
// slow. What the many runs of a table have in common is then run for a sample of the rows;
// go test without -race runs all of them.
const raced = true
