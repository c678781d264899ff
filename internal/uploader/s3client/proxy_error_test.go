package s3client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/awserr"
)

// A proxy that fails is blamed by name, and the store is not.
func TestTheProxysFailureIsTheProxys(t *testing.T) {
	c, _ := store(t, func(http.ResponseWriter, *http.Request) { t.Error("the store was reached") }, TransportOptions{})
	refusing := func(status int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		return s
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	noTLS := refusing(http.StatusOK).Listener.Addr().String()
	for name, tc := range map[string]struct{ proxy, says string }{
		"nothing listens":       {"http://user:hush@" + closed, "connection refused"},
		"a password is needed":  {"http://" + refusing(http.StatusProxyAuthRequired).Listener.Addr().String(), "HTTP 407"},
		"it refuses":            {"http://" + refusing(http.StatusForbidden).Listener.Addr().String(), "HTTP 403"},
		"it does not speak TLS": {"https://" + noTLS, "does not speak TLS"},
		"no SOCKS listens":      {"socks5://" + closed, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			through := c.through(t, http.ProxyURL(mustURL(t, tc.proxy)))
			_, err := through.PutObject(t.Context(), Object{Key: "k"}, sized(1))
			var failed *ProxyError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a *ProxyError", err)
			}
			info := awserr.Classify(fmt.Errorf("put: %w", err), "s3")
			if info.Class != awserr.Network || !strings.Contains(info.Message, "the proxy 127.0.0.1:") || !strings.Contains(info.Message, tc.says) {
				t.Errorf("got %s: %s", info.Class, info.Message)
			}
			if strings.Contains(info.Message+err.Error(), "hush") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
}
