package sandboxcmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// Connection has the address and keys of a running sandbox. It is written to a file that
// only this user can read, so that another terminal finds the sandbox.
type Connection struct {
	Endpoint string `json:"endpoint"`
	Token    string `json:"admin_token"`
	AccountA string `json:"account_a"`
	AccountB string `json:"account_b"`
	Region   string `json:"region"`
	CABundle string `json:"ca_bundle,omitempty"`
	// Config and Credentials are AWS configuration files with a profile for each account.
	Config      string             `json:"config_file"`
	Credentials string             `json:"credentials_file"`
	Keys        map[string]rootKey `json:"keys"`
	PID         int                `json:"pid"`
}

type rootKey struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

const (
	connectEnv  = "BROKERCTL_SANDBOX"
	connectName = "sandbox.json"
)

// currentConnection is the path of the connection file of the sandbox that was started last.
func currentConnection() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return filepath.Join(os.TempDir(), "brokerctl-sandbox-"+strconv.Itoa(os.Getuid()), connectName)
	}
	return filepath.Join(dir, "brokerctl-sandbox", connectName)
}

// Announce writes the connection files of the sandbox: in the data directory or a
// temporary one, and at currentConnection, where clients look first. leave removes the
// files that would not be valid any more.
func Announce(sb *sandbox.Sandbox, dataDir string) (c *Connection, leave func(), err error) {
	dir := dataDir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "brokerctl-sandbox-"); err != nil {
			return nil, nil, fmt.Errorf("making a directory for the sandbox's files: %w", err)
		}
	} else if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, err
	}
	c = &Connection{
		Endpoint: sb.Endpoint(), Token: sb.AdminToken(), AccountA: sb.AccountA(), AccountB: sb.AccountB(), Region: sb.Region(),
		Config: filepath.Join(
			dir,
			"aws-config",
		), Credentials: filepath.Join(dir, "aws-credentials"), Keys: map[string]rootKey{}, PID: os.Getpid(),
	}
	for _, account := range []string{c.AccountA, c.AccountB} {
		k := sb.RootKeys(account)
		c.Keys[account] = rootKey{k.AccessKeyID, k.SecretAccessKey}
	}
	files := map[string][]byte{}
	if ca := sb.CABundlePEM(); ca != nil {
		c.CABundle = filepath.Join(dir, "ca.pem")
		files[c.CABundle] = ca
	}
	files[c.Config], files[c.Credentials] = c.awsFiles()
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	own, current := filepath.Join(dir, connectName), currentConnection()
	files[own], files[current] = text, text
	leave = func() {
		if dataDir == "" {
			_ = os.RemoveAll(dir)
		} else {
			_ = os.Remove(own)
		}
		// Another sandbox may have written the file meanwhile.
		if now, err := os.ReadFile(current); err == nil && bytes.Equal(now, text) {
			_ = os.Remove(current)
		}
	}
	if err := os.MkdirAll(filepath.Dir(current), 0o700); err != nil {
		leave()
		return nil, nil, fmt.Errorf("making a directory for the connection file: %w", err)
	}
	for path, data := range files {
		if err := console.WritePrivate(path, data); err != nil {
			leave()
			return nil, nil, err
		}
	}
	return c, leave, nil
}

// awsFiles are a config and a credentials file with the profiles account-a and account-b.
func (c *Connection) awsFiles() (config, credentials []byte) {
	var conf, creds bytes.Buffer
	for name, account := range map[string]string{"account-a": c.AccountA, "account-b": c.AccountB} {
		fmt.Fprintf(&conf, "[profile %s]\nregion = %s\nendpoint_url = %s\n", name, c.Region, c.Endpoint)
		if c.CABundle != "" {
			fmt.Fprintf(&conf, "ca_bundle = %s\n", c.CABundle)
		}
		fmt.Fprint(&conf, "s3 =\n    addressing_style = path\n\n")
		k := c.Keys[account]
		fmt.Fprintf(&creds, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", name, k.AccessKeyID, k.SecretAccessKey)
	}
	return conf.Bytes(), creds.Bytes()
}

// ConnectFlag is --connect of the commands that talk to a running sandbox.
type ConnectFlag struct{ path string }

func (c *ConnectFlag) register(cmd *cobra.Command) {
	cmd.PersistentFlags().
		StringVar(&c.path, "connect", "", "file or data directory of the sandbox to talk to (default $"+
			connectEnv+", else the sandbox that was started last)")
	_ = cmd.MarkPersistentFlagFilename("connect") // the flag is there
}

// errNoSandbox is in the chain of the error of Open when no sandbox runs.
var errNoSandbox = errors.New("start one with `brokerctl sandbox`")

// openRetry is the pause between two looks for a sandbox that is starting.
const openRetry = 50 * time.Millisecond

// await is Open, and waits for a sandbox that is starting.
func (c *ConnectFlag) await(ctx context.Context, most time.Duration) (*sandboxClient, error) {
	for end := time.Now().Add(most); ; {
		out, err := c.Open()
		if !errors.Is(err, errNoSandbox) || time.Now().After(end) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(openRetry):
		}
	}
}

// Open reads the connection file and makes a client for the sandbox behind it.
func (c *ConnectFlag) Open() (*sandboxClient, error) {
	path := c.path
	if path == "" {
		path = os.Getenv(connectEnv)
	}
	if path == "" {
		path = currentConnection()
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, connectName)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no sandbox runs (there is no %s): %w", path, errNoSandbox)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's connection file: %w", err)
	}
	out := &sandboxClient{}
	if err := json.Unmarshal(text, &out.Connection); err != nil {
		return nil, fmt.Errorf("reading the sandbox's connection file %s: %w", path, err)
	}
	transport := &http.Transport{Proxy: nil} // loopback
	if out.CABundle != "" {
		pem, err := os.ReadFile(out.CABundle)
		if err != nil {
			return nil, fmt.Errorf("reading the sandbox's CA bundle: %w", err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	out.http = &http.Client{Transport: transport}
	return out, nil
}

// sandboxClient is a client of the admin API.
type sandboxClient struct {
	Connection
	http *http.Client
}

const adminTimeout = 30 * time.Second

// do sends in as JSON, unless it is nil, and reads the answer into out.
func (s *sandboxClient) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	body, err := s.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("reading the sandbox's answer: %w", err)
	}
	return nil
}

func (s *sandboxClient) request(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Endpoint+"/_sandbox/"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the sandbox at %s (does it still run?): %w", s.Endpoint, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the sandbox refuses: %s", strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}
