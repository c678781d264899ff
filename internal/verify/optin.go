package verify

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// isOptIn reports whether accounts have to enable a Region. AWS enables the Regions of
// the list by default, and none that it opened after March 2019 (AWS Account
// Management reference, "Enable or disable AWS Regions in your account").
func isOptIn(region string) bool {
	for _, partition := range []string{"us-gov-", "cn-", "us-iso", "eu-isoe-", "eusc-"} {
		if strings.HasPrefix(region, partition) {
			return false
		}
	}
	return !slices.Contains([]string{
		"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
		"eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1",
		"ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2",
	}, region)
}

// optInFailure explains credentials that a service in an opt-in Region does not know.
// Two causes give the same codes: account A has not enabled the Region, and the
// session comes from STS's global endpoint, whose tokens these Regions do not accept.
func (d *diagnosis) optInFailure(c *finding, s step, info awserr.Info) bool {
	region := d.dest.Region
	if !isOptIn(region) || d.dest.Compatible || strings.HasPrefix(info.Code, "Expired") || info.Code == "SignatureDoesNotMatch" ||
		info.Code == "" {
		return false
	}
	c.blame(causeOptInRegion, d.accountA(), report.ArtefactSession, d.dest.Role)
	c.Confidence = report.Strong
	enable := fmt.Sprintf("aws account enable-region --region-name %s", region)
	if at, err := url.Parse(d.endpoint("sts")); err == nil && at.Hostname() == "sts.amazonaws.com" && !s.source {
		c.Detail = fmt.Sprintf(
			"%s: %s does not accept the session (%s). It comes from STS's global endpoint, whose tokens an opt-in Region does not accept",
			s.name,
			region,
			info.Code,
		)
		c.Fix = fmt.Sprintf(
			"Take `endpoints.sts` out of the configuration: brokerd then uses STS in %s. "+
				"If the error stays, account %s has not enabled the Region: `%s`.",
			region,
			accountOrA(d.accountA()),
			enable,
		)
		return true
	}
	c.Confidence = report.Weak
	c.Detail = fmt.Sprintf(
		"%s: %s is an opt-in Region and does not know the credentials (%s). Account %s has not enabled the Region, or the session comes from "+
			"STS's global endpoint",
		s.name,
		region,
		info.Code,
		accountOrA(d.accountA()),
	)
	if s.source || s.service == "sts" {
		c.Detail += ", or the credentials are wrong"
	}
	c.Fix = fmt.Sprintf(
		"Check that account %s has enabled the Region: `aws account get-region-opt-status --region-name %s`; enable it with `%s`. "+
			"Both accounts need the Region.",
		accountOrA(d.accountA()),
		region,
		enable,
	)
	if s.source || s.service == "sts" {
		c.Fix += " If it is enabled, replace the source credentials."
	}
	return true
}
