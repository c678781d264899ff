package s3client

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestEndpointIsTheSDKs compares with the endpoint rules of the SDK.
func TestEndpointIsTheSDKs(t *testing.T) {
	regions := []string{"us-east-1", "eu-west-1", "ap-southeast-3", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1",
		"eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1"}
	buckets := []string{"plain-bucket", "with.dots", "Upper", "under_score", "abc", "1.2.3.4", "bucket-s3alias"}
	endpoints := []string{"", "https://store.example", "https://store.example:443", "http://store.example:9000", "http://store.example",
		"https://store.example/base", "https://127.0.0.1:9000", "https://[::1]:9000"}
	resolver := s3.NewDefaultEndpointResolverV2()
	compared := 0
	for _, region := range regions {
		for _, bucket := range buckets {
			for _, endpoint := range endpoints {
				for bits := range 8 {
					o := Options{Region: region, Bucket: bucket, Endpoint: endpoint, PathStyle: bits&1 != 0, FIPS: bits&2 != 0, DualStack: bits&4 != 0}
					p := s3.EndpointParameters{
						Region: &region, Bucket: &bucket, ForcePathStyle: aws.Bool(o.PathStyle), UseFIPS: aws.Bool(o.FIPS),
						UseDualStack: aws.Bool(o.DualStack), Accelerate: aws.Bool(false), UseGlobalEndpoint: aws.Bool(false),
						DisableMultiRegionAccessPoints: aws.Bool(false),
					}
					if endpoint != "" {
						p.Endpoint = &endpoint
					}
					want, err := resolver.ResolveEndpoint(t.Context(), p)
					if err != nil {
						continue // the SDK refuses it: no comparison
					}
					got, err := resolve(o)
					if err != nil {
						if endpoint == "" || !o.FIPS && !o.DualStack {
							t.Errorf("%+v: %v", o, err)
						}
						continue
					}
					compared++
					host := strings.TrimSuffix(strings.TrimSuffix(want.URI.Host, ":443"), ":80")
					if got.scheme != want.URI.Scheme || got.host != host || got.base != strings.TrimSuffix(want.URI.EscapedPath(), "/") {
						t.Errorf("%+v: got %+v, the SDK goes to %s", o, got, want.URI.String())
					}
				}
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d compared", compared)
	}
}

func TestPlacesThatAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"no bucket":              {Region: "eu-west-1"},
		"an ARN":                 {Region: "eu-west-1", Bucket: "arn:aws:s3:eu-west-1:111122223333:accesspoint/a"},
		"a directory bucket":     {Region: "eu-west-1", Bucket: "b--euw1-az1--x-s3"},
		"a path as a bucket":     {Region: "eu-west-1", Bucket: "a/b"},
		"no Region":              {Bucket: "bucket"},
		"a Region that is none":  {Bucket: "bucket", Region: "evil.example/"},
		"an endpoint's password": {Bucket: "bucket", Region: "eu-west-1", Endpoint: "https://u:p@store.example"},
		"another scheme":         {Bucket: "bucket", Region: "eu-west-1", Endpoint: "ftp://store.example"},
		"an endpoint's query":    {Bucket: "bucket", Region: "eu-west-1", Endpoint: "https://store.example?a=b"},
		"no host":                {Bucket: "bucket", Region: "eu-west-1", Endpoint: "https://"},
	} {
		if got, err := resolve(o); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
