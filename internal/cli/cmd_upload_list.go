package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// readList reads the file names of --files-from: one a line, or each followed by a NUL.
// A list without a name is an error: its producer may have failed.
func readList(ctx context.Context, path string, stdin io.Reader, null bool) ([]string, error) {
	type list struct {
		names []string
		err   error
	}
	done := make(chan list, 1)
	go func() { // reading a pipe or a terminal cannot be interrupted
		names, err := scanList(path, stdin, null)
		done <- list{names, err}
	}()
	select {
	case l := <-done:
		if l.err != nil {
			return nil, fmt.Errorf("--files-from: %w", l.err)
		}
		if len(l.names) == 0 {
			return nil, errors.New("--files-from: the list has no file name, so that nothing was stored; did the program that writes it fail?")
		}
		return l.names, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func scanList(path string, stdin io.Reader, null bool) (names []string, err error) {
	in := stdin
	if path == "-" {
		if closedByCaller(stdin) {
			return nil, errStdinClosed
		}
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	if null {
		sc.Split(splitNull)
	}
	for sc.Scan() {
		name := sc.Bytes()
		if !null {
			name = bytes.TrimSuffix(name, []byte("\r"))
		}
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, sc.Err()
}

// splitNull is a bufio.SplitFunc for names that end with a NUL.
func splitNull(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
