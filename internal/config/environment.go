package config

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ApplyEnvironment takes over the settings for requests to AWS that SDKs read from the
// environment. They apply to every service and destination alike, and the file wins:
//
//	AWS_USE_FIPS_ENDPOINT       aws.fips
//	AWS_USE_DUALSTACK_ENDPOINT  aws.dual_stack
//	AWS_CA_BUNDLE               aws.ca_bundle
//	AWS_ENDPOINT_URL_STS        aws.endpoints.sts, and so for S3, KMS
//	AWS_ENDPOINT_URL            each of aws.endpoints that is still empty
//
// It refuses what the file would refuse. FromEnvironment describes the settings.
func (c *Config) ApplyEnvironment(lookup func(string) (string, bool)) error {
	e := environment{config: c, lookup: lookup}
	if err := e.apply(); err != nil {
		return fmt.Errorf("%s: the environment: %w", c.Path, err)
	}
	c.fromEnvironment = e.said
	c.spreadEndpointKinds()
	return nil
}

// LoadWithEnvironment is Load, followed by ApplyEnvironment with the process's variables.
func LoadWithEnvironment(path string) (*Config, error) {
	c, err := Load(path)
	if err != nil {
		return nil, err
	}
	if err := c.ApplyEnvironment(os.LookupEnv); err != nil {
		return nil, err
	}
	return c, nil
}

// FromEnvironment describes each setting of the environment that changes requests to
// AWS, or that brokerd ignores although SDKs read it.
func (c *Config) FromEnvironment() []string { return slices.Clone(c.fromEnvironment) }

// ignoredVariables are settings of SDKs that brokerd does not use for any service.
var ignoredVariables = []string{
	"AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_DEFAULTS_MODE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_REQUEST_CHECKSUM_CALCULATION",
	"AWS_RESPONSE_CHECKSUM_VALIDATION", "AWS_S3_USE_ARN_REGION", "AWS_REGION", "AWS_DEFAULT_REGION",
}

type environment struct {
	config *Config
	lookup func(string) (string, bool)
	said   []string
}

func (e *environment) say(format string, args ...any) {
	e.said = append(e.said, fmt.Sprintf(format, args...))
}

// get returns a variable; an empty one counts as unset, as in the SDKs.
func (e *environment) get(name string) (string, bool) {
	v, ok := e.lookup(name)
	return v, ok && v != ""
}

func (e *environment) apply() error {
	for name, field := range map[string]*bool{"AWS_USE_FIPS_ENDPOINT": &e.config.AWS.FIPS,
		"AWS_USE_DUALSTACK_ENDPOINT": &e.config.AWS.DualStack} {
		v, ok := e.get(name)
		switch {
		case !ok || strings.EqualFold(v, "false"):
		case strings.EqualFold(v, "true"):
			*field = true
			e.say("%s=true: for STS and S3 of every destination without an endpoint of its own", name)
		default:
			return fmt.Errorf("%s is neither true nor false", name)
		}
	}
	if v, ok := e.get("AWS_CA_BUNDLE"); ok {
		switch abs, err := filepath.Abs(v); {
		case e.config.AWS.CABundle != "":
			e.say("AWS_CA_BUNDLE is ignored: aws.ca_bundle is set")
		case err != nil:
			return fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		default:
			e.config.AWS.CABundle = abs
			e.say("AWS_CA_BUNDLE=%s: trusted for every service", abs)
		}
	}
	if err := e.endpoints(); err != nil {
		return err
	}
	for _, name := range ignoredVariables {
		if _, ok := e.get(name); ok {
			e.say("%s is ignored", name)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if v, ok := e.get(name); ok {
			e.say("%s=%s: for every service, except hosts of NO_PROXY and this host's own endpoints", name, hostOf(v))
		}
	}
	slices.Sort(e.said)
	return nil
}

func (e *environment) endpoints() error {
	if v, _ := e.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"); strings.EqualFold(v, "true") {
		return nil
	}
	general, _ := e.get("AWS_ENDPOINT_URL")
	for _, s := range []struct {
		service string
		field   *string
	}{{"STS", &e.config.AWS.Endpoints.STS}, {"S3", &e.config.AWS.Endpoints.S3}, {"KMS", &e.config.AWS.Endpoints.KMS}} {
		name := "AWS_ENDPOINT_URL_" + s.service
		v, ok := e.get(name)
		if !ok {
			name, v = "AWS_ENDPOINT_URL", general
		}
		key := "aws.endpoints." + strings.ToLower(s.service)
		switch {
		case v == "":
			continue
		case *s.field != "":
			e.say("%s is ignored for %s: %s is set", name, s.service, key)
			continue
		}
		check := &validator{decoder: &decoder{faulty: map[string]bool{}}}
		if check.endpoint(name, v); len(check.errs) > 0 {
			return fmt.Errorf("%s: %s: %s; or set %s", name, check.errs[0].Message, check.errs[0].Hint, key)
		}
		*s.field = v
		e.say("%s=%s: for %s of every destination without an endpoint of its own", name, v, s.service)
	}
	return nil
}

// hostOf returns host and port of a URL, and no user or password.
func hostOf(text string) string {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "(not a URL)"
	}
	return u.Host
}

// spreadEndpointKinds applies aws.fips and aws.dual_stack to the destinations that use
// AWS's own endpoint of S3.
func (c *Config) spreadEndpointKinds() {
	for _, d := range c.Destinations {
		own := d.Endpoints.S3 != "" || c.AWS.Endpoints.S3 != "" || d.Compatible
		d.FIPS = d.FIPS || c.AWS.FIPS && !own
		d.DualStack = d.DualStack || c.AWS.DualStack && !own
		if own && c.AWS.FIPS {
			c.fromEnvironment = append(
				c.fromEnvironment,
				fmt.Sprintf("FIPS does not apply to S3 of destination %s, which has an endpoint of its own", d.Name),
			)
		}
	}
}
