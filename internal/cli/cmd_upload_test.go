package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlanOfAnUpload(t *testing.T) {
	flags := func(change func(*uploadFlags)) uploadFlags {
		f := uploadFlags{destination: "logs", jobs: 4, retryFor: time.Second}
		change(&f)
		return f
	}
	for _, c := range []struct {
		name  string
		flags uploadFlags
		args  []string
		stdin string
		want  []uploadJob
		err   string
	}{
		{name: "files are named by their base name", flags: flags(func(*uploadFlags) {}), args: []string{"/a/x", "y"},
			want: []uploadJob{{"/a/x", "x"}, {"y", "y"}}},
		{name: "a prefix goes before every name", flags: flags(func(f *uploadFlags) { f.prefix = "b/" }), args: []string{"/a/x"},
			want: []uploadJob{{"/a/x", "b/x"}}},
		{name: "standard input with a name", flags: flags(func(f *uploadFlags) { f.name = "n" }), args: []string{"-"},
			want: []uploadJob{{"-", "n"}}},
		{name: "a list from standard input", flags: flags(func(f *uploadFlags) { f.filesFrom = "-" }), stdin: "x\r\n\ny z\n",
			want: []uploadJob{{"x", "x"}, {"y z", "y z"}}},
		{name: "an empty list", flags: flags(func(f *uploadFlags) { f.filesFrom = "-" }), err: "the list has no file name"},
		{name: "no destination", flags: flags(func(f *uploadFlags) { f.destination = "" }), args: []string{"x"}, err: "no destination"},
		{name: "nothing to upload", flags: flags(func(*uploadFlags) {}), err: "no file"},
		{name: "standard input without a name", flags: flags(func(*uploadFlags) {}), args: []string{"-"}, err: "has no name"},
		{name: "standard input twice", flags: flags(func(f *uploadFlags) { f.name = "n" }), args: []string{"-", "-"}, err: "once only"},
		{name: "standard input as list and as body", flags: flags(func(f *uploadFlags) { f.filesFrom = "-" }), args: []string{"-"},
			err: "once only"},
		{name: "standard input among files", flags: flags(func(*uploadFlags) {}), args: []string{"-", "x"}, err: "mixed"},
		{name: "one name for two files", flags: flags(func(f *uploadFlags) { f.name = "n" }), args: []string{"x", "y"},
			err: "--name is for one file"},
		{name: "one key for two files", flags: flags(func(f *uploadFlags) { f.key = "k" }), args: []string{"x", "y"},
			err: "--idempotency-key is for one file"},
		{name: "two files of one name", flags: flags(func(*uploadFlags) {}), args: []string{"a/x", "b/x"}, err: "both be named"},
		{name: "no job at a time", flags: flags(func(f *uploadFlags) { f.jobs = 0 }), args: []string{"x"}, err: "--jobs"},
		{name: "a negative time", flags: flags(func(f *uploadFlags) { f.retryFor = -1 }), args: []string{"x"}, err: "--retry-for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.flags.plan(t.Context(), c.args, strings.NewReader(c.stdin))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one about %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(uploadJob{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
