//go:build interop

package interop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	accessKey = "interop-access"
	secretKey = "interop-secret-key"
	bucket    = "interop-logs"
	region    = "us-east-1"
)

// server is a real S3 server on loopback, with a bucket in it.
type server struct {
	url, ca, dir string
	s3           *s3.Client
}

// program finds a server's binary. The suite is asked for by its tag, so a
// missing one is a failure.
func program(t *testing.T, variable, name string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = name
	}
	found, err := exec.LookPath(path)
	if err != nil {
		t.Fatalf("%v: install it, or name it in $%s", err, variable)
	}
	return found
}

// run starts a process that ends with the test; its output is shown when the test fails.
func run(t *testing.T, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(name)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		_ = out.Close()
		if t.Failed() {
			log, _ := os.ReadFile(out.Name())
			t.Logf("%s:\n%s", filepath.Base(name), log[max(0, len(log)-4000):])
		}
	})
	return cmd
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// certificate writes a self-signed certificate for loopback, and its key.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "interop"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "public.crt"), filepath.Join(dir, "private.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func startMinIO(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	cert, _ := certificate(t, dir)
	addr := freeAddress(t)
	kms := make([]byte, 32)
	_, _ = rand.Read(kms)
	run(t, []string{
		"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey,
		"MINIO_KMS_SECRET_KEY=my-key:" + base64.StdEncoding.EncodeToString(kms), "MINIO_UPDATE=off", "MINIO_BROWSER=off",
	}, program(t, "MINIO", "minio"), "server", "--address", addr, "--certs-dir", dir, filepath.Join(dir, "data"))
	return ready(t, addr, cert, dir)
}

func startVersityGW(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	addr := freeAddress(t)
	for _, d := range []string{"data", "iam"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run(t, []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
		program(t, "VERSITYGW", "versitygw"), "-p", addr, "--quiet", "--iam-dir", filepath.Join(dir, "iam"),
		"--cert", cert, "--key", key, "posix", filepath.Join(dir, "data"))
	return ready(t, addr, cert, dir)
}

// ready waits until the server answers signed requests, and makes the bucket.
func ready(t *testing.T, addr, ca, dir string) *server {
	t.Helper()
	pemBytes, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pemBytes)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	s := &server{url: "https://" + addr, ca: ca, dir: dir}
	s.s3 = s3.NewFromConfig(aws.Config{
		Region: region, BaseEndpoint: aws.String(s.url), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	}, func(o *s3.Options) { o.UsePathStyle = true })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err = s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err == nil {
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server on %s is not ready: %v", addr, err)
		case <-tick.C:
		}
	}
}

// config writes a configuration for one destination "logs" and returns its path and the socket.
func (s *server) config(t *testing.T, destination string) (path, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "interop") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path, socket = filepath.Join(dir, "brokerd.yaml"), filepath.Join(dir, "s")
	keys := filepath.Join(dir, "credentials")
	text := fmt.Sprintf(`socket: {path: %s, mode: "0600"}
metrics: {address: ""}
aws:
  credentials_file: %s
  ca_bundle: %s
  endpoints: {sts: %[4]s, s3: %[4]s}
destinations:
  logs:
    bucket: %s
    region: %s
    key: "logs/{name}-{id}"
    compatible: true
    path_style: true
%s
access:
  - peer: {uid: "%d"}
    destinations: [logs]
    allow: [upload, verify]
`, socket, keys, s.ca, s.url, bucket, region, destination, os.Getuid())
	for file, content := range map[string]string{path: text,
		keys: "[default]\naws_access_key_id = " + accessKey + "\naws_secret_access_key = " + secretKey + "\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, socket
}
