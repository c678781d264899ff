package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/bench/proc"
	"github.com/brokerd/brokerd/bench/sink"
)

// arrivalTimeout is the longest wait for acknowledged objects to arrive at the sink.
const arrivalTimeout = 2 * time.Minute

// endpoint is a running sink.
type endpoint struct {
	cmd     *exec.Cmd
	url, ca string
	http    *http.Client
}

func (s *harness) startSink(ctx context.Context, o sink.Options) (*endpoint, error) {
	e := &endpoint{ca: s.path("ca.pem")}
	e.cmd = exec.CommandContext(ctx, s.path("sink"), "-ca", e.ca, "-delay", o.Delay.String(), "-rate", fmt.Sprint(o.Rate))
	e.cmd.Stderr = os.Stderr
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(s.sink, e.cmd); err != nil {
		return nil, fmt.Errorf("starting the sink: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the sink does not start: %w", err), e.cmd.Wait())
	}
	e.url = strings.TrimSpace(line)
	pem, err := os.ReadFile(e.ca)
	if err != nil {
		e.stop()
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	e.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return e, nil
}

func (e *endpoint) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	_ = e.cmd.Wait() // its exit status has no meaning
}

// state is the sink's count of objects and its processor time.
type state struct {
	sink.Count
	cpu time.Duration
}

// state waits until n objects have arrived in all.
func (e *endpoint) state(ctx context.Context, n int64) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, arrivalTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s%s?objects=%d", e.url, sink.CountPath, n), nil)
	if err != nil {
		return state{}, err
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return state{}, fmt.Errorf("waiting for %d objects at the sink: %w", n, err)
	}
	var s state
	if err := errors.Join(json.NewDecoder(resp.Body).Decode(&s.Count), resp.Body.Close()); err != nil {
		return state{}, fmt.Errorf("reading the sink's count: %w", err)
	}
	s.cpu, err = proc.CPUOf(e.cmd.Process.Pid)
	return s, err
}
