package render

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	roleARN   = "arn:aws:iam::111122223333:role/CrossAccountS3Uploader"
	bucketARN = "arn:aws:s3:::tenant-s3-test-bucket"
	keyARN    = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

var (
	accountA = report.Account{ID: "111122223333", Side: report.SideA}
	accountB = report.Account{ID: "444455556666", Side: report.SideB}
)

const keyPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AdministerInAccountB",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
      "Action": "kms:*",
      "Resource": "*"
    },
    {
      "Sid": "BrokerdUseKey",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::111122223333:role/CrossAccountS3Uploader"},
      "Action": ["kms:DescribeKey", "kms:Decrypt"],
      "Resource": "*",
      "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
    }
  ]
}
`

func pass(id, category, title, why string) report.Check {
	return report.Check{ID: id, Code: id, Category: category, Title: title, Result: report.Pass, Why: why, Elapsed: 23 * time.Millisecond}
}

// broken has a fault in each account, a warning, an undecided check, an undecided
// check that no result depends on, and a check that was not run.
func broken() Result {
	denied := report.Evidence{Source: report.SourceProbe, Operation: "s3:CreateMultipartUpload", HTTPStatus: 403, AWSCode: "AccessDenied",
		RequestID: "4442587FB7D0A2F9", HostID: "vlR7Pnp+c=",
		AWSMessage: "User: arn:aws:sts::111122223333:assumed-role/CrossAccountS3Uploader/brokerd-audit-logs is not authorized to perform: " +
			"kms:GenerateDataKey on this resource because the resource does not exist in this Region, no resource-based policies allow access, " +
			"or a resource-based policy explicitly denies access"}
	return Result{Took: 1840 * time.Millisecond, Report: report.Report{
		Destination: "audit-logs", Calls: 9,
		Documents: []report.PolicyDocument{{Kind: report.DocumentKeyPolicy, State: report.Known, ARN: keyARN, Text: keyPolicy}},
		Path: report.Path{
			Nodes: []report.Node{
				{ID: report.NodePeer, Label: "uid 1000 (app)"}, {ID: report.NodeBroker, Label: "brokerd"},
				{ID: report.NodeSource, Label: "app-host", ARN: "arn:aws:iam::111122223333:user/app-host", Account: accountA},
				{ID: report.NodeRole, Label: "CrossAccountS3Uploader", ARN: roleARN, Account: accountA},
				{ID: report.NodeBucket, Label: "tenant-s3-test-bucket", ARN: bucketARN, Account: accountB},
				{ID: report.NodeKey, Label: "1234abcd-12ab-34cd-56ef-1234567890ab", ARN: keyARN, Account: accountB},
			},
			Edges: []report.Edge{
				{From: report.NodePeer, To: report.NodeBroker, Result: report.Pass},
				{From: report.NodeBroker, To: report.NodeSource, Result: report.Pass},
				{From: report.NodeSource, To: report.NodeRole, Result: report.Pass},
				{From: report.NodeRole, To: report.NodeBucket, Result: report.Unknown},
				{From: report.NodeBucket, To: report.NodeKey, Result: report.Fail, Codes: []string{"BRK-KMS-010", "BRK-KMS-011"}},
			},
		},
		Checks: []report.Check{
			pass("BRK-CFG-001", report.CategoryConfig, "role, bucket and key of the configuration belong together",
				"one partition, one Region, the key in the bucket's account"),
			pass("BRK-S3-001", report.CategoryBucket, "the bucket exists, in the configured Region", "S3 says eu-west-1"),
			{ID: "BRK-HOST-001", Code: "BRK-HOST-010", Category: report.CategoryHost, Title: "this host's clock agrees with AWS",
				Result: report.Warn, Why: "the clock is 71 s behind that of S3; from 15 minutes on AWS refuses",
				Artefact: report.Artefact{Kind: report.ArtefactClock},
				Fix:      report.Fix{Kind: report.FixConfig, Text: "Check the NTP service of this host (`timedatectl status`)."},
				Elapsed:  time.Millisecond},
			pass("BRK-ID-001", report.CategoryIdentity, "STS accepts the source credentials",
				"the daemon is arn:aws:iam::111122223333:user/app-host"),
			pass("BRK-ID-002", report.CategoryIdentity, "the role can be assumed", "a session of "+roleARN+" until 17:03:11 UTC"),
			{ID: "BRK-S3-002", Code: "BRK-KMS-010", Category: report.CategoryDelivery,
				Title: "the role may write below the prefix, encrypted with the key", Result: report.Fail, Elapsed: 61 * time.Millisecond,
				Why: "The key policy in account 444455556666 lets the role use kms:DescribeKey and kms:Decrypt, but not kms:GenerateDataKey; " +
					"without a data key S3 cannot encrypt.", Confidence: report.Proven,
				Account: accountB, Artefact: report.Artefact{Kind: report.ArtefactKeyPolicy, ARN: keyARN},
				Evidence: []report.Evidence{
					denied, {Source: report.SourceStatic, Operation: "kms:GenerateDataKey", Text: "the key policy does not allow it"},
				},
				NearMisses: []report.NearMiss{
					{Statement: report.Statement{Sid: "BrokerdUseKey", Index: 1, Line: 11, Column: 5}, FailedOn: "action",
						Want: []string{"kms:DescribeKey", "kms:Decrypt"}, Got: []string{"kms:GenerateDataKey"}},
				},
				Assumptions: []string{"no service control policy was supplied"},
				Fix: report.Fix{Kind: report.FixAddStatement, Text: "Add this statement to the key policy.", Target: keyARN, Account: accountB,
					Owner: "an administrator of account 444455556666 (B)",
					Patch: json.RawMessage(`{"Sid":"BrokerdGenerate","Effect":"Allow","Principal":{"AWS":"` +
						roleARN + `"},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*",` +
						`"Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}`),
					Command: "aws kms put-key-policy --region eu-west-1 --key-id " + keyARN + " --policy file://key-policy.json"}},
			{ID: "BRK-POL-100", Code: "BRK-KMS-011", Category: report.CategoryDelivery, Title: "account A lets the role use the key",
				Result: report.Fail, Why: "The identity policy of CrossAccountS3Uploader says nothing about KMS. Both sides must allow it.",
				Confidence: report.Strong, Account: accountA,
				Artefact: report.Artefact{Kind: report.ArtefactIdentity, ARN: roleARN, Name: "brokerd-audit-logs"},
				Fix: report.Fix{Kind: report.FixAddStatement, Text: "Add this statement to the identity policy of the role.", Target: roleARN,
					Policy: "brokerd-audit-logs", Account: accountA,
					Patch: json.RawMessage(`{"Sid":"BrokerdKey","Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"` +
						keyARN + `"}`)}},
			{ID: "BRK-KMS-002", Code: "BRK-KMS-002", Category: report.CategoryDelivery, Title: "the role may send parts of large objects",
				Result: report.Skip, Why: "not run, because BRK-S3-002 did not hold (BRK-KMS-010)"},
			{ID: "BRK-KMS-001", Code: "BRK-AWS-001", Category: report.CategoryEncryption, Title: "S3 uses the configured key",
				Result: report.Unknown, Why: "S3 did not decide: 503 SlowDown", Artefact: report.Artefact{Kind: report.ArtefactService}},
			{ID: "BRK-S3-003", Code: "BRK-S3-003", Category: report.CategoryPolicy, Title: "no policy allows more than it should",
				Result: report.Unknown, Advisory: true, Why: "the bucket policy was not given"},
		},
		Messages: []report.Message{
			{Account: accountB, Subject: "brokerd: the key policy of 1234abcd needs one statement",
				Text: "Hello,\n\nour role " + roleARN + " cannot use your key " + keyARN + ".\nPlease add this statement to its key policy:\n\n{\n" +
					"  \"Sid\": \"BrokerdGenerate\"\n}\n\nThank you"},
		},
	}}
}

