package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type uploadFlags struct {
	destination, name, prefix, contentType, filesFrom, key string
	metadata                                               map[string]string
	jobs                                                   int
	retryFor                                               time.Duration
	quiet, wait                                            bool
	out                                                    format
}

func (a *app) uploadCommand() *cobra.Command {
	var f uploadFlags
	cmd := &cobra.Command{
		Use:   "upload FILE… | -",
		Short: "Deliver files, or standard input, to a destination",
		Long: `Deliver each file as one object; "-" is standard input, of any length. The
object's name is the file's base name. The daemon's configuration decides the bucket
and the key.

A file is stored whole and verified, or not at all. If the daemon or AWS cannot be
reached, brokerctl sends the file again from its start, with exponential backoff,
for up to --retry-for. Standard input cannot be read twice: brokerctl sends it again
only while it has read at most 1 MiB. All attempts count as one upload.

A destination with a spool answers "spooled" as soon as the object is synced to the
daemon's disk. With --wait, brokerctl waits until S3 has it.

Several files are sent concurrently (--jobs). Standard error names the files that
failed; with -o json, standard output has one line for each file, with "retryable".
See ` + "`brokerctl help exit-codes`.",
		Example: `  brokerctl upload -d audit-logs /var/log/syslog.1
  pg_dump app | zstd | brokerctl upload -d backups --name app.sql.zst -
  brokerctl upload -d audit-logs -o json *.gz | jq -r 'select(.retryable).file' > again.txt
  brokerctl upload -d audit-logs --files-from again.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			jobs, err := f.plan(args, a.In)
			if err != nil {
				return usageError(err)
			}
			c, err := a.dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			u := &uploads{app: a, client: c, flags: f}
			return u.run(cmd.Context(), jobs)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.destination, "destination", "d", "", "destination of the daemon's configuration (required)")
	fl.StringVar(&f.name, "name", "", "object name; for standard input (required there) or a single file")
	fl.StringVar(&f.prefix, "name-prefix", "", "put before every object name, for example batch-7/")
	fl.StringVar(&f.contentType, "content-type", "", "media type stored with the objects")
	fl.StringToStringVar(&f.metadata, "metadata", nil, "user metadata, key=value")
	fl.StringVar(&f.filesFrom, "files-from", "", "read more file names from this file, one a line; - is standard input")
	fl.IntVarP(&f.jobs, "jobs", "j", 4, "files sent concurrently")
	fl.DurationVar(&f.retryFor, "retry-for", 30*time.Second, "how long to retry a file after a temporary failure; 0: no retries")
	fl.StringVar(&f.key, "idempotency-key", "", "makes repeated calls one upload: a later call with the same key stores no second object; for one file")
	fl.BoolVar(&f.wait, "wait", false, "wait until spooled objects are stored in S3")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress bar and no line for stored files")
	outputFlag(cmd, &f.out)
	return cmd
}

// uploadJob is one object to upload.
type uploadJob struct {
	file string // path, or "-"
	name string
}

// plan turns the arguments into jobs, and rejects combinations that are always mistakes.
func (f *uploadFlags) plan(args []string, stdin io.Reader) ([]uploadJob, error) {
	files := args
	if f.filesFrom != "" {
		more, err := readList(f.filesFrom, stdin)
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
	case f.jobs < 1 || f.jobs > 64:
		return nil, fmt.Errorf("--jobs %d: want 1 to 64", f.jobs)
	case f.retryFor < 0:
		return nil, errors.New("--retry-for must not be negative")
	}
	jobs := make([]uploadJob, 0, len(files))
	byName := make(map[string]string)
	for _, file := range files {
		name := f.name
		if name == "" {
			name = filepath.Base(file)
		}
		name = f.prefix + name
		if other, ok := byName[name]; ok && other != file {
			return nil, fmt.Errorf("%s and %s would both be named %q: upload them in two calls, with different values of --name-prefix", other, file, name)
		}
		byName[name] = file
		jobs = append(jobs, uploadJob{file, name})
	}
	return jobs, nil
}

func readList(path string, stdin io.Reader) (files []string, err error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--files-from: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	sc := bufio.NewScanner(in)
	for sc.Scan() {
		if line := strings.TrimSuffix(sc.Text(), "\r"); line != "" {
			files = append(files, line)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("--files-from: %w", err)
	}
	return files, nil
}
