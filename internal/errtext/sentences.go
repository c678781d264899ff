package errtext

import "regexp"

// sentence is a message of AWS whose meaning its code does not give.
type sentence struct {
	pattern *regexp.Regexp
	cause
}

// sentences are looked for in this order. All are wordings of AWS or of its SDKs.
var sentences = []sentence{
	{re(`object protected by object lock`), cause{KindObjectLock, "object lock protects the object; no policy can allow it",
		"Wait for the end of the retention period, remove the legal hold, or use the permission to bypass governance mode.", "BRK-S3-046"}},
	{re(`EKS does not have permissions to assume the associated role`),
		cause{KindPolicy, "EKS Pod Identity cannot assume the role of the service account: its trust policy does not allow that",
			"In the trust policy of the role, allow pods.eks.amazonaws.com both sts:AssumeRole and sts:TagSession.", "BRK-ID-020"}},
	{re(`headers present in the request which were not signed`),
		cause{KindRequest, "a header was added after the request was signed", "Look for a proxy or a library that adds headers.", "BRK-ID-051"}},
	{re(`Request has expired`), cause{KindClock,
		"the presigned URL has expired, or the caller's clock is wrong",
		"Make a new URL, and check the clock of the host that signs.", "BRK-HOST-010"}},
	{re(`Query-string authentication (?:version 4 )?requires`),
		cause{KindRequest, "the presigned URL is incomplete", "Use the URL with all its parameters.", "BRK-ID-051"}},
	{re(`Invalid according to Policy|Policy [Cc]ondition failed`),
		cause{KindRequest, "the form's own POST policy does not fit its fields; no IAM policy is involved",
			"Make the conditions of the POST policy fit the fields of the form.", "BRK-AWS-002"}},
	{re(`Customer provided keys must provide`), cause{KindRequest, "the object is encrypted with a key of the client (SSE-C)",
		"Send the customer key with the request.", "BRK-AWS-002"}},
	{re(`must be made over a secure connection|requests? specifying Server Side Encryption .* (?:secure|SSL)`),
		cause{KindRequest, "requests with SSE-KMS need TLS", "Use an https endpoint.", "BRK-HOST-011"}},
	{re(`require AWS Signature Version 4`), cause{KindRequest, "requests with SSE-KMS need Signature Version 4",
		"Configure the client for Signature Version 4.", "BRK-HOST-011"}},
	{re(`x-amz-server-side-encryption header is not supported for this operation`),
		cause{KindRequest, "the encryption headers belong to the start of an upload only",
			"Send them with PutObject and CreateMultipartUpload, and with no other operation.", "BRK-S3-041"}},
	{re(`exceeds the 1 hour session limit for roles assumed by role chaining`),
		cause{KindRequest, "a role that is assumed by a role has a session of at most one hour",
			"Set `session.duration: 1h`, or assume the role without the role in between.", "BRK-ID-022"}},
	{re(`DurationSeconds exceeds the MaxSessionDuration`),
		cause{KindRequest, "the session is longer than the role's maximum",
			"Lower `session.duration`, or raise the role's maximum session duration.", "BRK-ID-022"}},
	{re(`Incorrect token audience`), cause{KindCredentials,
		"the token's audience is no client id of the identity provider",
		"Add the audience to the provider in the role's account, or request a token with the audience sts.amazonaws.com.", "BRK-ID-024"}},
	{re(`No OpenIDConnect provider found`), cause{KindCredentials,
		"the role's account has no identity provider for the token's issuer",
		"Create the provider in the account of the role.", "BRK-ID-024"}},
	{re(`Couldn't retrieve verification key`), cause{KindCredentials, "STS could not fetch the issuer's keys",
		"Make the issuer's keys reachable from the internet.", "BRK-ID-024"}},
	{re(`Token expired: `), cause{KindCredentials, "the token has expired", "Get a new token.", "BRK-ID-024"}},
	{re(`Invalid principal in policy`), cause{KindRequest, "the policy names a role or user that does not exist",
		"Create the role first, or correct its ARN.", "BRK-S3-025"}},
	{re(`(?i)the region '[\w-]+' is wrong; expecting`),
		cause{KindRegion, "the request was signed for another Region", "Sign for the Region that the message names.", "BRK-S3-011"}},
	{re(`must be addressed using the specified endpoint`),
		cause{KindRegion, "the bucket is in another Region", "Send the request to the Region of the bucket.", "BRK-S3-011"}},
	{re(`Signature expired|Signature not yet current|current time is too large`),
		cause{KindClock, "the caller's clock is wrong", "Set the clock of the host (NTP).", "BRK-HOST-010"}},
	{re(`bucket does not allow ACLs`), cause{KindRequest, "the bucket does not accept ACLs", "Send no ACL.", "BRK-S3-045"}},
	{re(`All access to this (?:object|bucket) has been disabled`),
		cause{KindPolicy, "AWS has disabled all access; no policy can allow it",
			"Check the name of the bucket, and the state of its owner's account.", "BRK-AWS-002"}},
	{re(`public (?:policies|access control lists.*|ACLs) are (?:blocked|prevented|restricted) by`),
		cause{KindPolicy, "S3 Block Public Access refuses", "Remove the public statement or ACL; leave Block Public Access on.", "BRK-POL-006"}},
	{re(`Invalid keyId|Key '[^']+' does not exist|Alias .* is not found`),
		cause{KindKeyState, "there is no such KMS key in this Region and account",
			"Check the key's ARN: Region, account and id. An alias or a bare id is looked up in the caller's account.", "BRK-KMS-022"}},
	{re(`is pending (?:deletion|import)`), cause{KindKeyState,
		"the KMS key is pending deletion or import; no policy can help",
		"Cancel the deletion of the key in its account, or import its material.", "BRK-KMS-021"}},
	{re(`(?:key|arn)\S* is disabled`), cause{KindKeyState, "the KMS key is disabled; no policy can help", "Enable the key in its account.",
		"BRK-KMS-020"}},
	{re(`(?i)access key id you provided does not exist in our records`), codeCauses["InvalidAccessKeyId"]},
	{re(`security token included in the request is expired`),
		cause{KindCredentials, "the session has expired", "Get new session credentials.", "BRK-ID-050"}},
	{re(`security token included in the request is invalid`),
		cause{KindCredentials, "AWS does not know the access key, or its session token is missing",
			"Compare the access key with the account's keys. A key that begins with ASIA needs its session token.", "BRK-ID-011"}},
	{re(`Unable to locate credentials|NoCredentialProviders|no EC2 IMDS role found|` +
		`Could not load credentials from any providers|Unable to load (?:AWS )?credentials from any|` +
		`CredentialsNotLoaded|no valid credential sources|failed to refresh cached credentials, (?:no|` +
		`static)`), cause{KindCredentials, "the program found no credentials",
		"Give it a profile, environment variables, a web identity or an instance role.", "BRK-ID-010"}},
	{re(`(?i)could not connect to the endpoint URL|no such host|connection refused|connection reset|` +
		`i/o timeout|connect timeout|certificate (?:verify failed|signed by unknown)|` +
		`context deadline exceeded|UnknownHostException|EOF occurred in violation`), cause{KindNetwork,
		"there is no answer from AWS: network, proxy, DNS or TLS, and no policy",
		"Check name resolution, route, proxy and CA certificates of this host.", "BRK-NET-001"}},
}

func re(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

func sentenceOf(text string) *cause {
	for i := range sentences {
		if sentences[i].pattern.MatchString(text) {
			return &sentences[i].cause
		}
	}
	return nil
}
