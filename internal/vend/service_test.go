package vend

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
)

func codeOf(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return string(r.Reason)
	}
	return ""
}

func TestRulesAndTokenBothDecide(t *testing.T) {
	d := serviceFor(t, func(c *config.Config) { c.Access[0].Destinations = []string{"logs"} })
	app := access.Peer{UID: userApp, GID: 5}
	for name, c := range map[string]struct {
		caller      Caller
		destination string
		want        string
	}{
		"as the rule says":            {Caller{Peer: app}, "logs", ""},
		"no rule for it":              {Caller{Peer: app}, "audit", "PEER_NOT_ALLOWED"},
		"no rule for it, but a token": {Caller{Peer: app, Only: []string{"audit"}}, "audit", "PEER_NOT_ALLOWED"},
		"a rule, but no token for it": {Caller{Peer: app, Only: []string{"audit"}}, "logs", "PEER_NOT_ALLOWED"},
		"a token for nothing":         {Caller{Peer: app, Only: []string{}}, "logs", "PEER_NOT_ALLOWED"},
		"nobody":                      {Caller{Peer: access.Peer{UID: 1, GID: 1}}, "logs", "PEER_NOT_ALLOWED"},
		"unknown, and not to be told": {Caller{Peer: app}, "nowhere", "PEER_NOT_ALLOWED"},
		"unknown to who may have all": {Caller{Peer: access.Peer{UID: 1, GID: 0}}, "nowhere", "UNKNOWN_DESTINATION"},
	} {
		before := d.sessions.calls()
		_, err := d.Issue(t.Context(), c.caller, c.destination)
		if got := codeOf(err); got != c.want {
			t.Errorf("%s: %q (%v)", name, got, err)
		}
		if asked := d.sessions.calls() - before; asked != 0 && c.want != "" {
			t.Errorf("%s: a session was fetched", name)
		}
	}
	text := said(d.logs)
	for _, want := range []string{`"credentials issued"`, `"reason":"PEER_NOT_ALLOWED"`, `"uid":7001`, `"gid":5`, `"access_key":"****2345"`,
		`"generation":7001`, `"destination":"logs"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the record", want)
		}
	}
	if strings.Contains(text, "hush") {
		t.Error("a secret is in the record")
	}
	if d.counted.of["  UNKNOWN_DESTINATION"] != 1 || d.counted.of["logs  OK"] != 1 {
		t.Errorf("counted: %v", d.counted.of)
	}
}

// A token stands for a user. Its group is known when it is configured, and no
// rule for group 0 is for tokens without one.
func TestATokenWithoutAGroupIsInNone(t *testing.T) {
	d := serviceFor(t, func(c *config.Config) { c.Access = c.Access[1:] })
	c, err := shows(d, goodToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Issue(t.Context(), c, "logs"); codeOf(err) != "PEER_NOT_ALLOWED" || strings.Contains(err.Error(), "gid=") {
		t.Error(err)
	}
}

func TestAUserInALoopIsSlowedDownAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serviceFor(t, func(c *config.Config) { c.Limits.Credentials = 10 })
		ask := func(uid uint32) error {
			_, err := d.Issue(t.Context(), Caller{Peer: access.Peer{UID: uid, GID: 0}}, "logs")
			return err
		}
		for range 20 {
			if err := ask(1); err != nil {
				t.Fatal(err)
			}
		}
		var r *Refusal
		if err := ask(1); !errors.As(err, &r) || r.Reason != "TOO_MANY_REQUESTS" || r.HTTPStatus() != 429 ||
			r.RetryAfter != 100*time.Millisecond {
			t.Errorf("%+v", r)
		}
		for range 100 {
			_ = ask(1) // asking in vain costs no turn
		}
		if err := ask(2); err != nil {
			t.Errorf("another user: %v", err)
		}
		time.Sleep(r.RetryAfter)
		if err := ask(1); err != nil {
			t.Errorf("after the time that was said: %v", err)
		}
	})
}

func TestWhatIsAdoptedCounts(t *testing.T) {
	d := serviceFor(t)
	bad := *d.config
	bad.Vend.Tokens = []config.Token{{File: "/x", Peer: config.Peer{UID: "nobody-of-that-name"}, Destinations: []string{"*"}}}
	if _, err := d.Prepare(&bad); err == nil || !strings.Contains(err.Error(), "vend.tokens[0].peer") {
		t.Errorf("a user that does not exist: %v", err)
	}
	next := *d.config
	next.Vend.Tokens, next.Access = nil, nil
	change, err := d.Prepare(&next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shows(d, goodToken); err != nil {
		t.Errorf("before it is adopted: %v", err)
	}
	change.Commit()
	if _, err := shows(d, goodToken); err == nil {
		t.Error("a token that was taken out opens")
	}
	if _, err := d.Issue(t.Context(), Caller{Peer: access.Peer{UID: userApp}}, "logs"); codeOf(err) != "PEER_NOT_ALLOWED" {
		t.Errorf("a rule that was taken out allows: %v", err)
	}
}

func TestTheKernelSaysWhoIsAtTheOtherEnd(t *testing.T) {
	d := serviceFor(t)
	dir, err := os.MkdirTemp("", "vend")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	who, up := access.Peer{UID: userApp, GID: 1, PID: 99}, make(chan bool, 1)
	var failing atomic.Bool
	e := &Endpoint{
		Name: "vend.socket", Log: d.log,
		Listen: func(ctx context.Context) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "unix", path)
		},
		Handler: func(net.Addr) http.Handler {
			up <- true
			return &Handler{Identify: IdentifyAttested, Source: d.Credentials, Log: d.log}
		},
		ConnContext: Attested(func(net.Conn) (access.Peer, error) {
			if failing.Load() {
				return access.Peer{}, errors.New("no")
			}
			return who, nil
		}),
	}
	runUntilEnd(t, e)
	<-up
	at := &net.UnixAddr{Name: path, Net: "unix"}
	status, body := raw(t, at, "GET /v1/credentials/audit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if status != 200 || !strings.Contains(body, "hush-secret") {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(said(d.logs), `"pid":99`) {
		t.Error("the record does not say which process it was")
	}
	failing.Store(true)
	if status, body := raw(t, at, "GET /v1/credentials/audit HTTP/1.1\r\nHost: localhost\r\n"+
		"Authorization: "+goodToken+"\r\nConnection: close\r\n\r\n"); status != 401 {
		t.Errorf("a caller of whom the kernel says nothing: %d %s", status, body)
	}
}

// A caller that waits for a session that does not come gets an answer, in time
// for the server to send it.
func TestAnAnswerComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serviceFor(t)
		d.sessions.block = true
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, Path+"logs", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RequestURI = Path + "logs"
		r.Header.Set("Authorization", goodToken)
		began := time.Now()
		_, err = (&Handler{Identify: d.Identify, Source: d.Credentials, Log: d.log}).answer(r)
		if codeOf(err) != "DEADLINE" || time.Since(began) != answerTimeout {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// listeners fail until they are told not to.
func TestAnAddressThatIsTakenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serviceFor(t)
		var tries []time.Duration
		began := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		e := &Endpoint{Name: "vend.address", Log: d.log, Listen: func(context.Context) (net.Listener, error) {
			tries = append(tries, time.Since(began))
			return nil, errors.New("address already in use")
		}}
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(100 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(tries) < 6 || len(tries) > 10 || tries[1] != time.Second || tries[len(tries)-1]-tries[len(tries)-2] > listenCap {
			t.Errorf("tried at %v", tries)
		}
		if e.Up() || !strings.Contains(said(d.logs), "address already in use") {
			t.Error("that it is down is not to be seen")
		}
	})
}

// Callers that connect and send no whole request keep no caller out, however many they
// are: a new connection takes the place of the oldest of them.
func TestSilentCallersKeepNobodyOut(t *testing.T) {
	for name, said := range map[string]string{"nothing": "", "half a request": "GET " + Path + "logs HTTP/1.1\r\nHost: x"} {
		t.Run(name, func(t *testing.T) {
			at := served(t, serviceFor(t))
			var silent []net.Conn
			defer func() {
				for _, c := range silent {
					_ = c.Close()
				}
			}()
			for range maxConns + 20 {
				c, err := net.Dial("tcp", at.String())
				if err != nil {
					t.Fatal(err)
				}
				silent = append(silent, c)
				_, _ = c.Write([]byte(said)) // the server may have closed it
			}
			for range 20 {
				if status, ok := tryGet(at); !ok || status != 200 {
					t.Fatalf("status %d, answered: %t", status, ok)
				}
			}
			if err := silent[0].SetReadDeadline(time.Now().Add(4 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := silent[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the oldest silent connection was kept: %v", err)
			}
		})
	}
}

func tryGet(at net.Addr) (status int, ok bool) {
	r, err := http.NewRequest(http.MethodGet, "http://"+at.String()+Path+"logs", nil)
	if err != nil {
		return 0, false
	}
	r.Header.Set("Authorization", goodToken)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, false
	}
	_ = resp.Body.Close()
	return resp.StatusCode, true
}

// Refusals are limited in the log; credentials that were issued never are.
func TestRefusalsFillNoLogAndIssuedCredentialsAreAllInIt(t *testing.T) {
	d := serviceFor(t)
	for range 500 {
		if _, err := d.Issue(t.Context(), Caller{Peer: access.Peer{UID: 1, GID: 1}}, "logs"); err == nil {
			t.Fatal("credentials without a rule")
		}
		if _, err := d.Issue(t.Context(), Caller{Peer: access.Peer{UID: userApp}}, "logs"); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.logs.FilterMessage("credentials refused").Len(); n == 0 || n > 30 {
		t.Errorf("got %d lines of 500 refusals, want a few a second", n)
	}
	if n := d.logs.FilterMessage("credentials issued").Len(); n != 500 {
		t.Errorf("got %d lines of 500 issues", n)
	}
}

// A user with many user ids (/etc/subuid) in a group of its own uses up its share of new
// sessions, and not that of others.
func TestManyUserIDsOfOneGroupShareTheirNewSessions(t *testing.T) {
	d := serviceFor(t)
	refused := 0
	for uid := range uint32(100) {
		_, err := d.Issue(t.Context(), Caller{Peer: access.Peer{UID: 100000 + uid, GID: 0}}, "logs")
		if codeOf(err) == "TOO_MANY_REQUESTS" {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused < 100-firstBurst-10 {
		t.Errorf("%d of 100 new sessions were refused, want those beyond %d", refused, firstBurst)
	}
	if _, err := d.Issue(t.Context(), Caller{Peer: access.Peer{UID: userApp}}, "logs"); err != nil {
		t.Errorf("another user: %v", err)
	}
}
