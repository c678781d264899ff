package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
)

// The operations of a record.
const (
	opBegin  = "begin"
	opStored = "stored"
	opSkip   = "skip"
	opForget = "forget"
	opDiffer = "differs"
	opFirst  = "first"
)

var (
	outcomes   = map[string]Outcome{opBegin: Begun, opStored: Stored, opSkip: Skipped, opDiffer: Differs}
	operations = map[Outcome]string{Begun: opBegin, Stored: opStored, Skipped: opSkip, Differs: opDiffer}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is one line.
type record struct {
	op, id, name string
	time         time.Time // of opFirst
}

// line returns the record as a line with its checksum.
func (r record) line() []byte {
	subject := r.id
	if r.op == opFirst {
		subject = strconv.FormatInt(r.time.UnixNano(), 10)
	}
	name, _ := json.Marshal(r.name) // a string can always be encoded
	text := fmt.Sprintf("%s %s %s", r.op, subject, name)
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum([]byte(text), castagnoli), text)
}

// parse reads a line without its end.
func parse(line []byte) (record, bool) {
	sum, text, ok := bytes.Cut(line, []byte{' '})
	if !ok || fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) != string(sum) {
		return record{}, false
	}
	fields := bytes.SplitN(text, []byte{' '}, 3)
	if len(fields) != 3 {
		return record{}, false
	}
	r := record{op: string(fields[0]), id: string(fields[1])}
	if json.Unmarshal(fields[2], &r.name) != nil {
		return record{}, false
	}
	switch r.op {
	case opBegin, opStored, opSkip, opDiffer, opForget:
		return r, r.id != ""
	case opFirst:
		n, err := strconv.ParseInt(r.id, 10, 64)
		r.time = time.Unix(0, n)
		return r, err == nil
	}
	return record{}, false // of a later version
}
