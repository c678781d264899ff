package s3client

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// endpoint is the address of one bucket.
type endpoint struct {
	scheme string
	host   string // for the Host header, which is signed: without a default port
	base   string // escaped path before the key: "", "/bucket", "/base/bucket"
}

// suffixes are the DNS suffixes of the partitions, by the prefix of their Regions.
// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json
var suffixes = []struct{ region, dns, dualStack string }{
	{"cn-", "amazonaws.com.cn", "amazonaws.com.cn"},
	{"eusc-", "amazonaws.eu", "amazonaws.eu"},
	{"us-isob-", "sc2s.sgov.gov", "sc2s.sgov.gov"},
	{"us-isof-", "csp.hci.ic.gov", "csp.hci.ic.gov"},
	{"us-iso-", "c2s.ic.gov", "c2s.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk", "cloud.adc-e.uk"},
}

// resolve returns a bucket's endpoint by the rules of the SDK.
func resolve(o Options) (endpoint, error) {
	if err := checkNames(o); err != nil {
		return endpoint{}, err
	}
	if o.Endpoint == "" {
		return resolveAWS(o), nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return endpoint{}, errors.New("s3client: an endpoint must be http or https://host[:port][/base]")
	}
	if o.FIPS || o.DualStack {
		return endpoint{}, errors.New(
			"s3client: FIPS and dual-stack select endpoints of AWS, and another endpoint is set: remove the one or the other",
		)
	}
	host := u.Host
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	base := strings.TrimSuffix(u.EscapedPath(), "/")
	_, notIP := netip.ParseAddr(u.Hostname())
	return bucketEndpoint(o, u.Scheme, host, base, notIP != nil), nil
}

func resolveAWS(o Options) endpoint {
	dns := "amazonaws.com"
	for _, s := range suffixes {
		if strings.HasPrefix(o.Region, s.region) {
			dns = s.dns
		}
	}
	service := "s3"
	if o.FIPS {
		service += "-fips"
	}
	if o.DualStack {
		service += ".dualstack"
	}
	return bucketEndpoint(o, "https", service+"."+o.Region+"."+dns, "", true)
}

// bucketEndpoint puts the bucket into the host name where DNS and a certificate allow
// it, and into the path otherwise.
func bucketEndpoint(o Options, scheme, host, base string, named bool) endpoint {
	if named && !o.PathStyle && hostLabel(o.Bucket, scheme == "http") {
		return endpoint{scheme: scheme, host: o.Bucket + "." + host, base: base}
	}
	return endpoint{scheme: scheme, host: host, base: base + "/" + escaped(o.Bucket, false)}
}

// hostLabel reports whether a bucket's name can be part of a host name. A wildcard
// certificate covers one label, so a name with dots cannot be one over TLS.
func hostLabel(bucket string, dots bool) bool {
	if len(bucket) < 3 || len(bucket) > 63 || net.ParseIP(bucket) != nil {
		return false
	}
	for label := range strings.SplitSeq(bucket, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if b := label[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
				return false
			}
		}
	}
	return dots || !strings.Contains(bucket, ".")
}

func checkNames(o Options) error {
	switch {
	case o.Bucket == "":
		return errors.New("s3client: Bucket is required")
	case strings.Contains(o.Bucket, ":"), strings.Contains(o.Bucket, "/"):
		return fmt.Errorf("s3client: %q is not the name of a bucket", o.Bucket)
	case strings.HasSuffix(o.Bucket, "--x-s3"):
		return fmt.Errorf("s3client: %q is a directory bucket, whose requests are signed in another way; use a general purpose bucket", o.Bucket)
	case o.Region == "":
		return errors.New("s3client: Region is required")
	}
	for i := range len(o.Region) {
		if b := o.Region[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return fmt.Errorf("s3client: %q is not a Region", o.Region)
		}
	}
	return nil
}
