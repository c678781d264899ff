package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/awserr"
)

// step says what was being done when a call failed.
type step struct {
	name    string // "assuming the role"
	service string // s3 or sts
	action  string // what a refusal without text refers to
	source  bool   // signed with the source credentials
	create  bool   // CreateMultipartUpload
	part    bool   // UploadPart
}

// diagnose turns the error of a step into a check: what it is, where, and what repairs it.
func (p *probe) diagnose(ctx context.Context, s step, err error) finding {
	info := awserr.Classify(err, s.service)
	c := finding{Result: Fail, AWSCode: info.Code, RequestID: info.RequestID}
	var api smithy.APIError
	if errors.As(err, &api) {
		c.AWSMessage = api.ErrorMessage()
	}
	switch info.Class {
	case awserr.Network, awserr.Canceled:
		return p.networkFailure(c, s, info, err)
	case awserr.Throttle, awserr.Transient, awserr.Conflict:
		c.Code, c.Result, c.Artefact = causeThrottled, Unknown, ArtefactService
		c.Detail = fmt.Sprintf("%s: the service did not decide (%s)", s.name, orText(info.Code, info.Message))
		c.Fix = "Run verify again; when it stays so, look at the status of the service in " + p.dest.Region + "."
	case awserr.ClockSkew:
		c.Code, c.Artefact = causeClock, ArtefactClock
		c.Detail = fmt.Sprintf("%s: the signature is too old or too new: this host's clock is wrong", s.name)
		c.Fix = "Set the clock: check the NTP service of this host (`timedatectl status`, `chronyc tracking`)."
	case awserr.BadCredentials, awserr.ExpiredCredentials:
		p.credentialFailure(&c, s, info, err)
	case awserr.AccessDenied:
		return p.denied(ctx, c, s, info)
	case awserr.KeyState:
		p.keyState(&c, info)
	case awserr.Region:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeRegion, p.accountB(), ArtefactConfig, p.bucketARN()
		c.Detail = fmt.Sprintf("%s: S3 says that bucket %s is in another Region than %s", s.name, p.dest.Bucket, p.dest.Region)
		c.Fix = "Set `region` of the destination to the bucket's; its KMS key must be in that Region too."
	case awserr.NotFound:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeNoBucket, p.accountB(), ArtefactBucket, p.bucketARN()
		c.Detail = fmt.Sprintf("%s: there is no bucket %s", s.name, p.dest.Bucket)
		c.Fix = "Check the name; if the bucket was deleted, account " + orUnknown(p.accountB()) + " has to create it again."
	case awserr.Owner:
		p.ownerMismatch(&c)
	default:
		p.otherFailure(&c, s, err)
	}
	return c
}

func (p *probe) networkFailure(c finding, s step, info awserr.Info, err error) finding {
	endpoint := info.Endpoint
	if endpoint == "" {
		endpoint = p.endpointOf(s.service)
	}
	c.Code, c.Artefact = causeNetwork, ArtefactNetwork
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
	return c
}

func (p *probe) endpointOf(service string) string {
	url := p.s3URL
	if service == "sts" {
		url = p.stsURL
	}
	if url == "" {
		url = fmt.Sprintf("the %s endpoint of %s", service, p.dest.Region)
	}
	return url
}

// rootCause is the innermost error: the SDK's wrapping repeats what the check says already.
func rootCause(err error) string {
	for {
		switch e := err.(type) { //nolint:errorlint // walking the chain by hand
		case interface{ Unwrap() error }:
			next := e.Unwrap()
			if next == nil {
				return err.Error()
			}
			err = next
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) == 0 {
				return err.Error()
			}
			err = all[0]
		default:
			return err.Error()
		}
	}
}

func (p *probe) credentialFailure(c *finding, s step, info awserr.Info, err error) {
	c.Artefact, c.Account = ArtefactCredentials, accountOf(p.source)
	if s.source || s.action == "sts:AssumeRole" {
		if info.Code == "" {
			c.Code = causeNoSource
			c.Detail = "there are no source credentials: " + rootCause(err)
			c.Fix = "Give the daemon an identity in account " + orA(p.accountA()) + ": an instance or pod role, or `aws.credentials_file` and `aws.profile` in the configuration."
			return
		}
		c.Code = causeBadSource
		c.Detail = fmt.Sprintf("AWS does not accept the source credentials (%s)", info.Code)
		c.Fix = "Replace the source credentials: they are deleted, expired, of another partition, or their secret is wrong."
		return
	}
	c.Code, c.Artefact, c.Account = causeSession, ArtefactSession, p.accountA()
	c.Detail = fmt.Sprintf("%s: the session was rejected (%s) although STS issued it just now", s.name, info.Code)
	c.Fix = "Look for a proxy that rewrites requests, and check that the STS and the S3 endpoint belong to the same partition."
}

func orA(account string) string {
	if account == "" {
		return "A"
	}
	return account
}

// keyState is about the key itself: no policy edit repairs it.
func (p *probe) keyState(c *finding, info awserr.Info) {
	c.Account, c.Artefact, c.ArtefactARN = p.accountB(), ArtefactKeyState, p.dest.KMSKey
	owner := orUnknown(p.accountB())
	switch info.Code {
	case "KMS.DisabledException", "DisabledException":
		c.Code, c.Detail = causeKeyDisabled, "the key is disabled"
		c.Fix = fmt.Sprintf("In account %s: `aws kms enable-key --region %s --key-id %s`.", owner, p.dest.Region, p.dest.KMSKey)
	case "KMS.KMSInvalidStateException", "KMSInvalidStateException":
		c.Code, c.Detail = causeKeyPending, "the key is in a state in which it cannot be used (pending deletion or import)"
		c.Fix = fmt.Sprintf("In account %s: `aws kms describe-key` shows the state; `aws kms cancel-key-deletion` and `aws kms enable-key` bring a key back that is pending deletion.", owner)
	case "KMS.NotFoundException", "NotFoundException":
		c.Code, c.Detail = causeKeyNotFound, "KMS knows no such key in "+p.dest.Region
		c.Fix = "Correct `kms_key`: it must be the full ARN of a key in the bucket's Region."
	default:
		c.Code, c.Detail = causeKeyUnusable, "the key cannot be used for this"
		c.Fix = "Use a symmetric encryption key (KeySpec SYMMETRIC_DEFAULT, KeyUsage ENCRYPT_DECRYPT)."
	}
	if c.AWSMessage != "" {
		c.Detail += ": " + c.AWSMessage
	}
}

func (p *probe) ownerMismatch(c *finding) {
	c.Code, c.Result, c.Account, c.Artefact, c.ArtefactARN = causeOwner, Fail, p.accountB(), ArtefactBucket, p.bucketARN()
	c.Detail = fmt.Sprintf("SECURITY: bucket %s exists and lets the role write, but it does not belong to account %s. Uploads are refused, so nothing was sent there", p.dest.Bucket, p.dest.Owner)
	c.Fix = "Find out who owns the bucket before anything else: a wrong `owner` in the configuration is harmless, a bucket that was deleted and created again by somebody else is not."
}

func (p *probe) otherFailure(c *finding, s step, err error) {
	c.Code, c.Artefact = causeOther, ArtefactService
	c.Detail = fmt.Sprintf("%s: %s", s.name, orText(c.AWSMessage, rootCause(err)))
	c.Fix = "Read the service's message; the request id helps AWS support."
	if s.action == "sts:AssumeRole" {
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeAssumeInvalid, p.accountA(), ArtefactSession, p.dest.Role
		c.Fix = "Correct `session` of the destination: its duration may not pass the role's maximum (1 hour when the source is itself a role session)."
	}
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
