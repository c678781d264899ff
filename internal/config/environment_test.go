package config_test

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

const twoDestinations = `destinations:
  logs: {role: "arn:aws:iam::111122223333:role/r", bucket: bucket-b, owner: "444455556666", region: us-east-1,
    kms_key: "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab", key: "l/{id}"}
  store: {bucket: bucket-c, region: us-east-1, compatible: true, endpoints: {s3: "https://store.example"}, key: "l/{id}"}
`

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestTheEnvironmentReachesEveryService(t *testing.T) {
	c, err := config.Parse("f", []byte(twoDestinations))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ApplyEnvironment(lookupIn(map[string]string{
		"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "TRUE", "AWS_CA_BUNDLE": "/etc/ca.pem",
		"AWS_ENDPOINT_URL_KMS": "https://kms.example", "AWS_RETRY_MODE": "adaptive", "HTTPS_PROXY": "http://user:secretword@proxy.example:3128",
	})); err != nil {
		t.Fatal(err)
	}
	logs, store := c.Destinations["logs"], c.Destinations["store"]
	if !c.AWS.FIPS || !c.AWS.DualStack || !logs.FIPS || !logs.DualStack {
		t.Errorf("FIPS and dual stack: for STS %v %v, for S3 %v %v; want all", c.AWS.FIPS, c.AWS.DualStack, logs.FIPS, logs.DualStack)
	}
	if store.FIPS || store.DualStack {
		t.Error("a destination with an endpoint of its own got another one")
	}
	if c.AWS.CABundle != "/etc/ca.pem" || c.AWS.Endpoints.KMS != "https://kms.example" || c.AWS.Endpoints.S3 != "" {
		t.Errorf("got %+v", c.AWS)
	}
	said := strings.Join(c.FromEnvironment(), "\n")
	for _, want := range []string{"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_KMS",
		"AWS_RETRY_MODE is ignored", "destination store", "proxy.example:3128"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not described in:\n%s", want, said)
		}
	}
	if strings.Contains(said, "secretword") {
		t.Error("a password is described")
	}
}

func TestEndpointsOfTheEnvironment(t *testing.T) {
	for name, row := range map[string]struct {
		env  map[string]string
		want config.Endpoints
	}{
		"one for all": {map[string]string{"AWS_ENDPOINT_URL": "https://a.example"},
			config.Endpoints{STS: "https://a.example", S3: "https://a.example", KMS: "https://a.example"}},
		"a service's own": {map[string]string{"AWS_ENDPOINT_URL": "https://a.example", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
			config.Endpoints{STS: "https://a.example", S3: "http://127.0.0.1:1", KMS: "https://a.example"}},
		"ignored, as in SDK": {map[string]string{"AWS_ENDPOINT_URL": "https://a.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
			config.Endpoints{}},
		"empty variables": {map[string]string{"AWS_ENDPOINT_URL": "", "AWS_USE_FIPS_ENDPOINT": ""}, config.Endpoints{}},
	} {
		c, err := config.Parse("f", []byte(twoDestinations))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ApplyEnvironment(lookupIn(row.env)); err != nil || c.AWS.Endpoints != row.want {
			t.Errorf("%s: %+v, %v, want %+v", name, c.AWS.Endpoints, err, row.want)
		}
	}
	c, err := config.Parse("f", []byte("aws: {ca_bundle: /own.pem, endpoints: {s3: 'https://own.example'}}\n"+twoDestinations))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ApplyEnvironment(lookupIn(map[string]string{"AWS_ENDPOINT_URL_S3": "https://a.example", "AWS_CA_BUNDLE": "/x"})); err !=
		nil || c.AWS.Endpoints.S3 != "https://own.example" || c.AWS.CABundle != "/own.pem" {
		t.Errorf("the file does not win: %+v, %v", c.AWS, err)
	}
}

// What the file refuses, the environment cannot set.
func TestTheEnvironmentIsRefusedAsTheFileIs(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://10.255.255.1:8080", "AWS_ENDPOINT_URL_STS": "http://sts.example",
		"AWS_ENDPOINT_URL_S3": "https://u:secretword@s3.example", "AWS_USE_FIPS_ENDPOINT": "maybe", "AWS_USE_DUALSTACK_ENDPOINT": "1",
	} {
		c, err := config.Parse("f", []byte(twoDestinations))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ApplyEnvironment(lookupIn(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) ||
			strings.Contains(err.Error(), "secretword") {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}
