package awsclient

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// http.ProxyFromEnvironment reads the environment once, so the test runs in a process of
// its own.
func TestProxyIsForOtherHostsOnly(t *testing.T) {
	if os.Getenv("PROXY_TEST") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", t.Name(), "-test.v")
		cmd.Env = append(os.Environ(), "PROXY_TEST=1", "HTTP_PROXY=http://proxy.example:3128",
			"HTTPS_PROXY=http://proxy.example:3128", "NO_PROXY=", "http_proxy=", "https_proxy=", "no_proxy=",
			"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://metadata.example:1338",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://agent.example/v1/credentials")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for address, proxied := range map[string]bool{
		"http://169.254.169.254/latest/api/token": false, "http://169.254.170.2/v2/credentials/x": false,
		"http://169.254.170.23/v1/credentials": false, "http://[fd00:ec2::254]/latest": false, "http://[fd00:ec2::23]/v1/credentials": false,
		"http://[fe80::1%25eth0]/": false, "http://[::ffff:169.254.169.254]/": false, "http://127.0.0.1:9465/": false,
		"http://127.8.8.8/": false, "http://[::1]/": false, "http://localhost:1/": false, "http://LOCALHOST./": false,
		"http://a.localhost/": false, "http://metadata.example:1338/latest": false, "https://agent.example/v1/credentials": false,
		"https://sts.eu-west-1.amazonaws.com/": true, "https://s3.example.org/": true, "http://10.0.0.1/": true, "https://[fd00:ec3::1]/": true,
		"http://169.255.1.1/": true,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := Proxy(&http.Request{URL: u})
		if err != nil || (proxy != nil) != proxied {
			t.Errorf("%s: proxy %v, %v, want one: %v", address, proxy, err, proxied)
		}
	}
}
