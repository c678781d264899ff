package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// diagnosis turns the answer to a failed call into findings. It makes no call of
// its own: variant, which asks again with one thing changed, is the run's.
type diagnosis struct {
	*arrangement
	docs      *documents
	fixes     *fixes
	predicted *prediction
	endpoint  func(service string) string
	variant   func(context.Context, finding) ([]finding, bool) // nil: do not ask again
}

// step describes a call.
type step struct {
	name      string // "assuming the role"
	service   string // s3, sts or kms
	action    string // the action, where the refusal does not name it
	operation string // of the API, such as "s3:CreateMultipartUpload"
	id        stepID // the prediction that it answers
	source    bool   // signed with the source credentials
}

// hostIDError is an error with S3's second request id.
type hostIDError interface {
	error
	ServiceHostID() string
}

// callEvidence records the answer to a call; err is nil for a success.
func callEvidence(operation, text string, err error) report.Evidence {
	service, _, _ := strings.Cut(operation, ":")
	info := awserr.Classify(err, service)
	e := report.Evidence{
		Source:     report.SourceProbe,
		Operation:  operation,
		HTTPStatus: info.HTTPStatus,
		RequestID:  info.RequestID,
		AWSCode:    info.Code,
		Text:       text,
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.AWSMessage = clean(api.ErrorMessage())
	}
	var host hostIDError
	if errors.As(err, &host) {
		e.HostID = clean(host.ServiceHostID())
	}
	return e
}

// diagnose turns the error of a call into at least one finding. There are several
// when the documents show several faults behind one refusal.
func (d *diagnosis) diagnose(ctx context.Context, s step, err error) []finding {
	info := awserr.Classify(err, s.service)
	e := callEvidence(orText(s.operation, s.action), "", err)
	c := finding{
		Result: report.Fail, Operation: e.Operation, AWSCode: e.AWSCode, AWSMessage: e.AWSMessage,
		RequestID: e.RequestID, HostID: e.HostID, HTTPStatus: e.HTTPStatus, step: s.id,
	}
	switch {
	case info.Code == "AllAccessDisabled":
		d.allDisabled(&c, s)
		return []finding{c}
	case info.Class == awserr.AccessDenied && strings.Contains(e.AWSMessage, "headers present in the request which were not signed"):
		return []finding{d.tampered(c, s, "a proxy adds headers to signed requests")}
	case info.Class == awserr.AccessDenied && isWebIdentity(info):
		return []finding{d.webIdentity(c, s)}
	case info.Class == awserr.AccessDenied:
		return d.denied(ctx, c, s, info)
	}
	switch info.Class {
	case awserr.Network, awserr.Canceled:
		c = d.networkFailure(c, s, info, err)
	case awserr.Throttle, awserr.Transient, awserr.Conflict:
		d.undecided(&c, s, info)
	case awserr.ClockSkew:
		c.Code, c.Artefact = causeClock, report.ArtefactClock
		c.Detail = fmt.Sprintf("%s: the clock of this host is wrong: AWS refuses the time of the signature", s.name)
		c.Fix = "Set the clock: check the NTP service of this host (`timedatectl status`, `chronyc tracking`)."
	case awserr.BadCredentials, awserr.ExpiredCredentials:
		d.credentialFailure(&c, s, info, err)
	case awserr.KeyState:
		d.keyState(&c, info.Code, "")
	case awserr.Region:
		d.otherRegion(&c, s, info)
	case awserr.NotFound:
		c.blame(causeNoBucket, d.accountB(), report.ArtefactBucket, d.bucketARN())
		c.Detail = fmt.Sprintf("%s: there is no bucket %s", s.name, d.dest.Bucket)
		c.Fix = "Check the name. If the bucket was deleted, account " + accountOrB(d.accountB()) + " has to create it again."
	case awserr.Owner:
		d.ownerMismatch(&c)
	default:
		d.otherFailure(&c, s, err)
	}
	return []finding{c}
}

// undecided handles an answer that neither allows nor refuses.
func (d *diagnosis) undecided(c *finding, s step, info awserr.Info) {
	c.Code, c.Result, c.Artefact = causeThrottled, report.Unknown, report.ArtefactService
	c.Detail = fmt.Sprintf("%s: the service did not decide (%s)", s.name, orText(info.Code, info.Message))
	c.Fix = "Run verify again. If the error stays, look at the status of the service in " + d.dest.Region + "."
	if strings.HasPrefix(info.Code, "KMS.") || s.service == "kms" {
		c.Code = causeKeyThrottled
		c.Fix = "Run verify again. With S3 Bucket Keys (`bucket_key: true`), one call to KMS serves many objects. " +
			"The quota of KMS is that of the caller's account."
	}
}

