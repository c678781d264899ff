package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestIDsThatAreNone(t *testing.T) {
	socket := threeObjects().serve(t)
	other := "01KAW3P5E2M9W7V5C1J0X8T4RZ"
	for _, c := range []struct {
		args []string
		code int
		errs string
	}{
		{[]string{"show", "a.log"}, console.ExitUsage, `"a.log" is not the id of an upload`},
		{[]string{"export", "-f", "-", idA + "0"}, console.ExitUsage, "26 letters and digits"},
		{[]string{"retry", idA, "x"}, console.ExitUsage, `"x" is not`},
		{[]string{"drop", "--yes", "x"}, console.ExitUsage, `"x" is not`},
		{[]string{"show", other}, console.ExitFailed, "UPLOAD_NOT_FOUND"},
		{[]string{"export", "-f", "-", other}, console.ExitFailed, "UPLOAD_NOT_FOUND"},
		{[]string{"show"}, console.ExitUsage, "accepts 1 arg"},
		{[]string{"frobnicate"}, console.ExitUsage, "unknown command"},
	} {
		if code, _, errs := run(t.Context(), socket, append([]string{"spool"}, c.args...)...); code != c.code ||
			!strings.Contains(errs, c.errs) {
			t.Errorf("%v: exit code %d, want %d\n%s", c.args, code, c.code, errs)
		}
	}
}