func whole() Result {
	return Result{Took: 900 * time.Millisecond, Report: report.Report{Destination: "billing", Calls: 8, Checks: []report.Check{
		pass("BRK-CFG-001", report.CategoryConfig, "role, bucket and key of the configuration belong together", ""),
		pass("BRK-S3-002", report.CategoryDelivery, "the role may write below the prefix, encrypted with the key",
			"S3 accepted a multipart upload"),
	}}}
}

// healthy has checks of every category, and policies that were not supplied.
func healthy() Result {
	r := Result{Report: report.Report{Destination: "audit-logs"}}
	for _, category := range []string{
		report.CategoryConfig, report.CategoryHost, report.CategoryBucket, report.CategoryIdentity, report.CategoryDelivery,
		report.CategoryEncryption, report.CategoryPolicy, report.CategoryPrivilege, report.CategoryAudit,
	} {
		r.Checks = append(r.Checks, pass("BRK-X-001", category, "it holds", "seen"),
			report.Check{ID: "BRK-X-002", Code: "BRK-X-002", Category: category, Title: "it does not apply", Result: report.Skip},
			report.Check{ID: "BRK-X-003", Code: "BRK-POL-020", Category: category, Title: "a policy allows it", Result: report.Unknown,
				Advisory: true})
	}
	return r
}

func refused() Result {
	return Result{Report: report.Report{Destination: "metrics"}, Err: errors.New("no access rule lets uid 1000 verify it")}
}

func runOf(results ...Result) Run {
	return Run{Version: "v1.2.3", Started: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Took: 2 * time.Second,
		Through: "the daemon at /run/brokerd/brokerd.sock", Results: results}
}
