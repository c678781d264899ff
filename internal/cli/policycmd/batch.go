package policycmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/fixproof"
)

type batchError struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// simulateBatch decides one scenario a line. Every line of input that is not
// blank has exactly one line of output.
func simulateBatch(a *console.App) error {
	in := bufio.NewReaderSize(a.In, 1<<20)
	out := bufio.NewWriter(a.Out)
	enc := json.NewEncoder(out)
	bad := 0
	for n := 1; ; n++ {
		line, err := readLine(in)
		if len(bytes.TrimSpace(line)) > 0 || errors.Is(err, errLineTooLong) {
			var sc iampolicy.Scenario
			failure := err
			if failure == nil || errors.Is(failure, io.EOF) {
				sc, failure = iampolicy.DecodeScenario(bytes.TrimRight(line, "\r\n"))
			}
			var row any
			if failure != nil {
				bad++
				row = batchError{Line: n, Error: failure.Error()}
			} else {
				row = fixproof.Propose(sc, iampolicy.Evaluate(sc))
			}
			if err := enc.Encode(row); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errLineTooLong) {
			return unreadable("standard input", err)
		}
		// The writer of the input may wait for this answer before it sends the next line.
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return &console.ExitError{
			Code: console.ExitNoRun,
			Err:  fmt.Errorf("not decided: %s of the input; the lines at their places in the output say why", console.Counted(bad, "line")),
		}
	}
	return nil
}

var errLineTooLong = fmt.Errorf("the line is longer than %d MiB", maxScenario>>20)

// readLine reads one line without its end. A line that is too long is skipped to its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		piece, err := in.ReadSlice('\n')
		if !long {
			line = append(line, piece...)
		}
		if len(line) > maxScenario {
			long, line = true, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long {
			return nil, errors.Join(errLineTooLong, err)
		}
		return line, err
	}
}
