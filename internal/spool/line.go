package spool

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Journals and receipts are lines: eight hexadecimal digits (the CRC32C of the
// JSON), a space, JSON. The JSON holds no newline, so that damage stays within one
// line.

// line encodes v.
func line(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("spool: encoding a line: %w", err)
	}
	return append(fmt.Appendf(nil, "%08x %s", crc32.Checksum(text, castagnoli), text), '\n'), nil
}

// parseLine decodes one line, with or without its newline, into v. It reports
// whether the line is valid. A line whose checksum differs does not change v.
func parseLine(l []byte, v any) bool {
	l = bytes.TrimSuffix(l, []byte{'\n'})
	if len(l) < 9 || l[8] != ' ' {
		return false
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], l[:8]); err != nil {
		return false
	}
	text := l[9:]
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	return crc32.Checksum(text, castagnoli) == want && json.Unmarshal(text, v) == nil
}
