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
object's name is the file's base name; where it lands is the daemon's business.

A file is stored whole and verified, or not at all. When the daemon or AWS cannot
be reached, files are sent again from their start, with growing pauses, for
--retry-for; standard input cannot be read twice and is sent again only as long
as no more than 1 MiB of it was read. All tries are one upload to the daemon.

A destination may answer once the object is safe on the daemon's disk; it is then
"spooled", and --wait waits until it is stored.

Several files are sent at a time (--jobs). Those that failed are named on standard
error; with -o json there is one line for every file, with "retryable". See
` + "`brokerctl help exit-codes`.",
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
	fl.IntVarP(&f.jobs, "jobs", "j", 4, "files sent at a time")
	fl.DurationVar(&f.retryFor, "retry-for", 30*time.Second, "how long a file is tried again after a temporary failure; 0: not at all")
	fl.StringVar(&f.key, "idempotency-key", "", "names the object for as long as it may be sent again, also by a later call; for one file")
	fl.BoolVar(&f.wait, "wait", false, "wait until what was spooled is stored")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress bar and no line for stored files")
	outputFlag(cmd, &f.out)
	return cmd
}

// uploadJob is one object to be.
type uploadJob struct {
	file string // path, or "-"
	name string
}

// plan turns arguments into jobs, and refuses what can only be a mistake.
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
		return nil, errors.New("no destination: say --destination NAME (`brokerctl status` lists yours)")
	case len(files) == 0 && f.filesFrom == "":
		return nil, errors.New("no file: name files, or - for standard input")
	case dashes > 1 || dashes > 0 && f.filesFrom == "-":
		return nil, errors.New("standard input can be read once only")
	case dashes == 1 && len(files) > 1:
		return nil, errors.New("- cannot be mixed with files: upload standard input by itself")
	case dashes == 1 && f.name == "":
		return nil, errors.New("standard input has no name: say --name NAME")
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
			return nil, fmt.Errorf("%s and %s would both be named %q: upload them apart, with --name-prefix", other, file, name)
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
		defer func() { _ = f.Close() }() // only read from
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
