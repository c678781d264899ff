package iampolicy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// Put is an upload to S3 as far as policies see it.
type Put struct {
	// Request is the S3 request: principal, action (s3:PutObject for a single
	// put and for starting, feeding and completing a multipart upload), object
	// ARN, owner and context. Headers add their condition keys to the context.
	Request Request
	// Policies apply to the S3 call; those of the caller's account apply to the
	// KMS call too. Resource is the bucket policy.
	Policies          PolicySet
	PublicAccessBlock *PublicAccessBlock
	NotSupplied       []Layer

	// KeyARN is the KMS key the object is encrypted with; empty when none is used.
	KeyARN    string
	KeyPolicy *Document
	// KeyResourceControl are the RCPs over the key's account.
	KeyResourceControl []LevelPolicies
	KeyNotSupplied     bool
	// Multipart adds kms:Decrypt, which uploading parts needs.
	Multipart bool
	// BucketKey says that the bucket uses S3 Bucket Keys: the encryption
	// context then names the bucket, not the object.
	BucketKey bool

	// Headers that imply actions of their own.
	ACL              string            // x-amz-acl
	Grants           map[string]string // x-amz-grant-*
	Tags             map[string]string // x-amz-tagging
	ObjectLockMode   string            // x-amz-object-lock-mode
	LegalHold        string            // x-amz-object-lock-legal-hold
	BypassGovernance bool
}

// Scenarios expands an upload into every decision that AWS makes for it: the
// S3 action, the actions that headers imply, and the KMS calls that S3 makes on
// the caller's behalf. All of them have to be allowed. The forwarded calls
// carry the caller's identity and not its network
// (IAM User Guide, access_forward_access_sessions.html).
func (p *Put) Scenarios() ([]Scenario, error) {
	object, ok := awsarn.Split(p.Request.Resource)
	bucket, _, hasKey := strings.Cut(object.Resource, "/")
	if !ok || object.Service != "s3" || !hasKey {
		return nil, fmt.Errorf("expanding a put: %q is no object ARN", p.Request.Resource)
	}
	base := Scenario{Request: p.Request, Policies: p.Policies, PublicAccessBlock: p.PublicAccessBlock, NotSupplied: p.NotSupplied}
	if base.Request.Action == "" {
		base.Request.Action = "s3:PutObject"
	}
	headers := map[string][]string{}
	if p.ACL != "" {
		headers["s3:x-amz-acl"] = []string{p.ACL}
	}
	for k, v := range p.Grants {
		headers["s3:"+strings.ToLower(k)] = []string{v}
	}
	for k, v := range p.Tags {
		headers["s3:RequestObjectTag/"+k] = []string{v}
		headers["s3:RequestObjectTagKeys"] = append(headers["s3:RequestObjectTagKeys"], k)
	}
	if p.ObjectLockMode != "" {
		headers["s3:object-lock-mode"] = []string{p.ObjectLockMode}
	}
	if p.LegalHold != "" {
		headers["s3:object-lock-legal-hold"] = []string{p.LegalHold}
	}
	base.Request.Context = withKeys(base.Request.Context, headers)
	out := []Scenario{base}
	for _, action := range p.impliedActions() {
		sc := base
		sc.Request.Action = action
		out = append(out, sc)
	}
	if p.KeyARN == "" {
		return named(out), nil
	}
	key, ok := awsarn.Split(p.KeyARN)
	if !ok || key.Service != "kms" {
		return nil, errors.New("expanding a put: the key is no KMS ARN; an alias or a bare id resolves in the caller's account")
	}
	encryptionContext := p.Request.Resource
	if p.BucketKey {
		encryptionContext = awsarn.Bucket(object.Partition, bucket)
	}
	actions := []string{"kms:GenerateDataKey"}
	if p.Multipart {
		actions = append(actions, "kms:Decrypt")
	}
	for _, action := range actions {
		out = append(out, p.keyScenario(action, key, encryptionContext))
	}
	return named(out), nil
}

func named(list []Scenario) []Scenario {
	for i := range list {
		list[i].Name = list[i].Request.Action
	}
	return list
}

// impliedActions lists what headers ask for besides the put itself.
func (p *Put) impliedActions() []string {
	var out []string
	if p.ACL != "" || len(p.Grants) > 0 {
		out = append(out, "s3:PutObjectAcl")
	}
	if len(p.Tags) > 0 {
		out = append(out, "s3:PutObjectTagging")
	}
	if p.ObjectLockMode != "" {
		out = append(out, "s3:PutObjectRetention")
	}
	if p.LegalHold != "" {
		out = append(out, "s3:PutObjectLegalHold")
	}
	if p.BypassGovernance {
		out = append(out, "s3:BypassGovernanceRetention")
	}
	return out
}

func (p *Put) keyScenario(action string, key awsarn.ARN, encryptionContext string) Scenario {
	sc := Scenario{Request: p.Request, Policies: p.Policies}
	sc.Request.Action, sc.Request.Resource, sc.Request.ResourceAccount = action, p.KeyARN, key.Account
	sc.Policies.Resource, sc.Policies.ResourceControl, sc.Policies.VPCEndpoint = p.KeyPolicy, p.KeyResourceControl, nil
	for _, l := range p.NotSupplied {
		if l != LayerResource && l != LayerRCP && l != LayerVPCEndpoint && l != LayerPublicAccess {
			sc.NotSupplied = append(sc.NotSupplied, l)
		}
	}
	if p.KeyNotSupplied {
		sc.NotSupplied = append(sc.NotSupplied, LayerResource)
	}
	suffix := ""
	if key.Partition == "aws-cn" {
		suffix = ".cn"
	}
	forwarded := map[string][]string{
		"aws:ViaAWSService":                {"true"},
		"aws:CalledVia":                    {"s3.amazonaws.com"},
		"aws:CalledViaFirst":               {"s3.amazonaws.com"},
		"aws:CalledViaLast":                {"s3.amazonaws.com"},
		"kms:ViaService":                   {"s3." + key.Region + ".amazonaws.com" + suffix},
		"kms:EncryptionContext:aws:s3:arn": {encryptionContext},
		"kms:EncryptionContextKeys":        {"aws:s3:arn"},
		"kms:EncryptionAlgorithm":          {"SYMMETRIC_DEFAULT"},
		"aws:RequestedRegion":              {key.Region},
		"aws:SecureTransport":              {"true"},
	}
	// The keys of the principal go along; those of the network and the headers do not.
	for k, v := range p.Request.Context {
		switch lower := strings.ToLower(k); {
		case strings.HasPrefix(lower, "aws:principal"), lower == "aws:userid", lower == "aws:username", lower == "aws:sourceidentity",
			lower == "aws:currenttime", lower == "aws:epochtime", lower == "aws:federatedprovider", lower == "aws:tokenissuetime":
			forwarded[k] = v
		}
	}
	sc.Request.Context = forwarded
	sc.Request.UnknownContext = nil
	return sc
}
