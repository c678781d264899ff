package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// vendingAt rewrites the stage's configuration with an endpoint in it.
func vendingAt(t *testing.T, st *testbedtest.Bed, address string) (token string) {
	t.Helper()
	token = strings.Repeat("t0", 20)
	file := filepath.Join(st.Dir, "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, st.Config.Path, "[upload, verify, admin]",
		fmt.Sprintf("[upload, verify, admin, credentials]\nvend:\n  address: %s\n  socket: %s\n  tokens:\n"+
			"    - {file: %s, peer: {uid: %q}, destinations: ['*']}",
			address, filepath.Join(st.Dir, "v.sock"), file, fmt.Sprint(os.Getuid())))
	cfg, err := config.Load(st.Config.Path)
	if err != nil {
		t.Fatal(err)
	}
	*st.Config = *cfg
	return token
}

func healthOf(t *testing.T, d *running, service string) healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	r, err := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetStatus()
}

// addressIn finds where the log says that the endpoint listens.
func addressIn(t *testing.T, d *running) string {
	t.Helper()
	found := regexp.MustCompile(`"at":"vend.address","address":"([^"]+)"`).FindStringSubmatch(d.log.String())
	if found == nil {
		t.Fatal("the log does not say where credentials are")
	}
	return found[1]
}

func TestCredentialsOverHTTP(t *testing.T) {
	st := testbedtest.New(t)
	token := vendingAt(t, st, "127.0.0.1:0")
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	time.Sleep(healthEvery + 100*time.Millisecond) // the endpoints have come up when health is published next
	for _, part := range []string{"brokerd:vend.address", "brokerd:vend.socket"} {
		if got := healthOf(t, d, part); got != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%s is %s", part, got)
		}
	}
	url := "http://" + addressIn(t, d) + "/v1/credentials/" + testbed.Destination
	sdk := func() error {
		got, err := endpointcreds.New(url, func(o *endpointcreds.Options) { o.AuthorizationToken = token }).Retrieve(t.Context())
		if err != nil {
			return err
		}
		if left := time.Until(got.Expires); left < 20*time.Minute || left > time.Hour {
			t.Errorf("credentials with %s left", left)
		}
		return nil
	}
	if err := sdk(); err != nil {
		t.Fatal(err)
	}

	// On the socket the kernel says who asks.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(st.Dir, "v.sock"))
		}}}
	r, err := client.Get("http://localhost/v1/credentials/" + testbed.Destination)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ AccessKeyID, Token, RoleArn string }
	err = json.NewDecoder(r.Body).Decode(&got)
	_ = r.Body.Close()
	if err != nil || r.StatusCode != 200 || !strings.HasPrefix(got.AccessKeyID, "ASIA") || got.Token == "" ||
		got.RoleArn != st.Config.Destinations[testbed.Destination].Role {
		t.Errorf("%d %+v %v", r.StatusCode, got, err)
	}

	// A reload that takes the token out takes its rights at once.
	edit(t, st.Config.Path, "destinations: ['*']}", "destinations: ['*']}\n    - {file: /nowhere, peer: {uid: '1'}, destinations: ['*']}")
	edit(t, st.Config.Path, filepath.Join(st.Dir, "token"), "/gone")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	sd.hears(t, "RELOADING=1")
	sd.hears(t, "READY=1")
	if err := sdk(); err == nil || !strings.Contains(err.Error(), "TOKEN_REFUSED") {
		t.Errorf("with a token that was taken out: %v", err)
	}
	for _, want := range []string{`"uid":` + fmt.Sprint(os.Getuid()), `"via":"token"`, `"via":"socket"`,
		`"a token file cannot be used","file":"/gone"`} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("no %s in the log", want)
		}
	}
	if strings.Contains(d.log.String(), token) {
		t.Error("the token is in the log")
	}
	d.stop()
	if err := <-d.done; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(st.Dir, "v.sock")); err == nil {
		t.Error("the socket is left behind")
	}
}

// A process that takes the port takes the endpoint down, and nothing else.
func TestATakenPortStopsNoUpload(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	st := testbedtest.New(t)
	vendingAt(t, st, taken.Addr().String())
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	if _, err := d.Upload(t.Context(), testbed.Destination, "n", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	if got := healthOf(t, d, "brokerd:vend.address"); got != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the endpoint is %s", got)
	}
	if !strings.Contains(d.log.String(), "the credentials endpoint is down") {
		t.Error("the log says nothing")
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	up := false
	for range 200 {
		if c, err := net.Dial("tcp", taken.Addr().String()); err == nil {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			text, _ := io.ReadAll(c)
			_ = c.Close()
			up = strings.Contains(string(text), "FOREIGN_REQUEST")
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !up {
		t.Error("the endpoint did not come up when the port was free")
	}
}

// The trust policy must allow, and can require, the facts that a session states
// about its peer.
func TestSessionsOfPeersSayWhoseTheyAre(t *testing.T) {
	st := testbedtest.New(t)
	vendingAt(t, st, "127.0.0.1:0")
	d := st.Config.Destinations[testbed.Destination]
	d.Session.Peer = config.PeerSession{SourceIdentity: config.PeerUID, Tags: map[string]string{"who": config.PeerUID}}
	sd := notifiedBy(t)
	r := start(t, st.Config)
	sd.hears(t, "READY=1")
	ask := func() error {
		var err error
		for range 50 { // a refusal is remembered for a second, longer each time
			_, err = r.Broker().GetCredentials(t.Context(), &brokerdv1.GetCredentialsRequest{Destination: testbed.Destination})
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		return r.FromError(err)
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Fatalf("under a trust policy that allows neither tags nor a source identity: %v", err)
	}
	docs, err := setup.Desired(d, setup.Options{SourcePrincipalARN: st.UserARN})
	if err != nil {
		t.Fatal(err)
	}
	if err := testbedtest.PutTrust(t.Context(), st.World, string(docs.Trust)); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Fatalf("under the trust policy that setup derives: %v", err)
	}
	// The sandbox takes a session whose values fit, and no other one.
	for who, allowed := range map[string]bool{fmt.Sprintf("uid%d", os.Getuid()): true, "uid4242": false} {
		if err := testbedtest.PutTrust(t.Context(), st.World,
			fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": %q},
			"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
			"Condition": {"StringEquals": {"sts:SourceIdentity": %q, "aws:RequestTag/who": %q}}}]}`, st.UserARN, who, who)); err != nil {
			t.Fatal(err)
		}
		sessions, err := broker.New(broker.Options{Config: st.Config, HTTPClient: st.HTTP})
		if err != nil {
			t.Fatal(err)
		}
		_, err = sessions.Vend(t.Context(), testbed.Destination, broker.Peer{UID: uint32(os.Getuid())})
		if (err == nil) != allowed {
			t.Errorf("a role for %s: %v", who, err)
		}
	}
}
