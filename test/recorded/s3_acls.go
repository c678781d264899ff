package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// writers makes $BUCKET with access control lists that count.
func writers() []Step {
	return many(
		made(func(in *s3.CreateBucketInput) { in.ObjectOwnership = types.ObjectOwnershipObjectWriter }),
		s3Do((*s3.Client).DeletePublicAccessBlock, s3.DeletePublicAccessBlockInput{}),
	)
}

func logsInto(bucket string) s3.PutBucketLoggingInput {
	return s3.PutBucketLoggingInput{BucketLoggingStatus: &types.BucketLoggingStatus{
		LoggingEnabled: &types.LoggingEnabled{TargetBucket: str(bucket), TargetPrefix: str("")},
	}}
}

func aclRows() []Row {
	bucketACL := func(opts ...Option) Step { return s3Do((*s3.Client).PutBucketAcl, s3.PutBucketAclInput{}, opts...) }
	notSupported := refused(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	const enforced = "LocalStack, access control lists under BucketOwnerEnforced"
	grant := func(grants ...types.TargetGrant) Step {
		return s3Do((*s3.Client).PutBucketLogging,
			s3.PutBucketLoggingInput{BucketLoggingStatus: &types.BucketLoggingStatus{LoggingEnabled: &types.LoggingEnabled{
				TargetBucket: str("$BUCKET"), TargetPrefix: str("logs/"), TargetGrants: grants,
			}}})
	}
	delivery := types.Grantee{Type: types.TypeGroup, URI: str("http://acs.amazonaws.com/groups/s3/LogDelivery")}
	return []Row{
		row("in a bucket that enforces ownership", put("k", "x", with("x-amz-acl", "public-read")), notSupported, reference("PutObject, ACL")),
		row("that the owner has anyway, in a bucket that enforces ownership",
			put("k", "x", with("x-amz-acl", "bucket-owner-full-control")), answers(200), reference("PutObject, ACL")),
		row("with a canned list that is none", put("k", "x", with("x-amz-acl", "all-for-all")),
			refused(400, "InvalidArgument", "").field("ArgumentName", "x-amz-acl").field("ArgumentValue", "all-for-all"), suite(enforced)),
		row("with a canned list that is none", bucketACL(with("x-amz-acl", "all-for-all")),
			refused(400, "InvalidArgument", "").field("ArgumentName", "x-amz-acl").field("ArgumentValue", "all-for-all"), suite(enforced)),
		row("for a grantee that is none", bucketACL(with("x-amz-grant-read", "id=wrongid")),
			refused(400, "InvalidArgument", "Invalid id").field("ArgumentName", "id").field("ArgumentValue", "wrongid"), suite(enforced)),
		row("for the public", bucketACL(with("x-amz-acl", "public-read")), notSupported, suite(enforced)),
		row("of a new bucket", s3Do((*s3.Client).GetBucketAcl, s3.GetBucketAclInput{}),
			answers(200).field("AccessControlList.Grant.Permission", "FULL_CONTROL").field("Owner.ID", "…").
				field("#AccessControlList.Grant", "1"), suite("LocalStack, TestS3BucketACL")),
		row("of a key that is not there, by a caller whom a list lets look", head("none", as("B")), answers(404),
			suite("Ceph s3-tests, test_object_raw_get_object_gone"), append(writers(),
				s3Do((*s3.Client).ListBuckets, s3.ListBucketsInput{}, as("B"), keep("CANONICALB", "Owner.ID")),
				bucketACL(with("x-amz-grant-read", "id=$CANONICALB")))...),
		row("of a key that is not there, by a stranger", head("none", as("B")), answers(403), reference("HeadObject, Permissions")),
		row("of a key that is not there, by a stranger", get("none", as("B")), refused(403, "AccessDenied", "Access Denied"),
			reference("GetObject, Permissions")),
		row("with the grants of the log's group",
			grant(types.TargetGrant{Grantee: &delivery, Permission: types.BucketLogsPermissionWrite},
				types.TargetGrant{Grantee: &delivery, Permission: "READ_ACP"}), answers(200), suite("LocalStack, TestS3BucketLogging"),
			writers()...),
		row("into a bucket of another Region",
			s3Do((*s3.Client).PutBucketLogging,
				logsInto("$NAME-far")),
			refused(403, "CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ").
				field("TargetBucketLocation", "$OTHER"), suite("LocalStack, TestS3BucketLogging"),
			s3Do((*s3.Client).CreateBucket,
				s3.CreateBucketInput{Bucket: str("$NAME-far"),
					CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "$OTHER"}}, signedFor("$OTHER"))),
		row("into a bucket that is not there",
			s3Do((*s3.Client).PutBucketLogging,
				logsInto("$NAME-none")),
			refused(400, "InvalidTargetBucketForLogging", "The target bucket for logging does not exist").
				field("TargetBucket", "$NAME-none"), suite("LocalStack, TestS3BucketLogging")),
	}
}
