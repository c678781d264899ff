package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/spoolcmd"

	"github.com/google/go-cmp/cmp"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestSpoolLsAsAPersonSeesIt(t *testing.T) {
	socket := threeObjects().serve(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		errs string
	}{
		{name: "all", out: `ID                          DESTINATION  STATE   SIZE  AGE    TRIES  REASON         NAME
01KAW3P5E2M9W7V5C1J0X8T4RA  audit-logs   queued  9 B   5h00m  0      -              a.log
01KAW3P5E2M9W7V5C1J0X8T4RB  audit-logs   parked  9 B   5h00m  3      ACCESS_DENIED  a.log
01KAW3P5E2M9W7V5C1J0X8T4RC  backups      dead    9 B   5h00m  0      AWS_REFUSED    x y

3 objects, 27 B: 1 queued, 1 parked, 1 dead
` + "audit-logs is parked, everything of it is kept: `brokerctl verify audit-logs` says what to repair\n"},
		{name: "the first", args: []string{"--limit", "1"},
			out: `ID                          DESTINATION  STATE   SIZE  AGE    TRIES  REASON  NAME
01KAW3P5E2M9W7V5C1J0X8T4RA  audit-logs   queued  9 B   5h00m  0      -       a.log

the first 1 object, 9 B: 1 queued; there are more
`},
		{name: "as many as there are", args: []string{"backups", "--limit", "1", "--state", "dead"},
			out: `ID                          DESTINATION  STATE  SIZE  AGE    TRIES  REASON       NAME
01KAW3P5E2M9W7V5C1J0X8T4RC  backups      dead   9 B   5h00m  0      AWS_REFUSED  x y

1 object, 9 B: 1 dead
`},
		{name: "nothing of that state", args: []string{"audit-logs", "--state", "dead,delivering"},
			out: "the spool holds nothing for audit-logs that is dead or delivering\n"},
		{name: "nothing of that state anywhere", args: []string{"--state", "delivering"}, out: "the spool holds nothing that is delivering\n"},
		{name: "a misspelt destination", args: []string{"audit-log"}, code: 1, errs: `there is no destination "audit-log"`},
		{name: "a misspelt state", args: []string{"--state", "late"}, code: console.ExitUsage, errs: "queued, delivering, parked, dead"},
		{name: "two destinations", args: []string{"a", "b"}, code: console.ExitUsage, errs: "one destination at a time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t.Context(), socket, append([]string{"spool", "ls"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, errs)
			}
			if d := cmp.Diff(c.out, out); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnEmptySpoolSaysSo(t *testing.T) {
	socket := (&fakeAdmin{}).serve(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"spool", "ls"}, "the spool is empty\n"},
		{[]string{"spool", "ls", "audit-logs"}, "the spool holds nothing for audit-logs\n"},
		{[]string{"spool", "ls", "-o", "json"}, ""},
		{[]string{"spool", "retry", "--all"}, "there is no object to retry\n"},
	} {
		if code, out, errs := run(t.Context(), socket, c.args...); code != 0 || out != c.want {
			t.Errorf("%v: exit code %d, %q, want %q\n%s", c.args, code, out, c.want, errs)
		}
	}
}

// signalWriter tells how many lines were written.
type signalWriter struct {
	mu    sync.Mutex
	lines int
	more  chan struct{}
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines += bytes.Count(p, []byte("\n"))
	select {
	case w.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *signalWriter) await(ctx context.Context, lines int) error {
	for {
		w.mu.Lock()
		n := w.lines
		w.mu.Unlock()
		if n >= lines {
			return nil
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return fmt.Errorf("%d lines were written, want %d", n, lines)
		}
	}
}

// The daemon sends the rest only after the command has written the first part: a command
// that collects all objects first would never end.
func TestALongSpoolIsReadAsAStream(t *testing.T) {
	for _, c := range []struct {
		format string
		page   int
	}{{"json", 1}, {"text", console.PageRows}} {
		t.Run(c.format, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out := &signalWriter{more: make(chan struct{}, 1)}
			f := &fakeAdmin{paused: func(sent int) {
				if err := out.await(ctx, sent-sent%c.page); err != nil {
					t.Error(err)
				}
			}}
			for range 2*console.PageRows + 50 {
				f.objects = append(f.objects, object(idA, "audit-logs", queued, "x"))
			}
			socket := f.serve(t)
			if code := Main(ctx, []string{"--socket", socket, "spool", "ls", "-o", c.format},
				console.Streams{In: strings.NewReader(""), Out: out, Err: io.Discard}); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if out.lines < len(f.objects) {
				t.Errorf("%d lines for %d objects", out.lines, len(f.objects))
			}
		})
	}
}

func TestSpoolForScripts(t *testing.T) {
	socket := threeObjects().serve(t)
	_, out, _ := run(t.Context(), socket, "spool", "ls", "-o", "json", "--state", "parked")
	var listed, shown spoolcmd.Spooled
	if err := json.Unmarshal([]byte(out), &listed); err != nil {
		t.Fatal(err)
	}
	_, out, _ = run(t.Context(), socket, "spool", "show", strings.ToLower(idB), "-o", "json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatal(err)
	}
	if listed.UploadID != idB || listed.State != "parked" || listed.Size != 9 || listed.Tries != 3 || listed.Reason != "ACCESS_DENIED" ||
		listed.Error != "s3:PutObject: \x1b[31mno\nno" {
		t.Errorf("listed %+v", listed)
	}
	if shown.ParkedSince == nil || shown.ParkedSince.Unix() != 1_700_000_000 ||
		!strings.Contains(shown.Fix, "brokerctl verify audit-logs") {
		t.Errorf("shown %+v", shown)
	}
}

func TestSpoolShowSaysWhatToDo(t *testing.T) {
	f := threeObjects()
	socket := f.serve(t)
	code, out, errs := run(t.Context(), socket, "spool", "show", idB)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	for _, want := range []string{"parked since 2023-11-14T22:13:20Z", "uid 4000000000", "9 B (9 bytes)", "3 since the daemon started",
		"ACCESS_DENIED", "brokerctl verify audit-logs", "s3:PutObject: [31mno no"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a terminal would obey this: %q", out)
	}
	for _, c := range []struct {
		state  brokerdv1.SpoolState
		reason string
		want   string
	}{
		{delivering, "", "is delivering it"},
		{queued, "", "waits for its first"},
		{queued, "NETWORK", "retries it with growing pauses"},
		{parked, "UNKNOWN_DESTINATION", "brokerctl reload"},
		{dead, "CORRUPT", "the bytes before the damage"},
		{dead, "MISSING", "Another program removed the file"},
		{dead, "RESPONSE_MISMATCH", "S3 has the object"},
		{dead, "AWS_REFUSED", "accepts others"},
		{brokerdv1.SpoolState_SPOOL_STATE_UNREADABLE, "UNREADABLE", "reads it again"},
		{brokerdv1.SpoolState_SPOOL_STATE_QUARANTINED, "CORRUPT", "brokerctl spool drop"},
	} {
		if got := spoolcmd.SpoolFix(spoolcmd.Spooled{
			UploadID: idA, Destination: "d", State: spoolcmd.SpoolStates[c.state], Reason: c.reason,
		}); !strings.Contains(got, c.want) {
			t.Errorf("%v %s: %s", c.state, c.reason, got)
		}
	}
}
