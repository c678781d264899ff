package vend

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/broker"
)

// served runs the endpoint on a loopback port until t ends.
func served(t *testing.T, d *serviceUnderTest) net.Addr {
	t.Helper()
	at := make(chan net.Addr, 1)
	e := &Endpoint{
		Name: "vend.address", Log: d.log,
		Listen: func(ctx context.Context) (net.Listener, error) { return ListenLoopback(ctx, "127.0.0.1:0") },
		Handler: func(a net.Addr) http.Handler {
			at <- a
			return &Handler{Identify: d.Identify, Source: d.Credentials, Hosts: HostsOf(a), Log: d.log}
		},
	}
	runUntilEnd(t, e)
	return <-at
}

func runUntilEnd(t *testing.T, e *Endpoint) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if e.Up() {
			t.Error("an endpoint that has stopped says that it is up")
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
}

// raw sends text as it is, and returns status and body.
func raw(t *testing.T, at net.Addr, text string) (int, string) {
	t.Helper()
	conn, err := net.Dial(at.Network(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusBadRequest && r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("an answer that may be cached: %v", r.Header)
	}
	return r.StatusCode, string(body)
}

func TestTheSDKTakesItsKeys(t *testing.T) {
	d := serviceFor(t)
	at := served(t, d)
	p := endpointcreds.New("http://"+at.String()+Path+"logs", func(o *endpointcreds.Options) { o.AuthorizationToken = goodToken })
	got, err := p.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKeyID != "ASIAEXAMPLE12345" || got.SecretAccessKey != "hush-secret" || got.SessionToken != "hush-token" ||
		got.AccountID != "111122223333" ||
		!got.CanExpire || !got.Expires.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v", got)
	}
	p = endpointcreds.New("http://"+at.String()+Path+"audit", func(o *endpointcreds.Options) { o.AuthorizationToken = goodToken })
	if _, err := p.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "PEER_NOT_ALLOWED") ||
		!strings.Contains(err.Error(), "vend.tokens") {
		t.Errorf("a destination that the token is not good for: %v", err)
	}
	if text := said(d.logs); strings.Contains(text, "hush") || strings.Contains(text, goodToken) || strings.Contains(text, "ASIAEXAMPLE") {
		t.Errorf("a secret is in the log: %s", text)
	}
}

