package cloudtrail

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

// readEvents reads the newest events of the file, at most most of them, and removes an
// incomplete last line, which a kill leaves. Any other line that is no event is an error.
func readEvents(file *os.File, most int) ([]trail.Event, error) {
	path := file.Name()
	var newest [][]byte // lines; as many as fit are parsed
	var whole int64
	lines := bufio.NewReaderSize(file, 1<<20)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // the rest is an incomplete line
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit trail: %w", err)
		}
		whole += int64(len(line))
		if !json.Valid(line) {
			return nil, fmt.Errorf("%s: line %d is not an event: repair the line, or move the file away", path, number)
		}
		if newest = append(newest, bytes.TrimSuffix(line, []byte("\n"))); len(newest) >= 2*most {
			newest = append(newest[:0], newest[len(newest)-most:]...)
		}
	}
	if err := file.Truncate(whole); err != nil {
		return nil, fmt.Errorf("removing the incomplete last line of the audit trail: %w", err)
	}
	newest = newest[max(0, len(newest)-most):]
	events := make([]trail.Event, len(newest))
	for i, line := range newest {
		if err := json.Unmarshal(line, &events[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return events, nil
}

// ReadEvents fills the audit trail from the data directory.
func (s *Service) ReadEvents() error {
	if s.k.Store == nil {
		return nil
	}
	events, err := readEvents(s.k.Store.Events, maxEvents)
	if err != nil {
		return err
	}
	s.Log.Append(events...)
	return nil
}

// keepEvents appends to the audit trail's file. A failure to write is reported by
// the next change that is kept.
func (s *Service) keepEvents(events []trail.Event) {
	if s.k.Store == nil {
		return
	}
	var lines []byte
	for i := range events {
		line, err := json.Marshal(&events[i])
		if err != nil {
			continue
		}
		lines = append(append(lines, line...), '\n')
	}
	s.k.Store.AppendEvents(lines)
}
