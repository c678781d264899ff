package misconfig

// onlySandboxes says, by the names of rows, why a real account is not asked.
func onlySandboxes() map[string]string {
	const (
		organization = "it needs an organization around the account"
		endpoint     = "it needs a VPC"
		provider     = "it needs an identity provider whose tokens the test can sign"
		clock        = "it moves the clock of AWS"
		throttling   = "AWS throttles at rates that the test does not cause"
		host         = "AWS is not asked"
	)
	return map[string]string{
		"the session has expired":                 "a session lives for 15 minutes at least",
		"the clock is 20 minutes behind":          clock,
		"the clock is 20 minutes behind, for STS": clock,

		"the trust policy expects another service account":  provider,
		"the token is for another audience":                 provider,
		"the identity provider is not known to the account": provider,
		"the token has expired":                             provider,

		"an SCP of account A keeps its principals inside their organization": organization,
		"an SCP of account A does not list KMS":                              organization,
		"an RCP of account B keeps others out of its buckets":                organization,
		"an RCP of account B keeps others away from its keys":                organization,

		"the VPC endpoint's policy knows only account A's buckets":                                  endpoint,
		"the VPC endpoint's policy names the root of account A, which is the root user alone there": endpoint,
		"the VPC endpoint's policy has nothing but a Deny of another action":                        endpoint,
		"a VPC endpoint without a policy of its own":                                                endpoint,

		"S3 asks to slow down": throttling,
		"KMS throttles S3":     throttling,

		"there are no source credentials": host,
		"S3 cannot be reached":            host,
		"the endpoint is plain http":      host,
	}
}

// spoilers are the rows after which the accounts are not repaired by writing the
// policies and the bucket's settings again.
func spoilers() map[string]bool {
	return map[string]bool{
		"the bucket was deleted":                      true,
		"retention without s3:PutObjectRetention":     true,
		"the application's key was deleted":           true,
		"the role was deleted and made again":         true,
		"a session of a role that was deleted":        true,
		"the bucket makes its requesters pay":         true,
		"access by a grant, and the grant is revoked": true,
	}
}
