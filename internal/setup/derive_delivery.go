package setup

import (
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// part writes the statements of one destination.
type part struct {
	dest      *config.Destination
	setup     config.Setup
	partition string
	bucket    string // ARN
	objects   string // ARN pattern: the bucket below the destination's prefix
	sid       string
}

func (p part) bucketKey() bool { return p.dest.BucketKey == nil || *p.dest.BucketKey }

// viaS3 is the value of kms:ViaService. Other partitions have their own domains;
// their forms are not verified on real AWS.
func (p part) viaS3() string {
	suffix := map[string]string{
		"aws-cn": "amazonaws.com.cn", "aws-iso": "c2s.ic.gov", "aws-iso-b": "sc2s.sgov.gov",
	}[p.partition]
	if suffix == "" {
		suffix = "amazonaws.com"
	}
	return "s3." + p.dest.Region + "." + suffix
}

// keyActions has no kms:Encrypt: S3 never calls it for an upload. Decrypt is what
// UploadPart needs; without s3:GetObject it reads nothing.
func keyActions() policytext.StringList {
	return policytext.StringList{"kms:GenerateDataKey", "kms:Decrypt"}
}

func (p part) write() Statement {
	return Statement{Effect: "Allow", Action: p.dest.WriteActions(), Resource: policytext.StringList{p.objects}}
}

func (p part) encrypt() Statement {
	return Statement{
		Effect: "Allow", Action: keyActions(), Resource: policytext.StringList{p.dest.KMSKey},
		Condition: map[string]map[string]policytext.StringList{"StringEquals": {"kms:ViaService": {p.viaS3()}}},
	}
}

// The bucket policy denies encryption headers that are present and wrong, and lets
// their absence pass: UploadPart and CompleteMultipartUpload are authorised as
// s3:PutObject too and carry none. A negated operator matches an absent key, with
// or without ...IfExists, so presence is asked for with Null. A PutObject without
// the headers falls under the bucket's default encryption. How AWS evaluates the
// plain form for parts is contested; not verified on real AWS.
//
// The denies cover the destinations' prefixes only: other writers of the bucket
// keep their own rules. The exception is plain HTTP, which is refused for all.
func (p part) bucketWrite() Statement {
	return Statement{
		Effect: "Allow", Principal: map[string]policytext.StringList{"AWS": {p.dest.Role}},
		Action: p.dest.WriteActions(), Resource: policytext.StringList{p.objects},
	}
}

func everybody() map[string]policytext.StringList {
	return map[string]policytext.StringList{"AWS": {"*"}}
}

func (p part) denyPlainHTTP() Statement {
	return Statement{
		Effect: "Deny", Principal: everybody(), Action: policytext.StringList{"s3:*"}, Resource: policytext.StringList{p.bucket, p.bucket + "/*"},
		Condition: map[string]map[string]policytext.StringList{"Bool": {"aws:SecureTransport": {"false"}}},
	}
}

func (p part) denyNoKMS() Statement {
	const header = "s3:x-amz-server-side-encryption"
	return Statement{
		Effect: "Deny", Principal: everybody(), Action: policytext.StringList{"s3:PutObject"}, Resource: policytext.StringList{p.objects},
		Condition: map[string]map[string]policytext.StringList{"StringNotEquals": {header: {"aws:kms"}}, "Null": {header: {"false"}}},
	}
}

func (p part) denyOtherKey() Statement {
	const header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
	return Statement{
		Effect: "Deny", Principal: everybody(), Action: policytext.StringList{"s3:PutObject"}, Resource: policytext.StringList{p.objects},
		Condition: map[string]map[string]policytext.StringList{"StringNotEquals": {header: {p.dest.KMSKey}}, "Null": {header: {"false"}}},
	}
}

// keyAdmin lets account B administer its key. Without it no principal could ever
// change the policy again.
func (p part) keyAdmin() Statement {
	root := strings.Join([]string{"arn", p.partition, "iam", "", p.dest.Owner, "root"}, ":")
	return Statement{
		Effect:    "Allow",
		Principal: map[string]policytext.StringList{"AWS": {root}},
		Action:    policytext.StringList{"kms:*"},
		Resource:  policytext.StringList{"*"},
	}
}

// keyUse limits the key to what S3 does with it for this bucket. With bucket keys
// the encryption context is the bucket's ARN, without them the object's.
func (p part) keyUse() Statement {
	const context = "kms:EncryptionContext:aws:s3:arn"
	s := Statement{
		Effect: "Allow", Principal: map[string]policytext.StringList{"AWS": {p.dest.Role}}, Action: keyActions(),
		Resource:  policytext.StringList{"*"},
		Condition: map[string]map[string]policytext.StringList{"StringEquals": {"kms:ViaService": {p.viaS3()}}},
	}
	if p.bucketKey() {
		s.Condition["StringEquals"][context] = policytext.StringList{p.bucket}
	} else {
		s.Condition["StringLike"] = map[string]policytext.StringList{context: {p.objects}}
	}
	return s
}