func TestSpoolRetry(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		code    int
		out     string
		errs    string
		retried []string
	}{
		{name: "by id, each once", args: []string{idA, idC, idA}, out: "2 objects are retried\n", retried: []string{idA, idC}},
		{name: "the others go on when one is not there", args: []string{idA, "01KAW3P5E2M9W7V5C1J0X8T4RZ", idB}, code: 1,
			out: "2 objects are retried\n", errs: "UPLOAD_NOT_FOUND", retried: []string{idA, idB}},
		{name: "a destination", args: []string{"-d", "audit-logs"}, out: "2 objects of audit-logs are retried\n", retried: []string{idA, idB}},
		{name: "everything", args: []string{"--all"}, out: "3 objects are retried\n", retried: []string{idA, idB, idC}},
		{name: "a misspelt destination", args: []string{"-d", "audit"}, code: 1, errs: `no destination "audit"`},
		{name: "nothing named", code: console.ExitUsage, errs: "name objects"},
		{name: "both", args: []string{idA, "--all"}, code: console.ExitUsage, errs: "do not go together"},
		{name: "a destination and all", args: []string{"-d", "audit-logs", "--all"}, code: console.ExitUsage, errs: "do not go together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := threeObjects()
			code, out, errs := run(t.Context(), f.serve(t), append([]string{"spool", "retry"}, c.args...)...)
			if code != c.code || out != c.out || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			if d := cmp.Diff(c.retried, f.retried); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSpoolDrop(t *testing.T) {
	abort := refusal(codes.FailedPrecondition, "ACCESS_DENIED", "no", map[string]string{"operation": "s3:AbortMultipartUpload"})
	for _, c := range []struct {
		name    string
		args    []string
		drop    func(string) error
		code    int
		out     string
		errs    []string
		dropped []string
	}{
		{name: "it asks, and there is nobody to ask", args: []string{idC}, code: console.ExitUsage, errs: []string{"give --yes"}},
		{name: "it says what is lost", args: []string{"--yes", idC, idB, idC}, out: "dropped 2 objects, 18 B\n",
			errs:    []string{idB, idC, "2 objects, 18 B: 1 parked, 1 dead. They were accepted and not delivered, and brokerd has no other copy."},
			dropped: []string{idC, idB}},
		{name: "what can still be delivered stays, and all others with it", args: []string{"--yes", idC, idA}, code: 1,
			errs: []string{idA + " is queued", "--force", "nothing was dropped"}},
		{name: "forced", args: []string{"--yes", "--force", idA}, out: "dropped 1 object, 9 B\n", errs: []string{"It was accepted"},
			dropped: []string{idA}},
		{name: "an unknown one stops all", args: []string{"--yes", idC, "01KAW3P5E2M9W7V5C1J0X8T4RZ"}, code: 1,
			errs: []string{"UPLOAD_NOT_FOUND", "nothing was dropped"}},
		{name: "one that fails is named, the others go", args: []string{"--yes", idB, idC}, drop: func(id string) error {
			if id == idB {
				return abort
			}
			return nil
		}, code: 1, out: "dropped 1 object, 9 B\n", errs: []string{idB + " was kept, its multipart upload could not be aborted", "--force"},
			dropped: []string{idC}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := threeObjects()
			f.drop = c.drop
			code, out, errs := run(t.Context(), f.serve(t), append([]string{"spool", "drop"}, c.args...)...)
			if code != c.code || out != c.out {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			for _, want := range c.errs {
				if !strings.Contains(errs, want) {
					t.Errorf("%q is not in\n%s", want, errs)
				}
			}
			if d := cmp.Diff(c.dropped, f.dropped); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("one that is being delivered", func(t *testing.T) {
		f := &fakeAdmin{objects: []*brokerdv1.ListSpoolResponse{object(idA, "audit-logs", delivering, "x")}}
		if code, _, errs := run(t.Context(), f.serve(t), "spool", "drop", "--yes", "--force", idA); code != 1 ||
			!strings.Contains(errs, "being delivered") || len(f.dropped) > 0 {
			t.Errorf("exit code %d\n%s", code, errs)
		}
	})
}

func TestSpoolWithoutARight(t *testing.T) {
	f := threeObjects()
	f.deny = refusal(codes.PermissionDenied, "ADMIN_ONLY", "not you", nil)
	socket := f.serve(t)
	for _, args := range [][]string{{"ls"}, {"show", idA}, {"export", "-f", "-", idA}, {"drop", "--yes", idA, idB}} {
		code, _, errs := run(t.Context(), socket, append([]string{"spool"}, args...)...)
		if code != console.ExitRefused || strings.Count(errs, "ADMIN_ONLY") != 1 {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
	gone := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{{"spool", "ls"}, {"spool", "retry", idA, idB}, {"spool", "drop", "--yes", idA, idB}, {"drain"}} {
		code, _, errs := run(t.Context(), gone, args...)
		if code != console.ExitTemporary || strings.Count(errs, "no answer from brokerd") != 1 {
			t.Errorf("%v without a daemon: exit code %d\n%s", args, code, errs)
		}
	}
}

func TestSpoolExport(t *testing.T) {
	send := func(stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse], texts ...string) error {
		for _, text := range texts {
			if err := stream.Send(&brokerdv1.ExportSpoolResponse{Chunk: []byte(text)}); err != nil {
				return err
			}
		}
		return nil
	}
	type exporting = grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]
	for _, c := range []struct {
		name   string
		args   []string
		export func(exporting) error
		exists string // content of the file before
		code   int
		want   string // content of the file afterwards; empty: no file
		errs   string
	}{
		{name: "whole", want: "body of a"},
		{name: "a file that exists is kept", exists: "mine", code: 1, want: "mine", errs: "exists: --force"},
		{name: "a file that exists is replaced when asked", args: []string{"--force"}, exists: "mine", want: "body of a"},
		{name: "bytes that differ", export: func(s exporting) error { return send(s, "body ", "of b") }, code: 1, errs: "is not the object"},
		{name: "bytes that are missing", export: func(s exporting) error { return send(s, "body of") }, code: 1, errs: "7 bytes"},
		{name: "damage", args: []string{"--force"}, exists: "mine", want: "mine",
			export: func(s exporting) error { return errors.Join(send(s, "body"), status.Error(codes.DataLoss, "damaged")) }, code: 1,
			errs: "damaged"},
		{name: "a file that comes meanwhile is kept", export: func(s exporting) error {
			return errors.Join(os.WriteFile("f", []byte("somebody's"), 0o600), send(s, "body of a"))
		}, code: 1, want: "somebody's", errs: "exists: --force"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := threeObjects()
			f.export = c.export
			socket := f.serve(t)
			t.Chdir(t.TempDir())
			if c.exists != "" {
				if err := os.WriteFile("f", []byte(c.exists), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, _, errs := run(t.Context(), socket, append([]string{"spool", "export", idA, "-f", "f"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, errs)
			}
			got, err := os.ReadFile("f")
			if string(got) != c.want || err != nil && c.want != "" {
				t.Errorf("the file holds %q, want %q (%v)", got, c.want, err)
			}
			if left, _ := filepath.Glob(".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("named by the id, for its owner only", func(t *testing.T) {
		socket := threeObjects().serve(t)
		t.Chdir(t.TempDir())
		if code, out, errs := run(t.Context(), socket, "spool", "export", idB); code != 0 ||
			!strings.Contains(out, idB+" -> "+idB+" (9 B, CRC32C ") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		if info, err := os.Stat(idB); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("to standard output", func(t *testing.T) {
		f := threeObjects()
		socket := f.serve(t)
		if code, out, errs := run(t.Context(), socket, "spool", "export", idB, "-f", "-"); code != 0 || out != "body of b" ||
			!strings.Contains(errs, "verified") {
			t.Errorf("exit code %d, %q\n%s", code, out, errs)
		}
		f.export = func(s exporting) error { return send(s, "body of c") }
		if code, _, errs := run(t.Context(), socket, "spool", "export", idB, "-f", "-"); code != 1 || strings.Contains(errs, "verified") {
			t.Errorf("exit code %d\n%s", code, errs)
		}
	})
	t.Run("what is no file is not replaced", func(t *testing.T) {
		socket := threeObjects().serve(t)
		dir := t.TempDir()
		if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{dir: "is a directory", filepath.Join(dir, "link"): "not a regular file",
			filepath.Join(dir, "no", "f"): "no such file"} {
			if code, _, errs := run(t.Context(), socket, "spool", "export", "--force", idA, "-f", path); code != 1 ||
				!strings.Contains(errs, want) {
				t.Errorf("%s: exit code %d\n%s", path, code, errs)
			}
		}
	})
}
