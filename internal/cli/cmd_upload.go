package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type uploadFlags struct {
	destination, name, prefix, contentType, filesFrom, key string
	metadata                                               map[string]string
	jobs                                                   int
	retryFor                                               time.Duration
	quiet, wait, null, escape                              bool
	run, sha256                                            string
	expectSize                                             optionalSize
	out                                                    console.Format
}

func uploadCommand(a *console.App) *cobra.Command {
	var f uploadFlags
	var to *console.Destinations
	cmd := &cobra.Command{
		Use:        "upload FILE… | - | --run COMMAND",
		SuggestFor: []string{"put", "send", "cp", "copy", "push"},
		Short:      "Deliver files, or standard input, to a destination",
		Long: `Deliver each file as one object; "-" is standard input, of any length. The
object's name is the file's base name. The daemon's configuration decides the bucket
and the key.

A file is stored whole and verified, or not at all. A file that is rewritten while it
is read is not stored; one that grows is stored up to its length at the start. If the daemon or AWS cannot be
reached, brokerctl sends the file again from its start, with exponential backoff,
for up to --retry-for. Standard input cannot be read twice: brokerctl sends it again
only while it has read at most 1 MiB. All attempts count as one upload.

The end of a pipe does not tell whether its producer succeeded. With --run, brokerctl
starts the producer itself, with pipefail, and stores its output only if it exits
with status 0. --expect-size and --sha256 check the data instead.

A destination with a spool answers "spooled" as soon as the object is synced to the
daemon's disk. With --wait, brokerctl waits until S3 has it.

Several files are sent concurrently (--jobs). Standard error names the files that
failed; with -o json, standard output has one line for each file, with "retryable".
See ` + "`brokerctl help exit-codes`.",
		Example: `  brokerctl upload -d audit-logs /var/log/syslog.1
  brokerctl upload -d backups --name app.sql.zst --run 'pg_dump app | zstd'
  set -o pipefail; tar c /etc | brokerctl upload -d backups --name etc.tar --sha256 "$SUM" -
  find /var/spool/app -type f -print0 | brokerctl upload -d audit-logs -0 --files-from -
  brokerctl upload -d audit-logs -o json *.gz | jq -r 'select(.retryable).file' > again.txt
  brokerctl upload -d audit-logs --files-from again.txt`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := refuseEmpty(cmd.Flags(), "name", "run", "sha256", "idempotency-key"); err != nil {
				return console.UsageError(err)
			}
			if f.destination, err = to.One(nil); err != nil {
				return err
			}
			jobs, err := f.plan(cmd.Context(), args, a.In)
			if err != nil {
				if cmd.Context().Err() != nil {
					return err
				}
				return console.UsageError(err)
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			u := &uploads{App: a, client: c, flags: f}
			return u.run(cmd.Context(), jobs)
		},
	}
	to = a.DestinationFlag(cmd, "destination of the daemon's configuration (required)", nil)
	a.SocketFlag(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.name, "name", "", "object name; for standard input (required there) or a single file")
	fl.StringVar(&f.prefix, "name-prefix", "", "put before every object name, for example batch-7/")
	fl.StringVar(&f.contentType, "content-type", "", "media type stored with the objects")
	fl.StringToStringVar(&f.metadata, "metadata", nil, "user metadata, key=value")
	fl.StringVar(&f.filesFrom, "files-from", "", "read more file names from this file, one a line; - is standard input")
	fl.BoolVarP(&f.null, "null", "0", false, "names in --files-from end with a NUL, not with a newline")
	fl.BoolVar(&f.escape, "escape-names", false, "write each byte of a file name that is not UTF-8 as %XX in the object name, and % as %25")
	fl.StringVar(&f.run, "run", "", "run this shell command, and store its standard output if it exits with status 0; needs --name")
	fl.Var(&f.expectSize, "expect-size", "store the object only if it has this many bytes; for one object")
	fl.StringVar(&f.sha256, "sha256", "", "store the object only if its SHA-256 is this, in hexadecimal; for one object")
	fl.IntVarP(&f.jobs, "jobs", "j", 4, "files sent concurrently")
	fl.DurationVar(&f.retryFor, "retry-for", 30*time.Second, "how long to retry a file after a temporary failure; 0: no retries")
	fl.StringVar(
		&f.key,
		"idempotency-key",
		"",
		"makes repeated calls one upload: a later call with the same key stores no second object; for one file",
	)
	fl.BoolVar(&f.wait, "wait", false, "wait until spooled objects are stored in S3")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress bar and no line for stored files")
	console.OutputFlag(cmd, &f.out)
	console.FileFlags(cmd, "files-from")
	return cmd
}

