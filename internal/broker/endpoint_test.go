package broker

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/brokerd/brokerd/internal/config"
)

// STS is reached by the settings of the configuration, which took over those of the
// environment. Settings that the SDK reads from the environment or a profile must not
// reach STS alone.
func TestSTSIsReachedAsConfigured(t *testing.T) {
	home := bareHome(t)
	if err := os.WriteFile(filepath.Join(home, "config"),
		[]byte("[default]\naws_access_key_id = a\naws_secret_access_key = b\nuse_dualstack_endpoint = true\n"+
			"endpoint_url = https://profile.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL_STS", "https://environment.example")
	for want, r := range map[string]Request{
		"sts.us-east-1.amazonaws.com":      {},
		"sts-fips.us-east-1.amazonaws.com": {FIPS: true},
		"sts.us-east-1.api.aws":            {DualStack: true},
		"sts.example":                      {Endpoint: "https://sts.example"},
	} {
		var mu sync.Mutex
		var got string
		client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.Proxy = func(req *http.Request) (*url.URL, error) {
				mu.Lock()
				defer mu.Unlock()
				got = req.URL.Hostname()
				return nil, errors.New("no call leaves this test")
			}
		})
		r.Region, r.Role, r.SessionName, r.Duration, r.Source = "us-east-1", "arn:aws:iam::111122223333:role/r", "s", time.Hour,
			source{Type: config.SourceDefault}
		if _, err := newSTSIssuer(client).Issue(t.Context(), r, nil); err == nil {
			t.Fatal("a session without a call")
		}
		mu.Lock()
		if got != want {
			t.Errorf("STS at %s, want %s", got, want)
		}
		mu.Unlock()
	}
}