func (d *diagnosis) otherRegion(c *finding, s step, info awserr.Info) {
	if s.service == "sts" {
		c.blame(causeOptInRegion, d.accountA(), report.ArtefactSession, d.dest.Role)
		c.Detail = fmt.Sprintf("%s: STS is not active in %s for the account of the source", s.name, d.dest.Region)
		c.Fix = "Activate STS in the Region (IAM, account settings), or set `endpoints.sts` to a Region in which it is active."
		return
	}
	c.blame(causeRegion, d.accountB(), report.ArtefactConfig, d.bucketARN())
	c.Detail = fmt.Sprintf(
		"%s: bucket %s is in %s and not in %s",
		s.name,
		d.dest.Bucket,
		orText(info.WantRegion, "another Region"),
		d.dest.Region,
	)
	c.Fix = "Set `region` of the destination to the Region of the bucket. The KMS key must be in that Region, too."
}

// tampered handles a request that was changed after it was signed.
func (d *diagnosis) tampered(c finding, s step, what string) finding {
	c.Code, c.Account, c.Artefact, c.Confidence = causeTampered, "", report.ArtefactNetwork, report.Strong
	c.Detail = fmt.Sprintf("%s: %s, so the signature is not valid. AWS did not evaluate any policy", s.name, what)
	c.Fix = "Look for a proxy between this host and S3 that rewrites requests or adds headers. " +
		"Bypass it with `proxy: none` in the destination, or with NO_PROXY."
	return c
}

func (d *diagnosis) credentialFailure(c *finding, s step, info awserr.Info, err error) {
	if d.optInFailure(c, s, info) {
		return
	}
	c.Artefact, c.Account = report.ArtefactCredentials, awsarn.Account(d.source)
	if s.source || s.id == stepAssume && s.service == "sts" {
		if info.Code == "" {
			c.Code, c.Confidence = causeNoSource, report.Proven
			c.Detail = "there are no source credentials: " + rootCause(err)
			c.Fix = "Give the daemon an identity in account " + accountOrA(d.accountA()) +
				": an instance or pod role, or `aws.credentials_file` and `aws.profile` in the configuration."
			return
		}
		c.Code = causeBadSource
		c.Detail = fmt.Sprintf("AWS does not accept the source credentials (%s)", info.Code)
		c.Fix = "Replace the source credentials. They were deleted, are expired, belong to another partition, or have a wrong secret."
		return
	}
	if info.Code == "SignatureDoesNotMatch" {
		*c = d.tampered(
			*c,
			s,
			"STS accepted the session, and "+strings.ToUpper(s.service)+" receives another signature than the one that was sent",
		)
		return
	}
	c.Code, c.Artefact, c.Account, c.Confidence = causeSession, report.ArtefactSession, d.accountA(), report.Strong
	c.Detail = fmt.Sprintf("%s: %s rejects the session (%s), which STS has just issued", s.name, strings.ToUpper(s.service), info.Code)
	c.Fix = "Look for a proxy that rewrites requests, and check that the endpoints of STS and S3 belong to the same partition."
}

func accountOrA(account string) string {
	if account == "" {
		return "A"
	}
	return account
}

func (d *diagnosis) ownerMismatch(c *finding) {
	c.Code, c.Result, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeOwner, report.Fail, d.accountB(), report.ArtefactBucket,
		d.bucketARN(), report.Proven
	c.Detail = fmt.Sprintf(
		"SECURITY: bucket %s exists and lets the role write, but it does not belong to account %s. brokerd refuses uploads, and has sent no data",
		d.dest.Bucket,
		d.dest.Owner,
	)
	c.Fix = "Find the owner of the bucket before you change anything. A wrong `owner` in the configuration is harmless; " +
		"a bucket that was deleted and created by another account is not."
}

func (d *diagnosis) otherFailure(c *finding, s step, err error) {
	c.Code, c.Artefact = causeOther, report.ArtefactService
	c.Detail = fmt.Sprintf("%s: %s", s.name, orText(c.AWSMessage, rootCause(err)))
	c.Fix = "Read the message of the service. AWS support needs the request id."
	if c.AWSCode != "" {
		c.Fix += " For the code, run `brokerctl explain " + c.AWSCode + "`."
	}
	switch {
	case c.AWSCode == "AccessControlListNotSupported":
		c.blame(causeACLRefused, d.accountB(), report.ArtefactOwnership, d.bucketARN())
		c.Detail = fmt.Sprintf("%s: the bucket has ACLs disabled (BucketOwnerEnforced), and the destination sends one", s.name)
		c.Fix = "Take `acl` out of the destination: the bucket's owner owns every object without it."
	case s.id == stepAssume && s.service == "sts" && (c.AWSCode == "PackedPolicyTooLarge" || c.AWSCode == "MalformedPolicyDocument"):
		c.blame(causePacked, d.accountA(), report.ArtefactSessionPolicy, d.dest.Role)
		c.Fix = "The session policy and the session tags are too large together, or malformed. " +
			"Shorten the prefix or the tags, or set `session: {scope: \"off\"}`."
	case s.id == stepAssume && s.service == "sts":
		d.assumeInvalid(c, s)
	}
}

