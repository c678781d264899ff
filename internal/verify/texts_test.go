package verify_test

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// What AWS says about layers that the sandbox does not have, in AWS's documented words.
func TestTheTextsOfAWSLeadToTheLayer(t *testing.T) {
	const (
		who    = "User: arn:aws:sts::111122223333:assumed-role/CrossAccountS3Uploader/brokerd-audit-logs is not authorized to perform: "
		put    = who + `s3:PutObject on resource: "arn:aws:s3:::tenant-s3-test-bucket/logs/x" `
		dataKy = who + "kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:444455556666:key/k "
	)
	for _, c := range []struct {
		name, operation, awsCode, text string
		status                         int
		code, account, artefact        string // account: A, B or ""
	}{
		{name: "permissions boundary", text: put + "because no permissions boundary allows the s3:PutObject action", code: "BRK-POL-001",
			account: "A", artefact: "boundary"},
		{name: "session policy", text: dataKy + "because no session policy allows the kms:GenerateDataKey action", code: "BRK-POL-002",
			account: "A", artefact: "session-policy"},
		{name: "service control policy", text: put + "with an explicit deny in a service control policy", code: "BRK-POL-003", account: "A",
			artefact: "scp"},
		{name: "resource control policy", text: dataKy + "with an explicit deny in a resource control policy", code: "BRK-POL-004", account: "B",
			artefact: "rcp"},
		{name: "VPC endpoint policy", text: put + "because no VPC endpoint policy allows the s3:PutObject action", code: "BRK-POL-005",
			account: "A", artefact: "vpc-endpoint-policy"},
		{name: "explicit deny in the bucket policy", text: put + "with an explicit deny in a resource-based policy", code: "BRK-S3-022",
			account: "B", artefact: report.ArtefactBucketPolicy},
		{name: "identity policy without the write", text: put + "because no identity-based policy allows the s3:PutObject action",
			code: "BRK-S3-020", account: "A", artefact: report.ArtefactIdentity},
		{name: "bucket policy without the role", text: put + "because no resource-based policy allows the s3:PutObject action",
			code: "BRK-S3-021", account: "B", artefact: report.ArtefactBucketPolicy},
		{name: "key policy, said plainly", text: dataKy + "because no resource-based policy allows the kms:GenerateDataKey action",
			code: "BRK-KMS-010", account: "B", artefact: report.ArtefactKeyPolicy},
		{name: "explicit deny in the key policy", text: dataKy + "with an explicit deny in a resource-based policy", code: "BRK-KMS-014",
			account: "B", artefact: report.ArtefactKeyPolicy},
		{name: "key pending deletion", awsCode: "KMS.KMSInvalidStateException", status: 400,
			text: "arn:aws:kms:eu-west-1:444455556666:key/k is pending deletion.", code: "BRK-KMS-021", account: "B",
			artefact: report.ArtefactKeyState},
		{name: "key of another Region", awsCode: "KMS.NotFoundException", status: 400, text: "Invalid arn eu-central-1", code: "BRK-KMS-022",
			account: "B", artefact: report.ArtefactKeyState},
		{name: "asymmetric key", awsCode: "KMS.InvalidKeyUsageException", status: 400, text: "not for encryption", code: "BRK-KMS-023",
			account: "B", artefact: report.ArtefactKeyState},
		{name: "session rejected by S3", awsCode: "InvalidAccessKeyId",
			text: "The AWS Access Key Id you provided does not exist in our records.", code: "BRK-ID-050", account: "A",
			artefact: report.ArtefactSession},
		{name: "wrong clock", awsCode: "RequestTimeTooSkewed",
			text: "The difference between the request time and the current time is too large.", code: "BRK-HOST-010",
			artefact: report.ArtefactClock},
		{name: "a quota", awsCode: "TooManyThings", status: 400, text: "no more", code: "BRK-AWS-002", artefact: report.ArtefactService},
		{
			name: "source identity without sts:AssumeRole", operation: "sts:AssumeRole", code: "BRK-ID-021", account: "A",
			artefact: report.ArtefactSourcePolicy,
			text: "User: arn:aws:iam::111122223333:user/app-host is not authorized to perform: sts:AssumeRole on resource: " +
				"arn:aws:iam::111122223333:role/CrossAccountS3Uploader because no identity-based policy allows the sts:AssumeRole action",
		},
		{
			name: "session longer than chaining allows", operation: "sts:AssumeRole", awsCode: "ValidationError", status: 400, code: "BRK-ID-022",
			account: "A", artefact: report.ArtefactSession,
			text: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			fault := sandbox.Fault{Operation: "s3:CreateMultipartUpload", Code: "AccessDenied", Message: c.text, Status: 403}
			if c.operation != "" {
				fault.Operation = c.operation
			}
			if c.awsCode != "" {
				fault.Code = c.awsCode
			}
			if c.status != 0 {
				fault.Status = c.status
			}
			w.Sandbox.SetFaults([]sandbox.Fault{fault})
			got := firstProblem(t, run(t, w))
			account := map[string]string{"A": w.Sandbox.AccountA(), "B": w.Sandbox.AccountB()}[c.account]
			if got.Code != c.code || got.Account.ID != account || got.Artefact.Kind != c.artefact {
				t.Errorf("got %s, account %q, %q; want %s, account %q, %q\n%s", got.Code, got.Account.ID, got.Artefact.Kind, c.code, account,
					c.artefact, got.Why)
			}
			if !strings.Contains(evidence(got).AWSMessage, c.text) || evidence(got).RequestID == "" || got.Fix.Text == "" {
				t.Errorf("AWS's words, the request id or the fix are missing: %+v", got)
			}
		})
	}
}
