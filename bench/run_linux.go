package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/bench/load"
	"github.com/brokerd/brokerd/bench/proc"
)

// application is the result of a program that ran a job, with its processor time.
type application struct {
	load.Report
	cpu time.Duration
}

// runApplication runs a program to its end on the core for work.
func (s *harness) runApplication(ctx context.Context, env []string, program string, args ...string) (application, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, env
	if err := startOn(s.work, cmd); err != nil {
		return application{}, err
	}
	if err := cmd.Wait(); err != nil {
		return application{}, fmt.Errorf("%s: %w\n%s%s", program, err, tail(out.String()), tail(errs.String()))
	}
	a := application{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	// The kernel's value, for programs that print no report of their own.
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		a.Peak = usage.Maxrss << 10
	}
	if text := bytes.TrimSpace(out.Bytes()); bytes.HasPrefix(text, []byte("{")) {
		if err := json.Unmarshal(text, &a.Report); err != nil {
			return a, fmt.Errorf("%s: its report: %w", program, err)
		}
	}
	return a, nil
}

func tail(text string) string { return text[max(0, len(text)-1000):] }

// work runs a job with one participant.
type work func(ctx context.Context, job load.Job) (application, error)

// runOnce measures one run of a job. d is the daemon that it goes through, or nil.
func (s *harness) runOnce(ctx context.Context, e *endpoint, d *process, job load.Job, do work) (sample, error) {
	before, err := e.state(ctx, 0)
	if err != nil {
		return sample{}, err
	}
	var brokered time.Duration
	if d != nil {
		if brokered, err = proc.CPUOf(d.pid()); err != nil {
			return sample{}, err
		}
	}
	atFirst, err := proc.Busy(s.work, s.sink)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	a, err := do(ctx, job)
	if err != nil {
		return sample{}, err
	}
	wall := time.Since(began)
	// A spooled object is acknowledged before it is delivered: the delivery counts as well.
	after, err := e.state(ctx, before.Objects+int64(job.Objects))
	if err != nil {
		return sample{}, err
	}
	if n, b := after.Objects-before.Objects, after.Bytes-before.Bytes; n != int64(job.Objects) || b != job.Bytes() {
		return sample{}, fmt.Errorf("%d objects with %d bytes have arrived instead of %d with %d", n, b, job.Objects, job.Bytes())
	}
	r := sample{
		Objects: job.Objects, Bytes: job.Bytes(), Wall: a.Seconds, CPU: a.cpu.Seconds(), Client: a.cpu.Seconds(),
		SinkCPU: (after.cpu - before.cpu).Seconds(), Elapsed: time.Since(began).Seconds(), Peak: a.Peak,
	}
	if r.Wall == 0 { // a program without a report: its start counts as well
		r.Wall = wall.Seconds()
	}
	atLast, err := proc.Busy(s.work, s.sink)
	if err != nil {
		return sample{}, err
	}
	if d != nil {
		now, err := proc.CPUOf(d.pid())
		if err != nil {
			return sample{}, err
		}
		memory, err := proc.MemoryOf(d.pid())
		if err != nil {
			return sample{}, err
		}
		r.CPU += (now - brokered).Seconds()
		r.Peak = memory.Peak
	}
	r.Others = max(0, (atLast-atFirst).Seconds()-r.CPU-r.SinkCPU)
	return r, nil
}

// throughBroker sends the objects to d.
func (s *harness) throughBroker(d *process) work {
	return func(ctx context.Context, job load.Job) (application, error) {
		return s.runApplication(ctx, environment(), s.path("caller"), append(job.Arguments(), "-socket", d.socket)...)
	}
}

// byItself sends with one of the SDK's upload APIs.
func (s *harness) byItself(e *endpoint, way string) work {
	return func(ctx context.Context, job load.Job) (application, error) {
		args := append(job.Arguments(), "-way", way, "-endpoint", e.url, "-ca", e.ca,
			"-region", region, "-bucket", bucket, "-owner", owner, "-kms-key", kmsKey)
		return s.runApplication(ctx, environment("AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey), s.path("peers"), args...)
	}
}

// absent is the reason that a participant cannot run.
type absent struct{ reason string }

func (a *absent) Error() string { return a.reason }

// byProgram sends files with a third-party program.
func (s *harness) byProgram(e *endpoint, name string) (work, error) {
	command := strings.Fields(name)[0]
	program, err := exec.LookPath(command)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, &absent{command + " is not on PATH"}
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, job load.Job) (application, error) {
		from, err := s.payload(job)
		if err != nil {
			return application{}, err
		}
		var args, env []string
		if name == awsCLI {
			args, env = awsArguments(from, job), awsEnvironment(e)
		} else {
			args, env = rcloneArguments(from, job), rcloneEnvironment(e)
		}
		return s.runApplication(ctx, environment(env...), program, args...)
	}, nil
}

func awsArguments(from string, job load.Job) []string {
	args := []string{
		"s3", "cp", from, "s3://" + bucket + "/aws/" + job.Prefix, "--only-show-errors",
		"--sse", "aws:kms", "--sse-kms-key-id", kmsKey,
	}
	if job.Objects > 1 {
		args = append(args, "--recursive")
	}
	return args
}

func awsEnvironment(e *endpoint) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_DEFAULT_REGION=" + region,
		"AWS_ENDPOINT_URL=" + e.url, "AWS_CA_BUNDLE=" + e.ca,
	}
}

// rcloneArguments turn off the requests that rclone makes before and after a copy.
func rcloneArguments(from string, job load.Job) []string {
	to := ":s3:" + bucket + "/rclone/" + job.Prefix
	if job.Objects > 1 {
		return []string{"copy", from, to, "--transfers", fmt.Sprint(job.InFlight), "--no-check-dest"}
	}
	return []string{"copyto", from, to, "--no-check-dest"}
}

func rcloneEnvironment(e *endpoint) []string {
	return []string{
		"RCLONE_CONFIG=/dev/null", "RCLONE_CA_CERT=" + e.ca, "RCLONE_S3_PROVIDER=AWS",
		"RCLONE_S3_ENDPOINT=" + e.url, "RCLONE_S3_REGION=" + region,
		"RCLONE_S3_ACCESS_KEY_ID=" + accessKey, "RCLONE_S3_SECRET_ACCESS_KEY=" + secretKey, "RCLONE_S3_FORCE_PATH_STYLE=true",
		"RCLONE_S3_NO_CHECK_BUCKET=true", "RCLONE_S3_NO_HEAD=true",
		"RCLONE_S3_SERVER_SIDE_ENCRYPTION=aws:kms", "RCLONE_S3_SSE_KMS_KEY_ID=" + kmsKey,
	}
}
