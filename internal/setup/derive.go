package setup

import (
	"strings"

	"github.com/brokerd/brokerd/internal/config"
)

// deriver writes the statements of one destination.
type deriver struct {
	dest      *config.Destination
	partition string
	bucket    string // ARN
	objects   string // ARN pattern: the bucket below the destination's prefix
}

// viaS3 is the value of kms:ViaService. Other partitions have their own domains;
// their forms are not verified on real AWS.
func (d deriver) viaS3() string {
	suffix := map[string]string{
		"aws-cn": "amazonaws.com.cn", "aws-iso": "c2s.ic.gov", "aws-iso-b": "sc2s.sgov.gov",
	}[d.partition]
	if suffix == "" {
		suffix = "amazonaws.com"
	}
	return "s3." + d.dest.Region + "." + suffix
}

func (d deriver) trust(source string) []statement {
	s := statement{
		Sid: SidAssume, Effect: "Allow",
		Principal: map[string]string{"AWS": source},
		Action:    "sts:AssumeRole",
	}
	actions := []string{"sts:AssumeRole"}
	if len(d.dest.Session.Tags)+len(d.dest.Session.Peer.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if d.dest.Session.SourceIdentity != "" || d.dest.Session.Peer.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	if len(actions) > 1 {
		s.Action = actions
	}
	if id := d.dest.Session.ExternalID; id != "" {
		s.Condition = map[string]map[string]string{"StringEquals": {"sts:ExternalId": id}}
	}
	return []statement{s}
}

// No kms:Encrypt: S3 never calls it for an upload. Decrypt is what
// UploadPart needs; without s3:GetObject it reads nothing.
var keyActions = []string{"kms:GenerateDataKey", "kms:Decrypt"}

func (d deriver) identity() []statement {
	return []statement{
		{Sid: SidWrite, Effect: "Allow", Action: d.dest.WriteActions(), Resource: d.objects},
		{
			Sid: SidEncrypt, Effect: "Allow", Action: keyActions, Resource: d.dest.KMSKey,
			Condition: map[string]map[string]string{"StringEquals": {"kms:ViaService": d.viaS3()}},
		},
	}
}

// bucketPolicy denies encryption headers that are present and wrong, and lets
// their absence pass: UploadPart and CompleteMultipartUpload are authorised as
// s3:PutObject too and carry none. A negated operator matches an absent key, with
// or without ...IfExists, so presence is asked for with Null. A PutObject without
// the headers falls under the bucket's default encryption. How AWS evaluates the
// plain form for parts is contested; not verified on real AWS.
//
// The denies cover the destination's prefix only: other writers of the bucket
// keep their own rules. The exception is plain HTTP, which is refused for all.
func (d deriver) bucketPolicy() []statement {
	everybody := map[string]string{"AWS": "*"}
	return []statement{
		{
			Sid: SidBucketWrite, Effect: "Allow",
			Principal: map[string]string{"AWS": d.dest.Role},
			Action:    d.dest.WriteActions(), Resource: d.objects,
		},
		{
			Sid: SidDenyPlainHTTP, Effect: "Deny", Principal: everybody, Action: "s3:*",
			Resource:  []string{d.bucket, d.bucket + "/*"},
			Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
		},
		{
			Sid: SidDenyNoKMS, Effect: "Deny", Principal: everybody, Action: "s3:PutObject", Resource: d.objects,
			Condition: map[string]map[string]string{"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}, "Null": {"s3:x-amz-server-side-encryption": "false"}},
		},
		{
			Sid: SidDenyOtherKey, Effect: "Deny", Principal: everybody, Action: "s3:PutObject", Resource: d.objects,
			Condition: map[string]map[string]string{"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": d.dest.KMSKey}, "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"}},
		},
	}
}

// keyPolicy keeps the statement that lets account B administer its key; without
// it nobody could ever change the policy again.
func (d deriver) keyPolicy() []statement {
	condition := map[string]string{"kms:ViaService": d.viaS3()}
	// With bucket keys the encryption context is the bucket's ARN; without them
	// it is the object's, which StringEquals cannot express.
	if d.dest.BucketKey == nil || *d.dest.BucketKey {
		condition["kms:EncryptionContext:aws:s3:arn"] = d.bucket
	}
	root := strings.Join([]string{"arn", d.partition, "iam", "", d.dest.Owner, "root"}, ":")
	return []statement{
		{Sid: SidKeyAdmin, Effect: "Allow", Principal: map[string]string{"AWS": root}, Action: "kms:*", Resource: "*"},
		{
			Sid: SidKeyUse, Effect: "Allow",
			Principal: map[string]string{"AWS": d.dest.Role},
			Action:    keyActions, Resource: "*",
			Condition: map[string]map[string]string{"StringEquals": condition},
		},
	}
}
