package awsclient

import (
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// localPrefixes are networks within a host or its own link. Instance metadata and
// container credentials are served there.
var localPrefixes = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("169.254.0.0/16"), // EC2 and ECS
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fd00:ec2::/32"), // EC2 and EKS
}

// localVariables hold the URLs of credential endpoints on this host.
var localVariables = []string{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}

// Proxy returns the proxy of a request, as http.ProxyFromEnvironment does. It never
// returns one for loopback, link-local addresses and the host's own credential
// endpoints: a proxy would see the tokens and keys, and could not reach this host.
func Proxy(req *http.Request) (*url.URL, error) {
	if local(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

func local(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	for _, name := range localVariables {
		if u, err := url.Parse(os.Getenv(name)); err == nil && u.Hostname() != "" &&
			strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), host) {
			return true
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range localPrefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Direct returns client without a proxy, for an endpoint on this host.
func Direct(client *awshttp.BuildableClient) *awshttp.BuildableClient {
	return client.WithTransportOptions(func(t *http.Transport) { t.Proxy = nil })
}

// LoadOptions returns the options with which awsconfig.LoadDefaultConfig uses client. The
// SDK makes a client of its own for container credentials, which would use a proxy.
func LoadOptions(client *awshttp.BuildableClient) []func(*awsconfig.LoadOptions) error {
	return []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(client),
		awsconfig.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = Direct(client) }),
	}
}