// assumeInvalid handles an AssumeRole request that STS refuses before any policy.
func (d *diagnosis) assumeInvalid(c *finding, s step) {
	text := strings.ToLower(c.AWSMessage)
	c.blame(causeAssumeValue, d.accountA(), report.ArtefactSession, d.dest.Role)
	c.Fix = "Correct the value that the message names, under `session` of the destination."
	switch {
	case strings.Contains(text, "durationseconds") || strings.Contains(text, "session limit") || strings.Contains(text, "maxsessionduration"):
		c.Code = causeAssumeInvalid
		c.Fix = "Shorten `session.duration` of the destination, or raise MaxSessionDuration of the role. " +
			"A source that is a role session itself gets 1 hour at most."
	case strings.Contains(text, "rolearn") || strings.Contains(text, strings.ToLower(d.dest.Role)) || strings.HasPrefix(text, "arn:") &&
		strings.Contains(text, "invalid"):
		c.Code, c.Artefact = causeIncoherent, report.ArtefactConfig
		c.Fix = "Correct `role` of the destination: arn:aws:iam::ACCOUNT:role/NAME, with the path if the role has one."
	case c.AWSCode != "ValidationError":
		c.Confidence = report.Strong
	}
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (d *diagnosis) requesterPays(c finding) finding {
	c.blame(causeRequesterPays, d.accountB(), report.ArtefactBucket, d.bucketARN())
	c.Confidence = report.Proven
	c.Detail = "the bucket has Requester Pays: S3 refuses requests that do not agree to pay, and brokerd does not agree"
	account := d.account(d.accountB())
	c.Repair = report.Fix{
		Kind: report.FixSetting, Target: d.bucketARN(), Account: account, Owner: d.owner(report.ArtefactBucket, account),
		Text:    "Turn Requester Pays off. The owner of the bucket then pays for the requests of all callers.",
		Command: "aws s3api put-bucket-request-payment --bucket " + d.dest.Bucket + " --request-payment-configuration Payer=BucketOwner",
	}
	return c
}

func (d *diagnosis) unreachable(service, address string, err error) finding {
	info := awserr.Classify(err, service)
	c := finding{Code: causeNetwork, Result: report.Fail, Artefact: report.ArtefactNetwork, Confidence: report.Proven}
	info.Endpoint = address
	return d.networkFailure(c, step{name: "reaching " + service, service: service}, info, err)
}

func (d *diagnosis) networkFailure(c finding, s step, info awserr.Info, err error) finding {
	endpoint := info.Endpoint
	if endpoint == "" {
		endpoint = d.endpoint(s.service)
	}
	c.Code, c.Artefact = causeNetwork, report.ArtefactNetwork
	c.Detail = fmt.Sprintf("%s: no answer from %s", s.name, endpoint)
	if info.NetworkOp != "" {
		c.Detail += " (" + info.NetworkOp + ")"
	}
	c.Detail += ": " + rootCause(err) + ". This is the network, not IAM: no policy was asked"
	c.Fix = "Check from this host that " + endpoint + " can be reached: name resolution, route, proxy (HTTPS_PROXY), firewall, VPC endpoint"
	if info.NetworkOp == "tls" {
		c.Fix += "; the certificate must be signed by the system's roots or by aws.ca_bundle"
	}
	c.Fix += "."
	c.Evidence = append(
		c.Evidence,
		report.Evidence{Source: report.SourceHost, Operation: orText(info.NetworkOp, "connect"), Text: rootCause(err)},
	)
	return c
}

// allDisabled handles a bucket that S3 has closed for everyone.
func (d *diagnosis) allDisabled(c *finding, s step) {
	c.blame(causeAllDisabled, d.accountB(), report.ArtefactBucket, d.bucketARN())
	c.Confidence = report.Proven
	c.Detail = fmt.Sprintf("%s: S3 has disabled all access to bucket %s. No policy is the cause", s.name, d.dest.Bucket)
	c.Fix = fmt.Sprintf(
		"Check the name of the bucket. If it is right, the owner, account %s, has to ask AWS Support: AWS disables buckets, "+
			"for example of a suspended account.",
		accountOrB(d.accountB()),
	)
}