// refuseEmpty refuses flags that were given with an empty value, such as "$SUM" of a
// variable that is not set. Without their value the upload would be another one.
func refuseEmpty(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if fl := flags.Lookup(name); fl.Changed && fl.Value.String() == "" {
			return fmt.Errorf("--%s is empty: give it a value, or leave it out", name)
		}
	}
	return nil
}

// uploadJob is one object to upload.
type uploadJob struct {
	file string // path, or "-"
	name string
}

// plan turns the arguments into jobs, and rejects combinations that are always mistakes.
func (f *uploadFlags) plan(ctx context.Context, args []string, stdin io.Reader) ([]uploadJob, error) {
	files := args
	if f.run != "" {
		if len(args) > 0 || f.filesFrom != "" {
			return nil, errors.New("--run is the only source of its object: name no files with it")
		}
		if f.name == "" {
			return nil, errors.New("the output of --run has no name: set --name NAME")
		}
		files = []string{"-"}
	}
	if f.filesFrom == "-" && slices.Contains(args, "-") {
		return nil, errors.New("standard input can be read once only")
	}
	if f.filesFrom != "" {
		more, err := readList(ctx, f.filesFrom, stdin, f.null)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	dashes := 0
	for _, file := range files {
		if file == "-" {
			dashes++
		}
	}
	switch {
	case f.destination == "":
		return nil, errors.New("no destination: set --destination NAME (`brokerctl status` lists yours)")
	case len(files) == 0 && f.filesFrom == "":
		return nil, errors.New("no file: name files, or - for standard input")
	case f.null && f.filesFrom == "":
		return nil, errors.New("--null is for --files-from")
	case f.run == "" && dashes == 1 && closedByCaller(stdin):
		return nil, errStdinClosed
	case dashes > 1 || dashes > 0 && f.filesFrom == "-":
		return nil, errors.New("standard input can be read once only")
	case dashes == 1 && len(files) > 1:
		return nil, errors.New("- cannot be mixed with files: upload standard input by itself")
	case dashes == 1 && f.name == "":
		return nil, errors.New("standard input has no name: set --name NAME")
	case f.name != "" && len(files) != 1:
		return nil, errors.New("--name is for one file; for several, use --name-prefix")
	case f.key != "" && len(files) != 1:
		return nil, errors.New("--idempotency-key is for one file: one key names one object")
	case (f.expectSize.set || f.sha256 != "") && len(files) != 1:
		return nil, errors.New("--expect-size and --sha256 are for one object")
	case f.jobs < 1 || f.jobs > 64:
		return nil, fmt.Errorf("--jobs %d: want 1 to 64", f.jobs)
	case f.retryFor < 0:
		return nil, errors.New("--retry-for must not be negative")
	}
	if f.sha256 != "" {
		if _, err := parseSHA256(f.sha256); err != nil {
			return nil, err
		}
	}
	jobs := make([]uploadJob, 0, len(files))
	byName := make(map[string]string)
	for _, file := range files {
		name := f.name
		if name == "" {
			name = filepath.Base(file)
		}
		if f.escape {
			name = escapeName(name)
		}
		name = f.prefix + name
		if other, ok := byName[name]; ok && other != file {
			return nil, fmt.Errorf("%s and %s would both be named %q: upload them in two calls, with different values of --name-prefix", other,
				file, name)
		}
		byName[name] = file
		jobs = append(jobs, uploadJob{file, name})
	}
	return jobs, nil
}

// escapeName returns a name that is UTF-8, and from which the file name can be restored.
func escapeName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && n <= 1, r == '%', r < ' ', r == 0x7f:
			fmt.Fprintf(&b, "%%%02X", name[i])
			n = 1
		default:
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

// optionalSize is a flag that holds a number of bytes, or nothing.
type optionalSize struct {
	set bool
	n   int64
}

// String implements pflag.Value.
func (o *optionalSize) String() string {
	if !o.set {
		return ""
	}
	return strconv.FormatInt(o.n, 10)
}

// Set implements pflag.Value.
func (o *optionalSize) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a number of bytes", s)
	}
	o.set, o.n = true, n
	return nil
}

// Type returns the placeholder of the help text.
func (o *optionalSize) Type() string { return "bytes" }
