package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

var (
	userResource     = entity{regexp.MustCompile(`^user/([\x21-\x7e]+/)?[A-Za-z0-9_+=,.@-]{1,64}$`)}
	policyResource   = entity{regexp.MustCompile(`^policy/([\x21-\x7e]+/)?[A-Za-z0-9_+=,.@-]{1,128}$`)}
	providerResource = regexp.MustCompile(`^oidc-provider/[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_./-]+)?$`)
	trailResource    = regexp.MustCompile(`^trail/[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$`)
	// Wildcards are refused: the trust policy compares with StringEquals.
	tokenClaim = bounded{regexp.MustCompile(`^[A-Za-z0-9_.:/@=+-]+$`), 255}
)

func runsAsTypes() []string {
	return []string{RunsEC2, RunsECS, RunsPodIdentity, RunsWebIdentity, RunsRole, RunsUser}
}

// setupRules checks the setup sections of the file and of its destinations.
type setupRules struct{ v *validator }

// section checks a setup section; d is nil for the section of the file.
func (s setupRules) section(path string, set Setup, d *Destination) {
	v := s.v
	if d != nil && d.Compatible && set != (Setup{}) {
		v.fail(path, "an S3-compatible store has no accounts to set up", "leave setup out")
		return
	}
	s.runsAs(path+".runs_as", set.RunsAs)
	if set.Boundary != "" {
		const hint = "write the full ARN: arn:aws:iam::111122223333:policy/NAME"
		a, err := awsarn.Parse(set.Boundary)
		switch {
		case err != nil || a.Service != "iam" || !policyResource.MatchString(a.Resource) ||
			(!accountID.MatchString(a.Account) && a.Account != "aws"):
			v.fail(path+".boundary", fmt.Sprintf("%q is not the ARN of a managed policy", set.Boundary), hint)
		case d != nil && accountID.MatchString(a.Account) && a.Account != awsarn.Account(d.Role) && awsarn.Account(d.Role) != "":
			v.fail(
				path+".boundary",
				fmt.Sprintf("the policy is of account %s, the role of %s", a.Account, awsarn.Account(d.Role)),
				"a boundary is a policy of the role's own account",
			)
		}
	}
	if set.AccessLogs.Bucket != "" {
		v.bucket(path+".access_logs.bucket", set.AccessLogs.Bucket)
		if d != nil && set.AccessLogs.Bucket == d.Bucket {
			v.fail(path+".access_logs.bucket", "a bucket must not log into itself", "name another bucket")
		}
	} else if set.AccessLogs.Prefix != "" {
		v.fail(path+".access_logs.bucket", "the bucket of the access logs is missing", "name it, or leave access_logs out")
	}
	if set.Trail != "" {
		const hint = "write the full ARN: arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME"
		a, err := awsarn.Parse(set.Trail)
		switch {
		case err != nil || a.Service != "cloudtrail" || a.Region == "" || !accountID.MatchString(a.Account) ||
			!trailResource.MatchString(a.Resource):
			v.fail(path+".trail", fmt.Sprintf("%q is not the ARN of a trail", set.Trail), hint)
		case d != nil && accountID.MatchString(d.Owner) && a.Account != d.Owner:
			v.fail(
				path+".trail",
				fmt.Sprintf("the trail is of account %s, the bucket of %s", a.Account, d.Owner),
				"name a trail of the bucket's account",
			)
		}
	}
	if d != nil && set.Endpoints != (SetupEndpoints{}) {
		v.fail(path+".endpoints", "endpoints of setup are for the whole file", "write them under setup: at the top of the file")
		return
	}
	v.endpoint(path+".endpoints.iam", set.Endpoints.IAM)
	v.endpoint(path+".endpoints.cloudtrail", set.Endpoints.CloudTrail)
}

