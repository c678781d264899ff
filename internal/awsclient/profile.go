package awsclient

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/brokerd/brokerd/internal/config"
)

// ProfileWarnings returns the settings for requests in the profiles of a configuration.
// SDKs apply them. brokerd takes only credentials from a profile: a setting that reached
// STS and not S3 would be misleading.
func ProfileWarnings(ctx context.Context, c *config.Config) []string {
	if t := c.AWS.Source.Type; t != "" && t != config.SourceDefault && t != config.SourceProfile {
		return nil
	}
	profiles := map[string]bool{profileName(c.AWS.Profile): true}
	for _, d := range c.Destinations {
		if d.Profile != "" {
			profiles[d.Profile] = true
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		p, err := awsconfig.LoadSharedConfigProfile(ctx, name)
		if err != nil {
			continue // without the profile there is no setting; getting credentials reports the error
		}
		for _, s := range []struct {
			key, instead string
			set          bool
		}{
			{"use_fips_endpoint", "aws.fips", p.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled},
			{"use_dualstack_endpoint", "aws.dual_stack", p.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled},
			{"ca_bundle", "aws.ca_bundle", p.CustomCABundle != ""},
			{"endpoint_url", "aws.endpoints", p.BaseEndpoint != ""},
			{"services", "aws.endpoints", p.ServicesSectionName != ""},
		} {
			if s.set {
				out = append(out, fmt.Sprintf("%s of profile %q is ignored for every service: set %s in the file", s.key, name, s.instead))
			}
		}
	}
	return out
}

func profileName(configured string) string {
	for _, name := range []string{configured, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE")} {
		if name != "" {
			return name
		}
	}
	return "default"
}
