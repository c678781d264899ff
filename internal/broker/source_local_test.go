package broker

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/brokerd/brokerd/internal/config"
)

// bareHome is an environment without credentials, except those that a test adds.
func bareHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE",
		"AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, "credentials"))
	return home
}

// The instance profile is read by IMDSv2 only, which needs a token.
func TestSourceOfTheInstanceProfile(t *testing.T) {
	bareHome(t)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
		_, _ = fmt.Fprint(w, "imds-token")
	})
	role := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "imds-token" {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		if filepath.Base(r.URL.Path) != "host-role" {
			_, _ = fmt.Fprint(w, "host-role")
			return
		}
		_, _ = fmt.Fprintf(w, `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAHOST","SecretAccessKey":"s","Token":"t","Expiration":%q,`+
			`"LastUpdated":%q}`,
			time.Now().Add(6*time.Hour).UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	}
	mux.HandleFunc("GET /latest/meta-data/iam/", role)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
	cfg, err := loadSource(t.Context(), source{Type: config.SourceIMDS}, "eu-west-1", awshttp.NewBuildableClient())
	if err != nil {
		t.Fatal(err)
	}
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "ASIAHOST" || got.SessionToken != "t" || !got.CanExpire {
		t.Errorf("%+v, %v", got.AccessKeyID, err)
	}
}

// A profile of IAM Identity Center uses the token that `aws sso login` stored. The
// daemon never logs in itself.
func TestSourceOfAnSSOProfile(t *testing.T) {
	home := bareHome(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/federation/credentials" || r.Header.Get("X-Amz-Sso_bearer_token") != "sso-token" || q.Get("role_name") != "Ops" ||
			q.Get("account_id") != "111122223333" {
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`,
			time.Now().Add(time.Hour).UnixMilli())
	}))
	defer srv.Close()
	t.Setenv("AWS_ENDPOINT_URL_SSO", srv.URL)
	const start = "https://example.awsapps.com/start"
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, "config"), "[profile ops]\nsso_start_url = "+start+"\nsso_region = eu-west-1\nsso_account_id = 111122223333\n"+
		"sso_role_name = Ops\nregion = eu-west-1\n")
	retrieve := func() (string, error) {
		cfg, err := loadSource(t.Context(), source{Type: config.SourceProfile, Profile: "ops"}, "eu-west-1", awshttp.NewBuildableClient())
		if err != nil {
			return "", err
		}
		got, err := cfg.Credentials.Retrieve(t.Context())
		return got.AccessKeyID, err
	}
	if id, err := retrieve(); err == nil {
		t.Errorf("%s without a login", id)
	}
	sum := sha1.Sum([]byte(start))
	write(filepath.Join(home, ".aws/sso/cache", hex.EncodeToString(sum[:])+".json"),
		fmt.Sprintf(`{"accessToken":"sso-token","expiresAt":%q,"region":"eu-west-1","startUrl":%q}`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339), start))
	if id, err := retrieve(); err != nil || id != "ASIASSO" {
		t.Errorf("%s, %v", id, err)
	}
}

// The credential_process of a profile is killed like aws.source.command.
func TestTheProcessOfAProfileIsAProcessSource(t *testing.T) {
	home := bareHome(t)
	const keys = "aws_access_key_id = a\naws_secret_access_key = b\n"
	const process = `credential_process of profile "default"`
	for text, want := range map[string]string{
		"[default]\ncredential_process = /bin/vault\n":                                                                 process,
		"[default]\n" + keys + "credential_process = /bin/vault\n":                                                     "",
		"[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = x\n[profile x]\nregion = r\n" + keys: "",
	} {
		if err := os.WriteFile(filepath.Join(home, "config"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion("eu-west-1"))
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := credentialProcess(cfg); ok != (want != "") || p.name != want {
			t.Errorf("%q: %q, %v", text, p.name, ok)
		}
	}
}
