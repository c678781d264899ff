package s3client

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// place is where the requests of one bucket go.
type place struct {
	scheme string
	host   string // of the Host header: without a default port, as it is signed
	base   string // escaped path before the key: "", "/bucket", "/base/bucket"
}

// suffixes are the DNS suffixes of the partitions by the prefix of their Regions.
// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json
var suffixes = []struct{ region, dns, dualStack string }{
	{"cn-", "amazonaws.com.cn", "amazonaws.com.cn"},
	{"eusc-", "amazonaws.eu", "amazonaws.eu"},
	{"us-isob-", "sc2s.sgov.gov", "sc2s.sgov.gov"},
	{"us-isof-", "csp.hci.ic.gov", "csp.hci.ic.gov"},
	{"us-iso-", "c2s.ic.gov", "c2s.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk", "cloud.adc-e.uk"},
}

// locate finds a bucket's place as the SDK's endpoint rules do.
func locate(o Options) (place, error) {
	if err := checkNames(o); err != nil {
		return place{}, err
	}
	if o.Endpoint == "" {
		return locateAWS(o), nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return place{}, errors.New("wire: an endpoint is scheme://host[:port][/base] with the scheme http or https")
	}
	if o.FIPS || o.DualStack {
		return place{}, errors.New("wire: FIPS and dual-stack are endpoints of AWS, and another endpoint is given")
	}
	host := u.Host
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	base := strings.TrimSuffix(u.EscapedPath(), "/")
	_, notIP := netip.ParseAddr(u.Hostname())
	return seat(o, u.Scheme, host, base, notIP != nil), nil
}

func locateAWS(o Options) place {
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
	return seat(o, "https", service+"."+o.Region+"."+dns, "", true)
}

// seat puts the bucket into the host name where a certificate and DNS allow it,
// and into the path where not.
func seat(o Options, scheme, host, base string, named bool) place {
	if named && !o.PathStyle && hostLabel(o.Bucket, scheme == "http") {
		return place{scheme: scheme, host: o.Bucket + "." + host, base: base}
	}
	return place{scheme: scheme, host: host, base: base + "/" + escaped(o.Bucket, false)}
}

// hostLabel says whether a bucket's name can stand in a host name. A wildcard
// certificate covers one label, so names with dots cannot over TLS.
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
		return errors.New("wire: there is no bucket")
	case strings.Contains(o.Bucket, ":"), strings.Contains(o.Bucket, "/"):
		return fmt.Errorf("wire: %q is not the name of a bucket", o.Bucket)
	case strings.HasSuffix(o.Bucket, "--x-s3"):
		return fmt.Errorf("wire: %q is a directory bucket, which is signed in another way", o.Bucket)
	case o.Region == "":
		return errors.New("wire: there is no Region to sign for")
	}
	for i := range len(o.Region) {
		if b := o.Region[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return fmt.Errorf("wire: %q is not a Region", o.Region)
		}
	}
	return nil
}
