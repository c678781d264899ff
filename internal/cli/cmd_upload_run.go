package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/brokerd/brokerd/internal/cli/console"

	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/client"
)

// uploads is one run of `brokerctl upload`.
type uploads struct {
	*console.App
	client *client.Client
	flags  uploadFlags
	bar    *progress

	mu     sync.Mutex // guards the output and the fields below
	codes  map[int]int
	ioErr  error
	advice string // for all files that failed

	noticed bool // a retry was told
	hinted  bool // the daemon was asked for the name that was meant

	total, reported, stored int
	piped                   bool // the source is no file
}

// outcome is the JSON line of one file.
type outcome struct {
	File       string `json:"file"`
	FileBytes  []byte `json:"file_base64,omitempty"` // the path, when it is not UTF-8
	Name       string `json:"name"`
	State      string `json:"state"` // stored, spooled or failed
	Retryable  bool   `json:"retryable"`
	Error      string `json:"error,omitempty"`
	Reason     string `json:"reason,omitempty"`
	UploadID   string `json:"upload_id,omitempty"`
	Bucket     string `json:"bucket,omitempty"`
	Key        string `json:"key,omitempty"`
	VersionID  string `json:"version_id,omitempty"`
	ETag       string `json:"etag,omitempty"`
	Size       int64  `json:"size"`
	CRC32C     string `json:"checksum_crc32c,omitempty"`
	Encryption string `json:"server_side_encryption,omitempty"`
	KMSKeyARN  string `json:"kms_key_arn,omitempty"`
	Parts      int    `json:"parts,omitempty"`
	Tries      int    `json:"tries"`
	// Unfinished is the multipart upload that a failed upload left in the bucket.
	Unfinished *unfinished `json:"unfinished,omitempty"`
}

type unfinished struct {
	Bucket   string `json:"bucket"`
	Key      string `json:"key"`
	UploadID string `json:"upload_id"`
}

func (u *uploads) run(ctx context.Context, jobs []uploadJob) error {
	u.codes = make(map[int]int)
	u.total, u.piped = len(jobs), jobs[0].file == "-"
	u.OnInterrupt(u.left)
	u.bar = newProgress(u.Err, jobs, u.flags)
	var group errgroup.Group
	group.SetLimit(u.flags.jobs)
	for _, j := range jobs {
		group.Go(func() error {
			u.one(ctx, j)
			return nil
		})
	}
	_ = group.Wait() // the goroutines report to u
	u.bar.done()
	if u.advice != "" {
		u.recordWrite(fmt.Fprintln(u.Err, u.advice))
	}
	failed := 0
	for _, n := range u.codes {
		failed += n
	}
	if failed > 0 && len(jobs) > 1 {
		_, _ = fmt.Fprintf(u.Err, "brokerctl: %d of %s stored, %d failed\n", len(jobs)-failed, console.Counted(len(jobs), "file"), failed)
	}
	for _, code := range []int{console.ExitSignal, console.ExitFailed, console.ExitSocket, console.ExitRefused, console.ExitTemporary} {
		if u.codes[code] > 0 {
			if u.ioErr != nil {
				_, _ = fmt.Fprintf(u.Err, "brokerctl: %v\n", u.ioErr)
			}
			return &console.ExitError{Code: code, Err: nil}
		}
	}
	if u.ioErr != nil {
		return &console.ExitError{
			Code: console.ExitReport,
			Err:  fmt.Errorf("all uploads succeeded, but %w; do not send the files again", u.ioErr),
		}
	}
	return nil
}

// one uploads one file and reports the result.
func (u *uploads) one(ctx context.Context, j uploadJob) {
	tries := 1
	opts := []client.UploadOption{
		client.WithProgress(u.bar.track(j)), client.WithContentType(u.flags.contentType), client.WithMetadata(u.flags.metadata),
		client.WithRetry(u.flags.retryFor), client.WithRetryNotice(func(err error, _ time.Duration) {
			tries++
			u.noticeRetry(j, err)
		}),
	}
	if u.flags.key != "" {
		opts = append(opts, client.WithIdempotencyKey(u.flags.key))
	}
	if u.bar.bar != nil {
		opts = append(opts, client.WithStream()) // a stream reports progress; a descriptor does not
	}
	var res *client.Result
	var err error
	if u.flags.expectSize.set {
		opts = append(opts, client.WithSize(u.flags.expectSize.n))
	}
	res, err = u.send(ctx, j, opts)
	if err == nil && u.flags.wait && res.State == client.Spooled {
		res, err = u.client.Wait(ctx, res.UploadID)
	}
	u.report(j, res, err, tries)
}

// noticeRetry tells of the first retry of a run, which may be silent for a while.
func (u *uploads) noticeRetry(j uploadJob, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.flags.quiet || u.noticed {
		return
	}
	u.noticed = true
	u.bar.clear()
	_, _ = fmt.Fprintf(u.Err, "brokerctl: %s: %v; retrying for up to %v\n", j.displayName(), err, u.flags.retryFor)
}

