package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// configuration is brokerd's configuration file; all other settings are the defaults.
var configuration = template.Must(template.New("").Parse(`socket: {path: {{.Socket}}, mode: "0600"}
metrics: {address: ""}
log: {level: warn}
verify: {every: 0s}
spool: {dir: {{.Spool}}, allow_volatile: true, min_free: 0}
{{- with .Settings.Memory}}
memory: {max: {{.}}}
{{- end}}
aws:
  source: {type: static}
  credentials_file: {{.Keys}}
  ca_bundle: {{.CA}}
  endpoints: {sts: "{{.URL}}", s3: "{{.URL}}", kms: "{{.URL}}"}
destinations:
  bench:
    role: arn:aws:iam::111122223333:role/bench
    bucket: {{.Bucket}}
    owner: "{{.Owner}}"
    region: {{.Region}}
    kms_key: {{.Key}}
    key: bench/{name}-{id}
    path_style: true
{{- with .Settings.Durability}}
    durability: {{.}}
{{- end}}
{{- with .Settings.Concurrency}}
    concurrency: {{.}}
{{- end}}
access:
  - peer: {uid: "{{.UID}}"}
    destinations: [bench]
    allow: [upload]
`))

// process is a running brokerd.
type process struct {
	cmd    *exec.Cmd
	socket string
	ready  time.Duration // from its start
	exited chan struct{}
	log    *bytes.Buffer // read after exited
}

// refusal is the error of a brokerd that rejects its configuration.
type refusal struct{ reason string }

func (r *refusal) Error() string { return "brokerd refuses its configuration: " + r.reason }

const exitConfig = 78

// startDaemon starts brokerd and returns when it reports that it is ready.
func (s *harness) startDaemon(ctx context.Context, name string, e *endpoint, set settings) (*process, error) {
	d := &process{socket: s.path(name + ".sock"), exited: make(chan struct{}), log: new(bytes.Buffer)}
	config, err := s.configure(name, d.socket, e, set)
	if err != nil {
		return nil, err
	}
	told := s.path(name + ".notify")
	if err := os.Remove(told); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: told, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	defer func() { _ = notify.Close() }()

	d.cmd = exec.CommandContext(ctx, s.path("brokerd"), "serve", "--config", config)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.Env = environment("NOTIFY_SOCKET=" + told)
	began := time.Now()
	if err := startOn(s.work, d.cmd); err != nil {
		return nil, fmt.Errorf("starting brokerd: %w", err)
	}
	go func() {
		_ = d.cmd.Wait() // ProcessState has the result
		close(d.exited)
		_ = notify.SetReadDeadline(time.Now()) // the process has ended: stop reading
	}()
	buf := make([]byte, 4096)
	for {
		n, err := notify.Read(buf)
		if err != nil {
			d.stop()
			if d.cmd.ProcessState.ExitCode() == exitConfig {
				return nil, &refusal{strings.TrimSpace(d.log.String())}
			}
			return nil, fmt.Errorf("brokerd ended before it was ready: %s\n%s", d.cmd.ProcessState, d.log)
		}
		if strings.Contains("\n"+string(buf[:n])+"\n", "\nREADY=1\n") {
			d.ready = time.Since(began)
			return d, nil
		}
	}
}

func (s *harness) configure(name, socket string, e *endpoint, set settings) (string, error) {
	keys, config := s.path("keys"), s.path(name+".yaml")
	var text bytes.Buffer
	if err := configuration.Execute(&text, map[string]any{
		"Socket": socket, "Spool": s.path("spool-" +
			name), "Keys": keys, "CA": e.ca, "URL": e.url, "Bucket": bucket, "Owner": owner, "Region": region, "Key": kmsKey, "UID": os.Getuid(),
		"Settings": map[string]any{"Memory": set.memory, "Concurrency": set.concurrency, "Durability": set.durability},
	}); err != nil {
		return "", err
	}
	return config, errors.Join(
		os.WriteFile(keys, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", accessKey, secretKey), 0o600),
		os.WriteFile(config, text.Bytes(), 0o600),
	)
}

func (d *process) pid() int { return d.cmd.Process.Pid }

func (d *process) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	<-d.exited
}

// environment returns the environment of this process without the variables that
// change a program's AWS identity or its readiness notification.
func environment(more ...string) []string {
	out := []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "AWS_") && !strings.HasPrefix(kv, "NOTIFY_SOCKET=") && !strings.HasPrefix(kv, "RCLONE_") &&
			!strings.HasPrefix(kv, "GOMAXPROCS=") {
			out = append(out, kv)
		}
	}
	return append(out, more...)
}
