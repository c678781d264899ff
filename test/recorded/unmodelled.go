package recorded

import "strings"

// unmodelledRows state a promise of the sandbox: an operation that it does not model
// answers 501, names service and operation, and changes nothing.
func unmodelledRows() []Row {
	source := promise("docs/sandbox.md, Not modelled")
	missing := func(parts ...string) Want {
		w := answers(501)
		w.Body = "…" + strings.Join(parts, "…") + "…"
		return w
	}
	var rows []Row
	form := with("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	// The query protocol: the operation is a field of the form.
	for _, q := range [][2]string{
		{"cloudformation", "ListStacks"}, {"ec2", "DescribeInstances"}, {"sns", "ListTopics"}, {"rds", "DescribeDBInstances"},
		{"autoscaling", "DescribeAutoScalingGroups"},
		{"elasticloadbalancing", "DescribeLoadBalancers"}, {"monitoring", "ListMetrics"},
	} {
		service, action := q[0], q[1]
		rows = append(rows, row("as a form",
			raw(service+":"+action, "POST", service+".$REGION.amazonaws.com/", form, wireBody("Action="+action+"&Version=2010-05-15")),
			missing("NotImplemented", service, action), source))
	}
	// The JSON protocols: the operation is in a header.
	for _, q := range [][2]string{
		{"organizations", "AWSOrganizationsV20161128.ListAccounts"}, {"dynamodb", "DynamoDB_20120810.ListTables"},
		{"sqs", "AmazonSQS.ListQueues"},
		{"logs", "Logs_20140328.DescribeLogGroups"}, {"secretsmanager", "secretsmanager.ListSecrets"},
		{"ssm", "AmazonSSM.DescribeParameters"}, {"ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"},
	} {
		service, target := q[0], q[1]
		_, operation, _ := strings.Cut(target, ".")
		rows = append(rows, row("as JSON",
			raw(service+":"+operation, "POST", service+".$REGION.amazonaws.com/", with("Content-Type", "application/x-amz-json-1.1"),
				with("X-Amz-Target", target), wireBody("{}")),
			missing("NotImplemented", service, operation), source))
	}
	// REST: the operation is method and path.
	for _, r := range []struct{ service, method, host, path string }{
		{"lambda", "GET", "lambda.$REGION.amazonaws.com", "/2015-03-31/functions"},
		{"route53", "GET", "route53.amazonaws.com", "/2013-04-01/hostedzone"},
		{"access-analyzer", "GET", "access-analyzer.$REGION.amazonaws.com", "/analyzer"},
		{"eks", "GET", "eks.$REGION.amazonaws.com", "/clusters"},
		{"ses", "GET", "email.$REGION.amazonaws.com", "/v2/email/identities"},
	} {
		rows = append(rows, row("by path", raw(r.service+":"+r.method+" "+r.path, r.method, r.host+r.path),
			missing("NotImplemented", r.service, r.method+" "+r.path), source))
	}
	// S3 Control, by the account's own host name.
	for _, r := range []struct{ operation, method, path string }{
		{"ListAccessPoints", "GET", "/v20180820/accesspoint"},
		{"CreateAccessPoint", "PUT", "/v20180820/accesspoint/point"},
		{"ListJobs", "GET", "/v20180820/jobs"},
		{"CreateJob", "POST", "/v20180820/jobs"},
		{"ListTagsForResource", "GET", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abucket"},
	} {
		rows = append(rows, row("of S3 Control",
			raw("s3:"+r.operation, r.method, "$A.s3-control.$REGION.amazonaws.com"+r.path, with("x-amz-account-id", "$A")),
			missing("NotImplemented", "s3control", r.operation), source))
	}
	block := "/v20180820/configuration/publicAccessBlock"
	rows = append(rows,
		row("of an account without one",
			raw("s3:GetAccountPublicAccessBlock", "GET", "$A.s3-control.$REGION.amazonaws.com"+block, with("x-amz-account-id", "$A")),
			refused(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
			reference("S3 Control, GetPublicAccessBlock")),
		row("of S3", raw("s3:PutBucketWebsite", "PUT", "$BUCKET.s3.$REGION.amazonaws.com/?website", wireBody("<WebsiteConfiguration/>")),
			missing("NotImplemented", "website"), source),
		row("of KMS", raw("kms:ReplicateKey", "POST", "kms.$REGION.amazonaws.com/", with("Content-Type", "application/x-amz-json-1.1"),
			with("X-Amz-Target", "TrentService.ReplicateKey"), wireBody("{}")), missing("NotImplemented", "kms:ReplicateKey"), source),
		row("of IAM", raw("iam:ListMFADevices", "POST", "iam.amazonaws.com/", signedFor("us-east-1"), form,
			wireBody("Action=ListMFADevices&Version=2010-05-08")), missing("NotImplemented", "iam:ListMFADevices"), source),
		row("of STS", raw("sts:GetFederationToken", "POST", "sts.$REGION.amazonaws.com/", form,
			wireBody("Action=GetFederationToken&Version=2011-06-15&Name=app")), missing("NotImplemented", "sts:GetFederationToken"),
			source),
	)
	return rows
}