// send uploads the source of a job.
func (u *uploads) send(ctx context.Context, j uploadJob, opts []client.UploadOption) (*client.Result, error) {
	var want []byte
	if u.flags.sha256 != "" {
		var err error
		if want, err = parseSHA256(u.flags.sha256); err != nil {
			return nil, err
		}
	}
	source := u.In
	if info, err := os.Stat(j.file); j.file != "-" && err == nil && info.IsDir() {
		return nil, directoryError(u.flags.destination, j.file)
	}
	switch {
	case j.file != "-" && want == nil:
		return u.client.UploadFile(ctx, u.flags.destination, j.name, j.file, opts...)
	case j.file != "-":
		f, err := os.Open(j.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read from
		return u.client.Upload(ctx, u.flags.destination, j.name, &hashedFile{newHashed(f, want), f}, opts...)
	case u.flags.run != "":
		out, err := startCommand(ctx, u.App, u.flags.run)
		if err != nil {
			return nil, err
		}
		defer out.stop()
		source = out
	}
	if want != nil {
		source = newHashed(source, want)
	}
	return u.client.Upload(ctx, u.flags.destination, j.name, source, opts...)
}

// directoryError names the two ways to upload a directory.
func directoryError(destination, dir string) error {
	clean := filepath.Clean(dir)
	name := filepath.Base(clean)
	if name == "." || name == ".." || name == string(filepath.Separator) {
		name = "archive"
	}
	return fmt.Errorf(`it is a directory, and an object is one file
  Upload each file: find %[1]s -type f -print0 | brokerctl upload -d %[3]s -0 --files-from -
  Upload an archive: brokerctl upload -d %[3]s --name %[2]s --run %[4]s`,
		shellQuote(clean), shellQuote(name+".tar"), destination, shellQuote("tar c "+shellQuote(clean)))
}

// shellQuote quotes text for a shell where it needs quotes.
func shellQuote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+:@%,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (u *uploads) report(j uploadJob, res *client.Result, err error, tries int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reported++
	if err == nil {
		u.stored++
	}
	o := outcome{File: j.file, Name: j.name, Tries: tries, State: "stored"}
	if !utf8.ValidString(j.file) {
		o.FileBytes = []byte(j.file)
	}
	if err != nil {
		code := console.ExitCode(err)
		u.codes[code]++
		o.State, o.Error, o.Retryable = "failed", u.failureText(err), code == console.ExitTemporary || code == console.ExitSignal
		var ce *client.Error
		if errors.As(err, &ce) {
			o.Error, o.Reason = ce.Message, ce.Reason
		}
		if left := client.Unfinished(err); left != nil {
			o.Unfinished = &unfinished{left.Bucket, left.Key, left.UploadID}
		}
	} else {
		o.State = string(res.State)
		o.UploadID, o.Bucket, o.Key, o.VersionID, o.ETag, o.Size = res.UploadID, res.Bucket, res.Key, res.VersionID, res.ETag, res.Size
		o.CRC32C, o.Encryption, o.KMSKeyARN, o.Parts = res.ChecksumCRC32C, res.ServerSideEncryption, res.KMSKeyARN, res.Parts
	}
	u.bar.clear()
	if err != nil {
		u.recordWrite(fmt.Fprintln(u.Err, console.Fit(u.Err, "brokerctl: "+j.displayName()+": "+u.failureText(err))))
	}
	switch {
	case u.flags.out == console.FormatJSON:
		line, jerr := json.Marshal(o)
		if jerr != nil {
			u.ioErr = jerr
			return
		}
		u.recordWrite(fmt.Fprintf(u.Out, "%s\n", line))
	case err == nil && !u.flags.quiet && res.State == client.Spooled:
		u.recordWrite(fmt.Fprintln(u.Out, console.Fit(u.Out, fmt.Sprintf("%s -> spooled as %s, not yet in S3", j.displayName(), o.UploadID))))
	case err == nil && !u.flags.quiet:
		u.recordWrite(
			fmt.Fprintln(
				u.Out,
				console.Fit(u.Out, fmt.Sprintf("%s -> s3://%s/%s (%s)", j.displayName(), o.Bucket, o.Key, console.BytesText(o.Size))),
			),
		)
	}
}

// displayName returns the file's path, or the object's name for standard input.
func (j uploadJob) displayName() string {
	if j.file == "-" {
		return j.name
	}
	return j.file
}

func (u *uploads) failureText(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) && errors.Is(err, os.ErrNotExist) {
		return "no such file"
	}
	if console.ExitCode(err) == console.ExitSignal {
		if client.MayBeStored(err) {
			return "interrupted after all bytes were sent; the object may be stored"
		}
		return "interrupted: nothing was stored"
	}
	if steps := console.FirstSteps(err); steps != "" {
		u.advice = steps
	}
	if u.hinted {
		return err.Error()
	}
	u.hinted = true // the hint is the same for every file
	return u.ExplainError(err)
}

// left tells what an interruption leaves. It is asked while uploads may still be open.
func (u *uploads) left() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.reported == u.total:
		return "" // each file had its own line
	case u.total == 1 && u.piped:
		return "nothing was stored" // its end was not read, so that it was not sent
	case u.stored == 0:
		return "no file was reported as stored; those whose bytes were all sent may be stored"
	}
	return fmt.Sprintf("%d of %s are stored; others whose bytes were all sent may be stored", u.stored, console.Counted(u.total, "file"))
}

// recordWrite records the first error of writing a report: without it, a script would
// take missing output for success.
func (u *uploads) recordWrite(_ int, err error) {
	if err != nil && u.ioErr == nil {
		u.ioErr = fmt.Errorf("writing the report: %w", err)
	}
}
