package filereader

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

// The daemon sends a task over the child's control socket, with three descriptors: the
// child's end of the task's own socket, the pipe for the bytes, and the connection of the
// peer. On the task's socket the child answers twice: when the file is open, and when it
// was read. A check then asks for the comparison of File.Verify, and has an answer too.
// Each message is one packet.

// task asks the child to receive a file and to read it.
type task struct {
	Message      uint32 // bytes of the peer's message, which are in its socket
	Offset, Size int64  // of the file
}

const taskBytes = 4 + 8 + 8

func (t task) encode() []byte {
	raw := binary.BigEndian.AppendUint32(nil, t.Message)
	raw = binary.BigEndian.AppendUint64(raw, uint64(t.Offset))
	return binary.BigEndian.AppendUint64(raw, uint64(t.Size))
}

func decodeTask(raw []byte) (task, error) {
	if len(raw) != taskBytes {
		return task{}, fmt.Errorf("a task of %d bytes", len(raw))
	}
	t := task{
		Message: binary.BigEndian.Uint32(raw),
		Offset:  int64(binary.BigEndian.Uint64(raw[4:])),
		Size:    int64(binary.BigEndian.Uint64(raw[12:])),
	}
	if t.Message > maxMessage || t.Offset < 0 || t.Size < 0 || t.Offset+t.Size < 0 {
		return task{}, fmt.Errorf("a task beyond the limits: %+v", t)
	}
	return t, nil
}

// check asks whether the bytes that were read are those of the file.
type check struct{ CRC32C uint32 }

const checkBytes = 4

func (c check) encode() []byte { return binary.BigEndian.AppendUint32(nil, c.CRC32C) }

// decodeCheck reads the first checkBytes of raw.
func decodeCheck(raw []byte) check { return check{binary.BigEndian.Uint32(raw)} }

// maxMessage bounds the peer's message with the word before it; maxAnswer an answer of
// the child, in bytes.
const (
	maxMessage = 17 << 10
	maxAnswer  = 4 << 10
)

// answer is the outcome of a step. The zero value means success.
type answer struct {
	Reason     reason.Reason `json:",omitempty"`
	Message    string        `json:",omitempty"`
	Status     codes.Code    `json:",omitempty"`
	RetryAfter time.Duration `json:",omitempty"`
}

func answerOf(err error) answer {
	if err == nil {
		return answer{}
	}
	var e *reason.Error
	if !errors.As(err, &e) {
		e = reason.New(reason.FileUnreadable, "%v; nothing was stored", err)
	}
	return answer{e.Reason, e.Message, e.Status, e.RetryAfter}
}

func (a answer) encode() []byte {
	raw, err := json.Marshal(a)
	if err != nil || len(raw) > maxAnswer {
		return []byte(`{"Reason":"FILE_UNREADABLE","Message":"the file reader has no answer; nothing was stored"}`)
	}
	return raw
}

func decodeAnswer(raw []byte) error {
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("an answer of the file reader: %w", err)
	}
	if a == (answer{}) {
		return nil
	}
	return &reason.Error{Reason: a.Reason, Message: a.Message, Status: a.Status, RetryAfter: a.RetryAfter}
}
