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

// step says what was being done when a call failed.
type step struct {
	name      string // "assuming the role"
	service   string // s3, sts or kms
	action    string // what a refusal without text refers to
	operation string // of the API: "s3:CreateMultipartUpload"
	id        stepID // of the question whose answer it is
	source    bool   // signed with the source credentials
}

// hostIDError is how S3's second id is seen.
type hostIDError interface {
	error
	ServiceHostID() string
}

// callEvidence is a call that was answered with err, or that was answered well.
func callEvidence(operation, text string, err error) report.Evidence {
	service, _, _ := strings.Cut(operation, ":")
	info := awserr.Classify(err, service)
	e := report.Evidence{Source: report.SourceProbe, Operation: operation, HTTPStatus: info.HTTPStatus, RequestID: info.RequestID, AWSCode: info.Code, Text: text}
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

// diagnose turns the error of a step into findings: what it is, where, and what
// repairs it. There is at least one; there are several when the documents show
// several faults behind one refusal.
func (d *diagnosis) diagnose(ctx context.Context, s step, err error) []finding {
	info := awserr.Classify(err, s.service)
	e := callEvidence(orText(s.operation, s.action), "", err)
	c := finding{Result: report.Fail, Operation: e.Operation, AWSCode: e.AWSCode, AWSMessage: e.AWSMessage, RequestID: e.RequestID, HostID: e.HostID, HTTPStatus: e.HTTPStatus, step: s.id}
	switch {
	case info.Class == awserr.AccessDenied && strings.Contains(e.AWSMessage, "headers present in the request which were not signed"):
		return []finding{d.tampered(c, s, "something on the way adds headers to requests that were signed")}
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
		c.Detail = fmt.Sprintf("%s: the signature is too old or too new: this host's clock is wrong", s.name)
		c.Fix = "Set the clock: check the NTP service of this host (`timedatectl status`, `chronyc tracking`)."
	case awserr.BadCredentials, awserr.ExpiredCredentials:
		d.credentialFailure(&c, s, info, err)
	case awserr.KeyState:
		d.keyState(&c, info.Code)
	case awserr.Region:
		d.otherRegion(&c, s, info)
	case awserr.NotFound:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeNoBucket, d.accountB(), report.ArtefactBucket, d.bucketARN()
		c.Detail = fmt.Sprintf("%s: there is no bucket %s", s.name, d.dest.Bucket)
		c.Fix = "Check the name; if the bucket was deleted, account " + accountOrB(d.accountB()) + " has to create it again."
	case awserr.Owner:
		d.ownerMismatch(&c)
	default:
		d.otherFailure(&c, s, err)
	}
	return []finding{c}
}

// undecided: the service neither allowed nor refused.
func (d *diagnosis) undecided(c *finding, s step, info awserr.Info) {
	c.Code, c.Result, c.Artefact = causeThrottled, report.Unknown, report.ArtefactService
	c.Detail = fmt.Sprintf("%s: the service did not decide (%s)", s.name, orText(info.Code, info.Message))
	c.Fix = "Run verify again; when it stays so, look at the status of the service in " + d.dest.Region + "."
	if strings.HasPrefix(info.Code, "KMS.") || s.service == "kms" {
		c.Code = causeKeyThrottled
		c.Fix = "Run verify again. S3 Bucket Keys make one call to KMS for many objects (`bucket_key: true`); the quota of KMS requests belongs to the account of the caller."
	}
}

func (d *diagnosis) otherRegion(c *finding, s step, info awserr.Info) {
	if s.service == "sts" {
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeAssumeInvalid, d.accountA(), report.ArtefactSession, d.dest.Role
		c.Detail = fmt.Sprintf("%s: STS is not active in %s for the account of the source", s.name, d.dest.Region)
		c.Fix = "Activate the Region for the account (IAM, account settings), or set `endpoints.sts` to a Region that is."
		return
	}
	c.Code, c.Account, c.Artefact, c.ArtefactARN = causeRegion, d.accountB(), report.ArtefactConfig, d.bucketARN()
	c.Detail = fmt.Sprintf("%s: S3 says that bucket %s is in %s and not in %s", s.name, d.dest.Bucket, orText(info.WantRegion, "another Region"), d.dest.Region)
	c.Fix = "Set `region` of the destination to the bucket's; its KMS key must be in that Region too."
}

func (d *diagnosis) tampered(c finding, s step, what string) finding {
	c.Code, c.Account, c.Artefact, c.Confidence = causeTampered, "", report.ArtefactNetwork, report.Strong
	c.Detail = fmt.Sprintf("%s: %s, so the signature no longer fits. No policy was asked", s.name, what)
	c.Fix = "Look for a proxy between this host and S3 that rewrites requests or adds headers, and take it out of the way: `proxy: none` in the destination, or NO_PROXY."
	return c
}

func (d *diagnosis) credentialFailure(c *finding, s step, info awserr.Info, err error) {
	c.Artefact, c.Account = report.ArtefactCredentials, awsarn.Account(d.source)
	if s.source || s.id == stepAssume && s.service == "sts" {
		if info.Code == "" {
			c.Code, c.Confidence = causeNoSource, report.Proven
			c.Detail = "there are no source credentials: " + rootCause(err)
			c.Fix = "Give the daemon an identity in account " + accountOrA(d.accountA()) + ": an instance or pod role, or `aws.credentials_file` and `aws.profile` in the configuration."
			return
		}
		c.Code = causeBadSource
		c.Detail = fmt.Sprintf("AWS does not accept the source credentials (%s)", info.Code)
		c.Fix = "Replace the source credentials: they are deleted, expired, of another partition, or their secret is wrong."
		return
	}
	if info.Code == "SignatureDoesNotMatch" {
		*c = d.tampered(*c, s, "STS accepted the session a moment ago, and "+strings.ToUpper(s.service)+" finds another signature than the one that was made: something on the way changes the request")
		return
	}
	c.Code, c.Artefact, c.Account = causeSession, report.ArtefactSession, d.accountA()
	c.Detail = fmt.Sprintf("%s: the session was rejected (%s) although STS issued it just now", s.name, info.Code)
	c.Fix = "Look for a proxy that rewrites requests, and check that the STS and the S3 endpoint belong to the same partition."
}

func accountOrA(account string) string {
	if account == "" {
		return "A"
	}
	return account
}

func (d *diagnosis) ownerMismatch(c *finding) {
	c.Code, c.Result, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeOwner, report.Fail, d.accountB(), report.ArtefactBucket, d.bucketARN(), report.Proven
	c.Detail = fmt.Sprintf("SECURITY: bucket %s exists and lets the role write, but it does not belong to account %s. Uploads are refused, so nothing was sent there", d.dest.Bucket, d.dest.Owner)
	c.Fix = "Find out who owns the bucket before anything else: a wrong `owner` in the configuration is harmless, a bucket that was deleted and created again by somebody else is not."
}

func (d *diagnosis) otherFailure(c *finding, s step, err error) {
	c.Code, c.Artefact = causeOther, report.ArtefactService
	c.Detail = fmt.Sprintf("%s: %s", s.name, orText(c.AWSMessage, rootCause(err)))
	c.Fix = "Read the service's message; the request id helps AWS support."
	switch {
	case c.AWSCode == "AccessControlListNotSupported":
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeACLRefused, d.accountB(), report.ArtefactOwnership, d.bucketARN()
		c.Detail = fmt.Sprintf("%s: the bucket enforces that its owner owns every object, and takes no ACL", s.name)
		c.Fix = "Take `acl` out of the destination: with BucketOwnerEnforced the owner needs none."
	case s.id == stepAssume && s.service == "sts" && (c.AWSCode == "PackedPolicyTooLarge" || c.AWSCode == "MalformedPolicyDocument"):
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causePacked, d.accountA(), report.ArtefactSessionPolicy, d.dest.Role
		c.Fix = "The session policy and the session's tags together are too large for STS, or malformed: shorten the prefix or the tags, or set `session: {scope: \"off\"}`."
	case s.id == stepAssume && s.service == "sts":
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeAssumeInvalid, d.accountA(), report.ArtefactSession, d.dest.Role
		c.Fix = "Correct `session` of the destination: its duration may not pass the role's maximum (1 hour when the source is itself a role session)."
	}
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (d *diagnosis) requesterPays(c finding) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeRequesterPays, d.accountB(), report.ArtefactBucket, d.bucketARN(), report.Proven
	c.Detail = "the bucket makes its requesters pay: S3 refuses every request that does not say that it will, and brokerd does not"
	account := d.account(d.accountB())
	c.Repair = report.Fix{
		Kind: report.FixSetting, Target: d.bucketARN(), Account: account, Owner: d.owner(report.ArtefactBucket, account),
		Text:    "Let the bucket's owner pay for its requests.",
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
	c.Evidence = append(c.Evidence, report.Evidence{Source: report.SourceHost, Operation: orText(info.NetworkOp, "connect"), Text: rootCause(err)})
	return c
}
