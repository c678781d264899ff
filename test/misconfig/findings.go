package misconfig

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// change changes the configuration of the destination.
func change(f func(w *testbed.World)) func(context.Context, *testbed.World) error {
	return func(_ context.Context, w *testbed.World) error { f(w); return nil }
}

func failing(f sandbox.Fault) func(context.Context, *testbed.World) error {
	return func(_ context.Context, w *testbed.World) error { return w.Sandbox.AddFault(f) }
}

// create lets the start of an upload fail with an error of AWS.
func create(code, message string, status int) func(context.Context, *testbed.World) error {
	return failing(sandbox.Fault{Operation: "s3:CreateMultipartUpload", Code: code, Message: message, Status: status})
}

func keysFile(text string) func(context.Context, *testbed.World) error {
	return func(_ context.Context, w *testbed.World) error {
		return os.WriteFile(filepath.Join(w.Dir, "credentials"), []byte(text), 0o600)
	}
}

const (
	blindWrite = "BRK-S3-023"
	eitherSide = "identity or bucket-policy"
)

// findings are by the names of the rows.
func findings() map[string]Finding {
	write := Finding{Code: "BRK-S3-020", Blind: blindWrite, Side: "A", Kind: "identity", BlindKind: eitherSide, Repair: ByStatement}
	bucketSays := Finding{Blind: blindWrite, Side: "B", Kind: "bucket-policy", BlindKind: eitherSide, Repair: ByStatement}
	guard := func(code string) Finding { f := bucketSays; f.Code, f.Statement = code, "Guard"; return f }
	keySays := func(code string) Finding {
		return Finding{Code: code, Blind: "BRK-KMS-010", Side: "B", Kind: "key-policy", Repair: Printed}
	}
	return map[string]Finding{
		"the session has expired": {Code: "BRK-ID-050", Side: "A", Kind: "session", Repair: ByHand,
			Stage: failing(sandbox.Fault{Operation: "s3:CreateMultipartUpload", ExpireSession: true})},
		"the access key is not there": {Code: "BRK-ID-050", Side: "A", Kind: "session", Repair: ByHand,
			Stage: create("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)},
		"the application's key was deleted": {Code: "BRK-ID-011", Kind: "credentials", Repair: ByHand},
		"the secret is wrong": {Code: "BRK-ID-051", Kind: "network", Repair: ByHand,
			Stage: create("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. "+
				"Check your key and signing method.", 403)},
		"something on the way added a header": {Code: "BRK-ID-051", Kind: "network", Repair: ByHand,
			Stage: create("AccessDenied", "There were headers present in the request which were not signed", 403)},
		"the clock is 20 minutes behind":          {Code: "BRK-HOST-010", Kind: "clock", Repair: ByHand},
		"the clock is 20 minutes behind, for STS": {Code: "BRK-HOST-010", Kind: "clock", Repair: ByHand},
		"the trust policy names somebody else":    {Code: "BRK-ID-020", Side: "A", Kind: "trust", Repair: ByStatement},
		"the role is not there: the same text": {Code: "BRK-ID-027", Blind: "BRK-ID-020", Side: "A", Kind: "trust", Repair: ByHand,
			Stage: change(func(w *testbed.World) { w.Dest.Role += "s" })},
		"the trust policy delegates to the account, and the caller's own policy is missing": {Code: "BRK-ID-021", Blind: "BRK-ID-020",
			Side: "A", Kind: "source-policy", BlindKind: "trust", Repair: ByStatement},
		"the trust policy wants an external id": {Code: "BRK-ID-023", Blind: "BRK-ID-020",
			Side: "A", Kind: "trust", Repair: ByStatement},
		"the external id is another one": {Code: "BRK-ID-023", Blind: "BRK-ID-020",
			Side: "A", Kind: "trust", Repair: ByStatement, Stage: both(putTrust(func(_ string,
				w *testbed.World) string {
				return externalTrust(w)
			}), change(func(w *testbed.World) { w.Dest.Session.ExternalID = "other" }))},
		"the trust policy expects another service account": {Code: "BRK-ID-024", Side: "A", Kind: "trust",
			Stage: webSource(sandbox.WebIdentity{Subject: "system:serviceaccount:other:app"})},
		"the token is for another audience": {Code: "BRK-ID-024", Side: "A", Kind: "trust",
			Repair: ByHand, Stage: webSource(sandbox.WebIdentity{Audience: "vault"})},
		"the identity provider is not known to the account": {Code: "BRK-ID-024", Side: "A", Kind: "trust",
			Repair: ByHand, Stage: webSource(sandbox.WebIdentity{Issuer: "https://oidc.example.com/id/OTHER"})},
		"a session longer than the role allows": {Code: "BRK-ID-022", Side: "A", Kind: "session",
			Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.Session.Duration = config.Duration(2 * time.Hour) })},
		"the session policy is no policy": {Code: "BRK-ID-025", Side: "A",
			Kind: "session-policy", Repair: ByHand, Stage: failing(sandbox.Fault{Operation: "sts:AssumeRole", Code: "MalformedPolicyDocument",
				Message: "Syntax errors in policy.", Status: 400})},
		"session tags without sts:TagSession": {Code: "BRK-ID-020", Side: "A", Kind: "trust", Repair: ByStatement,
			Stage: change(func(w *testbed.World) { w.Dest.Session.Tags = map[string]string{"team": "logs"} })},
		"the role's policy lacks s3:PutObject":                          write,
		"the role's policy is about the bucket, not its objects":        with(write, "BRK-S3-024"),
		"the role's policy is about another prefix":                     with(write, "BRK-S3-024"),
		"the role's policy lacks kms:GenerateDataKey":                   {Code: "BRK-KMS-011", Side: "A", Kind: "identity"},
		"the role's policy lacks kms:Decrypt: small objects are stored": {Code: "BRK-KMS-012", Side: "A", Kind: "identity"},
		"the role's policy lacks kms:Decrypt: parts are not":            {Code: "BRK-KMS-012", Side: "A", Kind: "identity"},
		"the role's policy names the key by an alias": {Code: "BRK-KMS-016", Blind: "BRK-KMS-011",
			Side: "A", Kind: "identity"},
		"the role's boundary knows nothing of KMS": {Code: "BRK-POL-001", Side: "A",
			Kind: "boundary", Repair: ByStatement},
		"the role's boundary knows nothing of S3": {Code: "BRK-POL-001", Blind: blindWrite,
			Side: "A", Kind: "boundary", BlindKind: eitherSide, Repair: ByStatement},
		"the session policy knows nothing of KMS": {Code: "BRK-POL-002", Side: "A", Kind: "session-policy", Repair: ByHand,
			Stage: create("AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/CrossAccountS3Uploader/brokerd is not authorized to "+
				"perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:444455556666:key/k because no session policy allows the "+
				"kms:GenerateDataKey action", 403)},
		"an SCP of account A keeps its principals inside their organization": {Code: "BRK-POL-010",
			Blind: blindWrite, Kind: "unseen policy", BlindKind: eitherSide, Repair: ByHand},
		"an SCP of account A does not list KMS": {Code: "BRK-POL-003", Side: "A",
			Kind: "scp", Repair: ByHand},
		"the same, and they are sent": with(guard("BRK-S3-042"),
			"BRK-S3-042", "BRK-S3-049", eitherSide),
		"the role's policy is bound to a network: S3's call to KMS comes from none": {Code: "BRK-KMS-017",
			Blind: "BRK-KMS-011", Side: "A", Kind: "identity"},
		"the VPC endpoint's policy knows only account A's buckets": {Code: "BRK-POL-010",
			Blind: blindWrite, Kind: "unseen policy", BlindKind: eitherSide, Repair: ByHand, Stage: endpointFor},
		"the bucket policy does not let the role write":     with(bucketSays, "BRK-S3-021"),
		"there is no bucket policy":                         with(bucketSays, "BRK-S3-021"),
		"the role was deleted and made again":               with(bucketSays, "BRK-S3-025"),
		"the bucket policy is about another prefix":         with(bucketSays, "BRK-S3-026"),
		"the bucket policy wants a newer TLS than there is": guard("BRK-S3-040"),
		"the bucket policy wants another signature version": guard("BRK-S3-040"),
		"the request asks for SSE-S3": staged(with(guard(""), "BRK-S3-041",
			"BRK-S3-049", eitherSide), bucketStatement(denyAll(`{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`))),
		"the request names the key by its id, and the policy wants the ARN": staged(guard("BRK-S3-042"),
			bucketStatement(
				denyAll(`{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:ACCOUNTB:alias/tenant"}}`),
			)),
		"the bucket policy wants a VPC endpoint":                  guard("BRK-S3-043"),
		"the bucket policy wants another network":                 guard("BRK-S3-043"),
		"the bucket policy wants the bucket's organization":       guard("BRK-S3-043"),
		"a legacy policy wants the ACL bucket-owner-full-control": guard("BRK-S3-044"),
		"an ACL on a bucket that enforces ownership": {Code: "BRK-S3-045", Side: "B",
			Kind: "ownership", Repair: ByHand, Stage: both(allowACL, change(func(w *testbed.World) { w.Dest.ACL = "public-read" }))},
		"tags without s3:PutObjectTagging": {Code: "BRK-S3-046", Side: "A",
			Kind: "identity", BlindKind: eitherSide, Repair: ByStatement,
			Stage: change(func(w *testbed.World) { w.Dest.Tags = map[string]string{"team": "logs"} })},
		"an ACL without s3:PutObjectAcl": {Code: "BRK-S3-046", Side: "A",
			Kind: "identity", BlindKind: eitherSide, Repair: ByStatement,
			Stage: change(func(w *testbed.World) { w.Dest.ACL = "bucket-owner-full-control" })},
		"the bucket lets writers own their objects: the write succeeds": {Code: "BRK-S3-047", Blind: "-",
			Side: "B", Kind: "ownership", Result: "warn", Repair: ByHand},
		"a public statement beside the role's, with RestrictPublicBuckets": with(bucketSays, "BRK-POL-006"),
		"the bucket was deleted": {Code: "BRK-S3-010", Side: "B",
			Kind: "bucket", Repair: ByHand},
		"the bucket's name is wrong": {Code: "BRK-S3-010", Side: "B",
			Kind: "bucket", Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.Bucket += "s" })},
		"signed for another Region": {Code: "BRK-S3-011", Side: "B",
			Kind: "config", Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.Region = "eu-central-1" })},
		"the bucket makes its requesters pay": {Code: "BRK-S3-048", Side: "B",
			Kind: "bucket", Repair: ByHand},
		"an RCP of account B keeps others out of its buckets": {Code: "BRK-POL-010",
			Blind: blindWrite, Kind: "unseen policy", BlindKind: eitherSide, Repair: ByHand},
		"an RCP of account B keeps others away from its keys": {Code: "BRK-POL-004", Side: "B",
			Kind: "rcp", Repair: ByHand},
		"S3 asks to slow down": {Code: "BRK-AWS-001",
			Kind: "service", Result: "unknown", Repair: ByHand, Stage: failing(sandbox.Fault{Operation: "s3:CreateMultipartUpload",
				Code: "throttle"})},
		"a principal of another partition": {Code: "BRK-CFG-010", Kind: "config",
			Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.Role = strings.Replace(w.Dest.Role, "arn:aws:", "arn:aws-cn:", 1) })},
		"the key policy does not let the role in": keySays("BRK-KMS-010"),
		"the key policy lets the account in, and the role's policy lacks KMS: the key policy is blamed": {Code: "BRK-KMS-011",
			Blind: "BRK-KMS-010", Side: "A", BlindSide: "B", Kind: "identity", BlindKind: "key-policy", Repair: ByStatement},
		"the key policy lacks kms:Decrypt: small objects are stored": with(keySays(""), "BRK-KMS-013",
			"BRK-KMS-013", "key-policy"),
		"the key policy lacks kms:Decrypt: parts are not": with(keySays(""), "BRK-KMS-013",
			"BRK-KMS-013", "key-policy"),
		"the key policy is for S3 of another Region": keySays("BRK-KMS-040"),
		"the key policy wants callers of account B":  keySays("BRK-KMS-040"),
		"the key policy wants the bucket's ARN, and bucket keys are off": staged(keySays("BRK-KMS-041"),
			change(func(w *testbed.World) { w.Dest.BucketKey = aws.Bool(false) })),
		"the key policy wants the object's ARN, and bucket keys are on":   keySays("BRK-KMS-041"),
		"the key policy is bound to a network: S3's call comes from none": keySays("BRK-KMS-042"),
		"the default encryption names no key": {Code: "BRK-KMS-032", Blind: "-",
			Side: "B", Kind: "encryption", Result: "warn", Repair: ByHand},
		"the default encryption names an alias: it is looked up in account A": {Code: "BRK-KMS-033", Blind: "-",
			Side: "B", Kind: "encryption", Result: "warn", Repair: ByHand},
		"the key is disabled": {Code: "BRK-KMS-020", Side: "B",
			Kind: "key-state", Repair: ByHand},
		"the key is pending deletion": {Code: "BRK-KMS-021", Side: "B",
			Kind: "key-state", Repair: ByHand},
		"the key waits for its material": {Code: "BRK-KMS-021", Side: "B",
			Kind: "key-state", Repair: ByHand, Stage: otherKey(&kms.CreateKeyInput{Origin: kmstypes.OriginTypeExternal})},
		"the key is for message authentication": {Code: "BRK-KMS-023", Side: "B",
			Kind: "key-state", Repair: ByHand, Stage: otherKey(&kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256,
				KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})},
		"the key is of another Region": {Code: "BRK-CFG-010", Kind: "config",
			Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.KMSKey = strings.Replace(w.Dest.KMSKey, "eu-west-1", "us-east-1", 1) })},
		"the request names the key by its id": {Code: "BRK-CFG-010", Kind: "config",
			Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.KMSKey = w.KeyARN[strings.LastIndex(w.KeyARN, "/")+1:] })},
		"the request names an alias: it is looked up in account A": {Code: "BRK-CFG-010", Kind: "config",
			Repair: ByHand, Stage: change(func(w *testbed.World) { w.Dest.KMSKey = "alias/tenant" })},
		"there is no key of that id": {Code: "BRK-KMS-022", Side: "B",
			Kind: "key-state", Repair: ByHand, Stage: create("KMS.NotFoundException",
				"Key 'arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-0000-0000-000000000000' does not exist", 400)},
		"KMS throttles S3": {Code: "BRK-KMS-024",
			Kind: "service", Result: "unknown", Repair: ByHand},
		"access by a grant, and the grant is revoked": keySays("BRK-KMS-010"),
		"there are no source credentials": {Code: "BRK-ID-010",
			Kind: "credentials", Repair: ByHand},
		"S3 cannot be reached": {Code: "BRK-NET-001",
			Kind: "network", Repair: ByHand},
		"the endpoint is plain http": {Code: "BRK-HOST-011",
			Kind: "config", Repair: ByHand},
	}
}

