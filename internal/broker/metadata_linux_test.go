package broker

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
)

// The real addresses of EC2, ECS and EKS, in a network namespace, next to a proxy that
// the environment names. No token and no key may reach the proxy.
func TestMetadataNeverGoesThroughAProxy(t *testing.T) {
	const inside = "BROKER_TEST_NAMESPACE"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1", "HTTP_PROXY=http://127.0.0.1:3128", "HTTPS_PROXY=http://127.0.0.1:3128", "NO_PROXY=",
			"http_proxy=", "https_proxy=", "no_proxy=")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Skipf("no user namespaces here: %v", err)
		}
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	bareHome(t)
	addresses(t, "127.0.0.1", "169.254.169.254", "169.254.170.2", "169.254.170.23")
	var proxied atomic.Int32
	serve(t, "127.0.0.1:3128", func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	keys := fmt.Sprintf(`{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAHOST","SecretAccessKey":"s","Token":"t","Expiration":%q,`+
		`"LastUpdated":%q}`,
		time.Now().Add(6*time.Hour).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	serve(t, "169.254.169.254:80", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			_, _ = io.WriteString(w, "imds-token")
		case strings.HasSuffix(r.URL.Path, "/host-role"):
			_, _ = io.WriteString(w, keys)
		default:
			_, _ = io.WriteString(w, "host-role")
		}
	})
	container := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, keys) }
	serve(t, "169.254.170.2:80", container)
	serve(t, "169.254.170.23:80", container)

	for _, c := range []struct{ kind, variable, value string }{
		{config.SourceIMDS, "", ""},
		{config.SourceDefault, "", ""},
		{config.SourceDefault, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
		{config.SourceDefault, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"},
		{config.SourceContainer, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
		{config.SourceContainer, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"},
	} {
		t.Run(c.kind+" "+c.variable, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv(c.variable, c.value)
			}
			client, err := awsclient.New(config.AWS{})
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := loadSource(t.Context(), source{Type: c.kind}, "eu-west-1", client)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := cfg.Credentials.Retrieve(t.Context()); err != nil || got.AccessKeyID != "ASIAHOST" {
				t.Errorf("got %q, %v", got.AccessKeyID, err)
			}
		})
	}
	if n := proxied.Load(); n != 0 {
		t.Errorf("the proxy got %d requests, want 0", n)
	}
}

func serve(t *testing.T, address string, h http.HandlerFunc) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
}

// addresses gives the loopback interface of this namespace its addresses, and turns it on.
func addresses(t *testing.T, list ...string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	for i, address := range list {
		name := "lo"
		if i > 0 {
			name = fmt.Sprintf("lo:%d", i)
		}
		r, err := unix.NewIfreq(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.SetInet4Addr(net.ParseIP(address).To4()); err != nil {
			t.Fatal(err)
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
			t.Fatal(err)
		}
		r.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
			t.Fatal(err)
		}
	}
}
