//go:build linux

package filereader

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

// FuzzRights: parsing any control message is harmless.
func FuzzRights(f *testing.F) {
	f.Add([]byte{})
	f.Add(unix.UnixRights())
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, oob []byte) {
		msgs, err := unix.ParseSocketControlMessage(oob)
		if err != nil {
			if _, ok := rights(oob); ok {
				t.Error("taken although malformed")
			}
			return
		}
		for i := range msgs {
			if msgs[i].Header.Type == unix.SCM_RIGHTS && len(msgs[i].Data) > 0 {
				return
			}
		}
		if fds, _ := rights(oob); len(fds) > 0 {
			t.Error("descriptors from nothing")
		}
	})
}

// FuzzTask: the child takes no task beyond the limits, and each task as it was sent.
func FuzzTask(f *testing.F) {
	f.Add(task{Message: 40, Offset: 1, Size: 2}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decodeTask(raw)
		if err != nil {
			return
		}
		if got.Message > maxMessage || got.Offset < 0 || got.Size < 0 || got.Offset+got.Size < 0 || !bytes.Equal(got.encode(), raw) {
			t.Errorf("got %+v of %x", got, raw)
		}
	})
}

// FuzzAnswer: no answer of a child that went wrong is harmful, and none but the empty
// one means success.
func FuzzAnswer(f *testing.F) {
	f.Add(answerOf(nil).encode())
	f.Add(answerOf(shrunk(1, 2)).encode())
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := decodeAnswer(raw)
		if err == nil && bytes.Contains(raw, []byte("FILE_UNREADABLE\"")) && bytes.HasPrefix(raw, []byte(`{"Reason":"FILE_UNREADABLE"`)) {
			t.Errorf("%s means success", raw)
		}
	})
}

func TestAnswersKeepTheirError(t *testing.T) {
	long := reason.New(reason.FileChanged, "%s", strings.Repeat("x", 2*maxAnswer))
	for name, tc := range map[string]struct{ in, want error }{
		"success":      {nil, nil},
		"a reason":     {shrunk(1, 2), shrunk(1, 2)},
		"a delay":      {reason.New(reason.TooManyFiles, "m").After(time.Second), reason.New(reason.TooManyFiles, "m").After(time.Second)},
		"a bare text":  {errors.New("disk"), reason.New(reason.FileUnreadable, "disk; nothing was stored")},
		"far too long": {long, reason.New(reason.FileUnreadable, "the file reader has no answer; nothing was stored")},
	} {
		got := decodeAnswer(answerOf(tc.in).encode())
		if tc.want == nil {
			if got != nil {
				t.Errorf("%s: got %v", name, got)
			}
			continue
		}
		var e, want *reason.Error
		if !errors.As(got, &e) || !errors.As(tc.want, &want) {
			t.Fatalf("%s: got %v", name, got)
		}
		if e.Reason != want.Reason || e.Message != want.Message || e.Code() != want.Code() || e.RetryAfter != want.RetryAfter {
			t.Errorf("%s: got %+v, want %+v", name, e, want)
		}
	}
	if shrunk(1, 2).Code() != codes.Aborted {
		t.Error("a file that shrank is not temporary")
	}
}