// with gives a finding other codes: its own, then the one without documents and its kind.
func with(f Finding, codes ...string) Finding {
	f.Code = codes[0]
	if len(codes) > 1 {
		f.Blind, f.BlindKind = codes[1], codes[2]
	}
	return f
}

func staged(f Finding, stage func(context.Context, *testbed.World) error) Finding {
	f.Stage = stage
	return f
}

// endpointFor sends S3 calls through a VPC endpoint that knows account A's buckets only.
func endpointFor(_ context.Context, w *testbed.World) error {
	url, err := w.Sandbox.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-0a", VPC: "vpc-0b", Policy: OnlyAccountA(w)})
	w.Config.AWS.Endpoints.S3 = url
	return err
}

// OnlyAccountA is an endpoint's policy that lets requests for account A's resources through.
func OnlyAccountA(w *testbed.World) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",` +
		`"Condition":{"StringEquals":{"aws:ResourceAccount":"` + w.AccountA + `"}}}]}`
}

// otherKey makes a key of another kind, with policies that let the role use it.
func otherKey(in *kms.CreateKeyInput) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		made, err := w.KMS.CreateKey(ctx, in)
		if err != nil {
			return err
		}
		arn := aws.ToString(made.KeyMetadata.Arn)
		if _, err := w.KMS.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(arn), Policy: aws.String(string(w.Docs.Key))}); err != nil {
			return err
		}
		if err := w.PutBucketPolicy(ctx, strings.ReplaceAll(string(w.Docs.Bucket), w.KeyARN, arn)); err != nil {
			return err
		}
		if err := w.PutIdentity(ctx, strings.ReplaceAll(string(w.Docs.Identity), w.KeyARN, arn)); err != nil {
			return err
		}
		w.Dest.KMSKey = arn
		return nil
	}
}

// webSource gives the daemon a web identity instead of keys.
func webSource(id sandbox.WebIdentity) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		if err := makeWebIdentity(ctx, w); err != nil {
			return err
		}
		id := id // tests run beside each other
		if id.Issuer == "" {
			id.Issuer = issuer
		}
		if id.Subject == "" {
			id.Subject = "system:serviceaccount:logs:app"
		}
		token, err := w.Sandbox.SignWebIdentity(id)
		if err != nil {
			return err
		}
		file := filepath.Join(w.Dir, "token")
		w.Config.AWS.CredentialsFile, w.Config.AWS.Source = "", config.Source{Type: config.SourceWebIdentity, TokenFile: file}
		return os.WriteFile(file, []byte(token), 0o600)
	}
}

// WebIdentity gives the daemon the web identity that the trust policy lets in.
func WebIdentity(ctx context.Context, w *testbed.World) error {
	return webSource(sandbox.WebIdentity{})(ctx, w)
}
