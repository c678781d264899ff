package errtext

import (
	"cmp"
	"regexp"
	"strings"
)

var (
	reOperation = []*regexp.Regexp{
		regexp.MustCompile(`when calling the (\w+) operation`),
		regexp.MustCompile(`(?s)operation error [\w ]+: (\w+),`),
		regexp.MustCompile(`Error executing "(\w+)"`),
		regexp.MustCompile(`\b([A-Z]\w+) API responded with error`),
		regexp.MustCompile(`source: ([A-Z]\w+)Error \{ `),
	}
	reAction         = regexp.MustCompile(`\b(?:s3|kms|sts|iam|S3|KMS|STS|IAM)[:.](?:Client\.)?([A-Z]\w+)\b`)
	reFieldOperation = []*regexp.Regexp{regexp.MustCompile(`(?:operation|eventName)["']?\s*[:=]\s*["']?([A-Z][a-z]\w+)`)}
	reService        = []*regexp.Regexp{
		regexp.MustCompile(`operation error ([\w ]+): \w+,`),
		regexp.MustCompile(`\(Service: (?:Amazon|AWS)? ?([\w ]+?)[;,]`),
		regexp.MustCompile(`services?\.(s3|kms|sts|iam|securitytoken)\b`),
		regexp.MustCompile(`\bAmazon\.?(S3|KeyManagementService|SecurityToken)\b`),
	}
	reNearService = []*regexp.Regexp{
		regexp.MustCompile(`\b(s3|kms|sts|iam|S3|KMS|STS|IAM)[:.][A-Z]\w+\b`),
		regexp.MustCompile(`\b(s3|kms|sts|iam)[.-][\w.-]*amazonaws\.com`),
	}
)

// lastOperation prefers the innermost operation: an upload can fail in STS.
func lastOperation(s, near string) string {
	if all := reOperation[1].FindAllStringSubmatch(s, -1); len(all) > 0 {
		return all[len(all)-1][1]
	}
	return cmp.Or(first(reOperation, s), actionNear(near), first(reFieldOperation, s))
}

// actionNear returns the operation of an action, and no exception of a service.
func actionNear(near string) string {
	for _, m := range reAction.FindAllStringSubmatch(near, -1) {
		if !isKnownCode(m[1]) && !strings.HasSuffix(m[1], "Exception") && !strings.HasSuffix(m[1], "Error") {
			return m[1]
		}
	}
	return ""
}

// serviceOf prefers the service of the operation: a text names other services as well.
func serviceOf(e *Error, s, near string) string {
	if service, _, ok := strings.Cut(e.Denial.Action, ":"); ok {
		return service
	}
	if strings.HasPrefix(e.Code, "KMS.") {
		return "kms"
	}
	if service := serviceOfOperation[e.Operation]; service != "" {
		return service
	}
	name := ""
	if all := reService[0].FindAllStringSubmatch(s, -1); len(all) > 0 {
		name = all[len(all)-1][1]
	} else {
		name = cmp.Or(first(reService, s), first(reNearService, near))
	}
	switch name = strings.ToLower(strings.ReplaceAll(name, " ", "")); name {
	case "awskms", "keymanagementservice":
		return "kms"
	case "securitytoken", "awssecuritytokenservice", "securitytokenservice":
		return "sts"
	}
	return name
}

// serviceOfOperation names the service of operations that a delivery uses.
var serviceOfOperation = map[string]string{
	"PutObject": "s3", "GetObject": "s3", "HeadObject": "s3", "HeadBucket": "s3", "ListObjects": "s3",
	"ListObjectsV2": "s3", "ListBuckets": "s3",
	"CreateMultipartUpload": "s3", "UploadPart": "s3", "UploadPartCopy": "s3", "CompleteMultipartUpload": "s3", "AbortMultipartUpload": "s3",
	"CopyObject": "s3", "DeleteObject": "s3", "DeleteObjects": "s3", "PutBucketPolicy": "s3", "GetBucketPolicy": "s3", "PutBucketAcl": "s3",
	"PutObjectAcl": "s3", "CreateBucket": "s3", "GetBucketLocation": "s3", "PutBucketEncryption": "s3", "PutPublicAccessBlock": "s3",
	"GenerateDataKey": "kms", "Decrypt": "kms", "Encrypt": "kms", "DescribeKey": "kms", "CreateKey": "kms",
	"PutKeyPolicy": "kms", "CreateGrant": "kms",
	"AssumeRole": "sts", "AssumeRoleWithWebIdentity": "sts", "AssumeRoleWithSAML": "sts", "GetCallerIdentity": "sts", "GetSessionToken": "sts",
	"GetFederationToken": "sts", "CreateRole": "iam", "PutRolePolicy": "iam", "AttachRolePolicy": "iam",
	"GetRole": "iam", "UpdateAssumeRolePolicy": "iam",
}
