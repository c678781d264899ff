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
func (p *probe) callEvidence(operation, text string, err error) report.Evidence {
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
func (p *probe) diagnose(ctx context.Context, s step, err error) []finding {
	info := awserr.Classify(err, s.service)
	e := p.callEvidence(orText(s.operation, s.action), "", err)
	c := finding{Result: report.Fail, Operation: e.Operation, AWSCode: e.AWSCode, AWSMessage: e.AWSMessage, RequestID: e.RequestID, HostID: e.HostID, HTTPStatus: e.HTTPStatus, step: s.id}
	switch {
	case info.Class == awserr.AccessDenied && strings.Contains(e.AWSMessage, "headers present in the request which were not signed"):
		return []finding{p.tampered(c, s, "something on the way adds headers to requests that were signed")}
	case info.Class == awserr.AccessDenied && isWebIdentity(info):
		return []finding{p.webIdentity(c, s)}
	case info.Class == awserr.AccessDenied:
		return p.denied(ctx, c, s, info)
	}
	switch info.Class {
	case awserr.Network, awserr.Canceled:
		c = p.networkFailure(c, s, info, err)
	case awserr.Throttle, awserr.Transient, awserr.Conflict:
		p.undecided(&c, s, info)
	case awserr.ClockSkew:
		c.Code, c.Artefact = causeClock, report.ArtefactClock
		c.Detail = fmt.Sprintf("%s: the signature is too old or too new: this host's clock is wrong", s.name)
		c.Fix = "Set the clock: check the NTP service of this host (`timedatectl status`, `chronyc tracking`)."
	case awserr.BadCredentials, awserr.ExpiredCredentials:
		p.credentialFailure(&c, s, info, err)
	case awserr.KeyState:
		p.keyState(&c, info.Code)
	case awserr.Region:
		p.otherRegion(&c, s, info)
	case awserr.NotFound:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeNoBucket, p.accountB(), report.ArtefactBucket, p.bucketARN()
		c.Detail = fmt.Sprintf("%s: there is no bucket %s", s.name, p.dest.Bucket)
		c.Fix = "Check the name; if the bucket was deleted, account " + orUnknown(p.accountB()) + " has to create it again."
	case awserr.Owner:
		p.ownerMismatch(&c)
	default:
		p.otherFailure(&c, s, err)
	}
	return []finding{c}
}

// undecided: the service neither allowed nor refused.
func (p *probe) undecided(c *finding, s step, info awserr.Info) {
	c.Code, c.Result, c.Artefact = causeThrottled, report.Unknown, report.ArtefactService
	c.Detail = fmt.Sprintf("%s: the service did not decide (%s)", s.name, orText(info.Code, info.Message))
	c.Fix = "Run verify again; when it stays so, look at the status of the service in " + p.dest.Region + "."
	if strings.HasPrefix(info.Code, "KMS.") || s.service == "kms" {
		c.Code = causeKeyThrottled
		c.Fix = "Run verify again. S3 Bucket Keys make one call to KMS for many objects (`bucket_key: true`); the quota of KMS requests belongs to the account of the caller."
	}
}

func (p *probe) otherRegion(c *finding, s step, info awserr.Info) {
	if s.service == "sts" {
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeAssumeInvalid, p.accountA(), report.ArtefactSession, p.dest.Role
		c.Detail = fmt.Sprintf("%s: STS is not active in %s for the account of the source", s.name, p.dest.Region)
		c.Fix = "Activate the Region for the account (IAM, account settings), or set `endpoints.sts` to a Region that is."
		return
	}
	c.Code, c.Account, c.Artefact, c.ArtefactARN = causeRegion, p.accountB(), report.ArtefactConfig, p.bucketARN()
	c.Detail = fmt.Sprintf("%s: S3 says that bucket %s is in %s and not in %s", s.name, p.dest.Bucket, orText(info.WantRegion, "another Region"), p.dest.Region)
	c.Fix = "Set `region` of the destination to the bucket's; its KMS key must be in that Region too."
}

func (p *probe) tampered(c finding, s step, what string) finding {
	c.Code, c.Account, c.Artefact, c.Confidence = causeTampered, "", report.ArtefactNetwork, report.Strong
	c.Detail = fmt.Sprintf("%s: %s, so the signature no longer fits. No policy was asked", s.name, what)
	c.Fix = "Look for a proxy between this host and S3 that rewrites requests or adds headers, and take it out of the way: `proxy: none` in the destination, or NO_PROXY."
	return c
}

func (p *probe) credentialFailure(c *finding, s step, info awserr.Info, err error) {
	c.Artefact, c.Account = report.ArtefactCredentials, awsarn.Account(p.source)
	if s.source || s.id == stepAssume && s.service == "sts" {
		if info.Code == "" {
			c.Code, c.Confidence = causeNoSource, report.Proven
			c.Detail = "there are no source credentials: " + rootCause(err)
			c.Fix = "Give the daemon an identity in account " + orA(p.accountA()) + ": an instance or pod role, or `aws.credentials_file` and `aws.profile` in the configuration."
			return
		}
		c.Code = causeBadSource
		c.Detail = fmt.Sprintf("AWS does not accept the source credentials (%s)", info.Code)
		c.Fix = "Replace the source credentials: they are deleted, expired, of another partition, or their secret is wrong."
		return
	}
	if info.Code == "SignatureDoesNotMatch" {
		*c = p.tampered(*c, s, "STS accepted the session a moment ago, and "+strings.ToUpper(s.service)+" finds another signature than the one that was made: something on the way changes the request")
		return
	}
	c.Code, c.Artefact, c.Account = causeSession, report.ArtefactSession, p.accountA()
	c.Detail = fmt.Sprintf("%s: the session was rejected (%s) although STS issued it just now", s.name, info.Code)
	c.Fix = "Look for a proxy that rewrites requests, and check that the STS and the S3 endpoint belong to the same partition."
}

func orA(account string) string {
	if account == "" {
		return "A"
	}
	return account
}

func (p *probe) ownerMismatch(c *finding) {
	c.Code, c.Result, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeOwner, report.Fail, p.accountB(), report.ArtefactBucket, p.bucketARN(), report.Proven
	c.Detail = fmt.Sprintf("SECURITY: bucket %s exists and lets the role write, but it does not belong to account %s. Uploads are refused, so nothing was sent there", p.dest.Bucket, p.dest.Owner)
	c.Fix = "Find out who owns the bucket before anything else: a wrong `owner` in the configuration is harmless, a bucket that was deleted and created again by somebody else is not."
}

func (p *probe) otherFailure(c *finding, s step, err error) {
	c.Code, c.Artefact = causeOther, report.ArtefactService
	c.Detail = fmt.Sprintf("%s: %s", s.name, orText(c.AWSMessage, rootCause(err)))
	c.Fix = "Read the service's message; the request id helps AWS support."
	switch {
	case c.AWSCode == "AccessControlListNotSupported":
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeACLRefused, p.accountB(), report.ArtefactOwnership, p.bucketARN()
		c.Detail = fmt.Sprintf("%s: the bucket enforces that its owner owns every object, and takes no ACL", s.name)
		c.Fix = "Take `acl` out of the destination: with BucketOwnerEnforced the owner needs none."
	case s.id == stepAssume && s.service == "sts" && (c.AWSCode == "PackedPolicyTooLarge" || c.AWSCode == "MalformedPolicyDocument"):
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causePacked, p.accountA(), report.ArtefactSessionPolicy, p.dest.Role
		c.Fix = "The session policy and the session's tags together are too large for STS, or malformed: shorten the prefix or the tags, or set `session: {scope: \"off\"}`."
	case s.id == stepAssume && s.service == "sts":
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeAssumeInvalid, p.accountA(), report.ArtefactSession, p.dest.Role
		c.Fix = "Correct `session` of the destination: its duration may not pass the role's maximum (1 hour when the source is itself a role session)."
	}
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