func (s setupRules) runsAs(path string, r RunsAs) {
	v := s.v
	if r == (RunsAs{}) {
		return
	}
	if !slices.Contains(runsAsTypes(), r.Type) {
		v.fail(path+".type", fmt.Sprintf("unknown type %q", r.Type), didYouMean(r.Type, "types", runsAsTypes()))
		return
	}
	if r.Type == RunsWebIdentity {
		s.webIdentity(path, r)
		return
	}
	for field, value := range map[string]string{".provider": r.Provider, ".subject": r.Subject, ".audience": r.Audience} {
		if value != "" {
			v.fail(path+field, "runs_as.type "+r.Type+" has no use for it", "leave it out, or change the type to "+RunsWebIdentity)
		}
	}
	a, err := awsarn.Parse(r.Principal)
	form, hint := roleResource, "write the full ARN of the role that the daemon runs as: arn:aws:iam::111122223333:role/NAME"
	if r.Type == RunsUser {
		form, hint = userResource, "write the full ARN of the user: arn:aws:iam::111122223333:user/NAME"
	}
	switch {
	case r.Principal == "":
		v.fail(path+".principal", "the principal is missing", hint)
	case err == nil && a.Service == "sts" && strings.HasPrefix(a.Resource, "assumed-role/"):
		v.fail(path+".principal", "this is the ARN of a session, which ends", hint)
	case err == nil && a.Resource == "root":
		v.fail(path+".principal", "this is the whole account: every identity in it could assume the role", hint)
	case err != nil || a.Service != "iam" || a.Region != "" || !accountID.MatchString(a.Account) || !form.MatchString(a.Resource) ||
		strings.ContainsAny(r.Principal, "*?"):
		v.fail(
			path+".principal",
			fmt.Sprintf("%q is not the ARN of a %s", r.Principal, map[bool]string{true: "user", false: "role"}[r.Type == RunsUser]),
			hint,
		)
	}
}

func (s setupRules) webIdentity(path string, r RunsAs) {
	v := s.v
	if r.Principal != "" {
		v.fail(path+".principal", "a web identity has no principal before the destination's role", "leave it out; name provider and subject")
	}
	a, err := awsarn.Parse(r.Provider)
	if err != nil || a.Service != "iam" || !accountID.MatchString(a.Account) || !providerResource.MatchString(a.Resource) {
		v.fail(
			path+".provider",
			fmt.Sprintf("%q is not the ARN of an OpenID Connect provider", r.Provider),
			"write arn:aws:iam::111122223333:oidc-provider/oidc.eks.REGION.amazonaws.com/id/ID",
		)
	}
	if !tokenClaim.MatchString(r.Subject) {
		v.fail(
			path+".subject",
			fmt.Sprintf("%q is not the subject of a token", r.Subject),
			"one service account, without wildcards: system:serviceaccount:NAMESPACE:NAME",
		)
	}
	if r.Audience != "" && !tokenClaim.MatchString(r.Audience) {
		v.fail(path+".audience", fmt.Sprintf("%q is not an audience", r.Audience), "leave it out for sts.amazonaws.com")
	}
}

// fits compares the settings of setup with those of the daemon for a destination.
// The configuration must be complete.
func (s setupRules) fits(d *Destination) {
	v := s.v
	if d.Compatible {
		return
	}
	path := "destinations." + d.Name + ".setup.runs_as"
	if d.Setup.RunsAs == (RunsAs{}) {
		path = "setup.runs_as"
	}
	r := v.cfg.SetupOf(d).RunsAs
	if r == (RunsAs{}) || v.faulty[path] {
		return
	}
	first := d.Role
	if len(d.Chain) > 0 {
		first = d.Chain[0].Role
	}
	principal, perr := awsarn.Parse(r.Principal)
	role, rerr := awsarn.Parse(first)
	switch {
	case r.Principal != "" && r.Principal == first:
		v.fail(path+".principal", "this is the role of destination "+d.Name+" itself", "name the identity that assumes it")
	case perr == nil && rerr == nil && principal.Partition != role.Partition:
		v.fail(
			path+".principal",
			fmt.Sprintf("the principal is in partition %s, role %s in %s", principal.Partition, first, role.Partition),
			"AWS partitions share no identities",
		)
	}
	web := v.cfg.AWS.Source.Type == SourceWebIdentity
	switch {
	case web && r.Type != RunsWebIdentity:
		v.fail(
			path+".type",
			"aws.source.type is web-identity, so the role is assumed with a token",
			"write type: web-identity, with provider and subject",
		)
	case !web && r.Type == RunsWebIdentity:
		v.fail(
			path+".type",
			"a web identity assumes the role itself only with aws.source.type web-identity",
			"set that, or name the role that the token is exchanged for first: type: role",
		)
	case web && awsarn.Account(r.Provider) != awsarn.Account(first) && awsarn.Account(first) != "" && awsarn.Account(r.Provider) != "":
		v.fail(
			path+".provider",
			fmt.Sprintf("the provider is of account %s, the role of %s", awsarn.Account(r.Provider), awsarn.Account(first)),
			"the provider has to be one of the role's account",
		)
	}
}