func TestTheBodyIsWhatSDKsExpect(t *testing.T) {
	d := serviceFor(t)
	at := served(t, d)
	_, body := raw(t, at, "GET /v1/credentials/logs HTTP/1.1\r\nHost: "+at.String()+"\r\nAuthorization: "+goodToken+"\r\n\r\n")
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"AccessKeyId": "ASIAEXAMPLE12345", "SecretAccessKey": "hush-secret", "Token": "hush-token", "Expiration": "2030-01-02T03:04:05Z",
		"RoleArn": "arn:aws:iam::111122223333:role/up", "AccountId": "111122223333",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A request as a browser, a proxy or a curious user sends it is refused at the start.
func TestWhatIsNotAnSDKIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	d := serviceFor(t)
	at := served(t, d)
	host := "Host: " + at.String() + "\r\n"
	token := "Authorization: " + goodToken + "\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"another host":   {"GET /v1/credentials/logs HTTP/1.1\r\nHost: evil.example:80\r\n" + token, 403, "FOREIGN_REQUEST"},
		"another port":   {"GET /v1/credentials/logs HTTP/1.1\r\nHost: 127.0.0.1\r\n" + token, 403, "FOREIGN_REQUEST"},
		"no host":        {"GET /v1/credentials/logs HTTP/1.0\r\n" + token, 403, "FOREIGN_REQUEST"},
		"a proxy":        {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + "X-Forwarded-For: 10.0.0.1\r\n", 403, "FOREIGN_REQUEST"},
		"a proxy, empty": {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + "X-Forwarded-For:\r\n", 403, "FOREIGN_REQUEST"},
		"a modern proxy": {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + "Forwarded: for=10.0.0.1\r\n", 403, "FOREIGN_REQUEST"},
		"a web page": {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + "Origin: http://evil.example\r\n", 403,
			"FOREIGN_REQUEST"},
		"a navigation":        {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + "Sec-Fetch-Site: none\r\n", 403, "FOREIGN_REQUEST"},
		"the root":            {"GET / HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"no name":             {"GET /v1/credentials/ HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"a query":             {"GET /v1/credentials/logs?x=1 HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"an escape":           {"GET /v1/credentials/%6cogs HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"a way round":         {"GET /v1/credentials/../credentials/logs HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"two slashes":         {"GET //v1/credentials/logs HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"a slash at the end":  {"GET /v1/credentials/logs/ HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"the form of a proxy": {"GET http://" + at.String() + "/v1/credentials/logs HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"another method":      {"POST /v1/credentials/logs HTTP/1.1\r\n" + host + token + "Content-Length: 0\r\n", 405, "METHOD_NOT_ALLOWED"},
		"a body":              {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + "Content-Length: 1\r\n", 405, "METHOD_NOT_ALLOWED"},
		"all options":         {"OPTIONS * HTTP/1.1\r\n" + host + token, 404, "NO_SUCH_PATH"},
		"no token":            {"GET /v1/credentials/logs HTTP/1.1\r\n" + host, 401, "TOKEN_REFUSED"},
		"an empty token":      {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + "Authorization:\r\n", 401, "TOKEN_REFUSED"},
		"two tokens":          {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + token + token, 401, "TOKEN_REFUSED"},
		"a part of the token": {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + "Authorization: " + goodToken[:31] + "\r\n", 401,
			"TOKEN_REFUSED"},
		"a bearer": {"GET /v1/credentials/logs HTTP/1.1\r\n" + host + "Authorization: Bearer " + goodToken + "\r\n", 401, "TOKEN_REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := raw(t, at, c.request+"Connection: close\r\n\r\n")
			var got struct{ Code, Message string }
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if status != c.status || got.Code != c.code || got.Message == "" {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	if n := d.sessions.calls(); n != 0 {
		t.Errorf("a session was fetched %d times", n)
	}
}

func TestByTheNameOfLoopback(t *testing.T) {
	at := served(t, serviceFor(t))
	_, port, _ := net.SplitHostPort(at.String())
	status, body := raw(t, at, "GET /v1/credentials/logs HTTP/1.1\r\nHost: localhost:"+port+"\r\nAuthorization: "+goodToken+"\r\n\r\n")
	if status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func TestWhatTheBrokerSaysIsPassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
		after  string
	}{
		"refused by STS": {&broker.Error{Destination: "logs", Denied: true, Err: io.EOF}, 403, "SESSION_DENIED", ""},
		"no STS":         {&broker.Error{Destination: "logs", RetryAfter: 1500 * time.Millisecond, Err: io.EOF}, 503, "SESSION_UNAVAILABLE", "2"},
		"gone meanwhile": {fmt.Errorf("x: %w", broker.ErrUnknownDestination), 404, "UNKNOWN_DESTINATION", ""},
		"too late":       {context.DeadlineExceeded, 503, "DEADLINE", "1"},
		"a fault":        {io.ErrUnexpectedEOF, 500, "INTERNAL", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := serviceFor(t)
			d.sessions.err = c.err
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, Path+"logs", nil)
			r.Header.Set("Authorization", goodToken)
			(&Handler{Identify: d.Identify, Source: d.Credentials, Log: d.log}).ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), `"code":"`+c.code+`"`) || w.Header().Get("Retry-After") != c.after {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if d.counted.of["logs token "+c.code] != 1 {
				t.Errorf("counted: %v", d.counted.of)
			}
		})
	}
}

func TestNothingLeavesTheMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "192.0.2.1:0", "localhost:0", "[::]:0", "127.0.0.1"} {
		if l, err := ListenLoopback(t.Context(), address); err == nil {
			_ = l.Close()
			t.Errorf("listening on %s", address)
		}
	}
	l, err := ListenLoopback(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sc, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.Control(func(fd uintptr) {
		if ttl, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL); err != nil || ttl != 1 {
			t.Errorf("hop limit %d, %v", ttl, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// FuzzTarget: whatever the request line says, only a possible name of a
// destination is asked for, and it stands in the request as it is.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/v1/credentials/logs", "/v1/credentials/%6cogs", "/v1/credentials/../x", "http://h/v1/credentials/logs", "*",
		"/v1/credentials/a?b"} {
		f.Add(s)
	}
	h := &Handler{}
	f.Fuzz(func(t *testing.T, target string) {
		r := &http.Request{Method: http.MethodGet, RequestURI: target}
		name, err := h.destination(r)
		if err == nil && (Path+name != target || name == "" || strings.ContainsAny(name, "/%?# \x00")) {
			t.Errorf("%q gives %q", target, name)
		}
	})
}
