package verify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// arrangement names the parties of a destination: both accounts, the role, the
// source identity, the bucket and the key. It makes no call.
type arrangement struct {
	dest     *config.Destination
	key      string   // object key of the probe
	scope    string   // session policy that brokerd sends; empty: none
	source   string   // ARN of the source identity, once STS has named it
	noSource string   // why the source has no ARN: a web identity
	token    webToken // of a web identity
	assumed  string   // ARN of the role session, once STS has named it
}

// accountA returns the account of the role.
func (a *arrangement) accountA() string { return awsarn.Account(a.dest.Role) }

// accountB returns the account of the bucket and the key.
func (a *arrangement) accountB() string {
	if a.dest.Owner != "" {
		return a.dest.Owner
	}
	return awsarn.Account(a.dest.KMSKey)
}

func (a *arrangement) partition() string {
	for _, s := range []string{a.dest.Role, a.dest.KMSKey} {
		if a, err := awsarn.Parse(s); err == nil {
			return a.Partition
		}
	}
	return "aws"
}

func (a *arrangement) bucketARN() string { return "arn:" + a.partition() + ":s3:::" + a.dest.Bucket }

func (a *arrangement) objectARN() string { return a.bucketARN() + "/" + a.key }

// sessionARN returns the ARN of the role session in policies.
func (a *arrangement) sessionARN() string {
	if a.assumed != "" {
		return a.assumed
	}
	name := a.dest.Session.Name
	if name == "" {
		name = "brokerd-" + a.dest.Name
	}
	return "arn:" + a.partition() + ":sts::" + a.accountA() + ":assumed-role/" + roleName(a.dest.Role) + "/" + name
}

func (a *arrangement) sessionName() string {
	arn := a.sessionARN()
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// bucketKey reports whether S3 uses a Bucket Key, which decides the encryption
// context that KMS sees.
func (a *arrangement) bucketKey() bool { return a.dest.BucketKey == nil || *a.dest.BucketKey }

// owner names the people who can apply a change to a kind of artefact.
func (a *arrangement) owner(kind string, account report.Account) string {
	who := "an administrator of account " + account.ID
	switch kind {
	case report.ArtefactSCP, report.ArtefactRCP:
		who = "an administrator of the organization of account " + account.ID
	case report.ArtefactConfig, report.ArtefactNetwork, report.ArtefactClock, report.ArtefactCredentials, report.ArtefactSession:
		return "the operator of this host"
	case report.ArtefactIdentityBucket, report.ArtefactIdentityKey, report.ArtefactUnseen:
		return fmt.Sprintf("administrators of account %s (A) and account %s (B)", accountOrA(a.accountA()), accountOrB(a.accountB()))
	}
	if account.ID == "" {
		return ""
	}
	if account.Side != "" {
		who += " (" + string(account.Side) + ")"
	}
	return who
}

func (a *arrangement) objectsARN() string {
	prefix := ""
	if a.dest.KeyTemplate != nil {
		prefix = a.dest.KeyTemplate.Prefix()
	}
	return a.bucketARN() + "/" + prefix + "*"
}

// target returns the ARN of the resource that a kind of document is attached to.
func (a *arrangement) target(kind string) string {
	switch kind {
	case report.ArtefactBucketPolicy, report.ArtefactIdentityBucket:
		return a.bucketARN()
	case report.ArtefactKeyPolicy, report.ArtefactIdentityKey:
		return a.dest.KMSKey
	case report.ArtefactSourcePolicy:
		return awsarn.Role(a.source)
	}
	return a.dest.Role
}

func (a *arrangement) accountOfKind(kind string) report.Account {
	switch kind {
	case report.ArtefactBucketPolicy,
		report.ArtefactKeyPolicy,
		report.ArtefactRCP,
		report.ArtefactIdentityBucket,
		report.ArtefactIdentityKey,
		report.ArtefactPublicAccess,
		report.ArtefactEncryption,
		report.ArtefactOwnership:
		return a.account(a.accountB())
	case report.ArtefactSourcePolicy:
		return a.account(awsarn.Account(a.source))
	}
	return a.account(a.accountA())
}

// account adds its side to an account.
func (a *arrangement) account(id string) report.Account {
	switch {
	case id == "":
		return report.Account{}
	case id == a.accountB() && id != a.accountA():
		return report.Account{ID: id, Side: report.SideB}
	}
	return report.Account{ID: id, Side: report.SideA}
}

// createInput returns the request that starts an upload of the destination.
func (a *arrangement) createInput() *s3.CreateMultipartUploadInput {
	in := &s3.CreateMultipartUploadInput{
		Bucket: aws.String(a.dest.Bucket), Key: aws.String(a.key),
		ContentType:       aws.String("application/octet-stream"),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		ChecksumType:      types.ChecksumTypeFullObject,
	}
	if a.dest.Owner != "" {
		in.ExpectedBucketOwner = aws.String(a.dest.Owner)
	}
	if a.dest.KMSKey != "" {
		in.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		in.SSEKMSKeyId = aws.String(a.dest.KMSKey)
		in.BucketKeyEnabled = aws.Bool(a.bucketKey())
		if len(a.dest.EncryptionContext) > 0 {
			if text, err := json.Marshal(a.dest.EncryptionContext); err == nil {
				in.SSEKMSEncryptionContext = aws.String(base64.StdEncoding.EncodeToString(text))
			}
		}
	}
	in.StorageClass, in.ACL = types.StorageClass(a.dest.StorageClass), types.ObjectCannedACL(a.dest.ACL)
	if len(a.dest.Tags) > 0 {
		tags := url.Values{}
		for k, v := range a.dest.Tags {
			tags.Set(k, v)
		}
		in.Tagging = aws.String(tags.Encode())
	}
	return in
}

func (a *arrangement) expectedOwner() *string {
	if a.dest.Owner == "" {
		return nil
	}
	return aws.String(a.dest.Owner)
}

func (a *arrangement) providerARN() string {
	return "arn:" + a.partition() + ":iam::" + a.accountA() + ":oidc-provider/" + a.token.provider()
}

// callerOf returns the ARN of the caller, with a role in place of a session.
func (a *arrangement) callerOf(sc iampolicy.Scenario) string {
	if strings.HasPrefix(sc.Request.Action, "sts:") {
		return awsarn.Role(sc.Request.Principal)
	}
	return a.dest.Role
}

// roleName returns the name of the role in the ARN of a role or of a role session.
func roleName(arn string) string {
	a, err := awsarn.Parse(arn)
	if err != nil {
		return ""
	}
	parts := strings.Split(a.Resource, "/")
	switch {
	case parts[0] == "role":
		return parts[len(parts)-1]
	case parts[0] == "assumed-role" && len(parts) == 3:
		return parts[1]
	}
	return ""
}
