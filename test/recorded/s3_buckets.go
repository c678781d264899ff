package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// constrained creates $NAME with a location constraint, at the endpoint of a Region.
func constrained(at, constraint string, opts ...Option) Step {
	in := s3.CreateBucketInput{Bucket: str("$NAME")}
	if constraint != "" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(constraint)}
	}
	return s3Do((*s3.Client).CreateBucket, in, append(opts, signedFor(at))...)
}

func incompatible(constraint string) Want {
	return refused(400, "IllegalLocationConstraintException",
		"The "+constraint+" location constraint is incompatible for the region specific endpoint this request was sent to.")
}

func bucketRows() []Row {
	const creation = "LocalStack, TestS3BucketCRUD"
	const ownership = "LocalStack, test_crud_bucket_ownership_controls"
	controls := s3Do((*s3.Client).GetBucketOwnershipControls, s3.GetBucketOwnershipControlsInput{})
	setControls := func(rules ...types.OwnershipControlsRule) Step {
		return s3Do((*s3.Client).PutBucketOwnershipControls,
			s3.PutBucketOwnershipControlsInput{OwnershipControls: &types.OwnershipControls{Rules: append([]types.OwnershipControlsRule{},
				rules...)}})
	}
	policy := func(text string) Step {
		return s3Do((*s3.Client).PutBucketPolicy, s3.PutBucketPolicyInput{Policy: str(text)})
	}
	tagged := s3.CreateBucketInput{Bucket: str("$NAME"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{Tags: []types.Tag{{Key: str("a"), Value: str("b")}}}}
	return []Row{
		row("twice", constrained("$REGION", "$REGION"),
			refused(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.").
				field("BucketName", "$NAME"), suite(creation), constrained("$REGION", "$REGION")),
		row("twice, in us-east-1", constrained("us-east-1", ""), answers(200).header("Location", "/$NAME"),
			reference("CreateBucket, BucketAlreadyOwnedByYou"), constrained("us-east-1", "")),
		row("twice, in us-east-1, with tags", s3Do((*s3.Client).CreateBucket, tagged, signedFor("us-east-1")),
			refused(409, "BucketAlreadyOwnedByYou", ""), suite("LocalStack, bucket tags at creation"),
			s3Do((*s3.Client).CreateBucket, tagged, signedFor("us-east-1"))),
		row("of another account", s3Do((*s3.Client).CreateBucket,
			s3.CreateBucketInput{Bucket: str("$BUCKETB"),
				CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "$REGION"}}),
			refused(409, "BucketAlreadyExists",
				"The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a "+
					"different name and try again.").field("BucketName", "$BUCKETB"), suite(creation)),
		row("with the constraint of another Region", constrained("$REGION", "$OTHER"), incompatible("$OTHER"),
			suite("LocalStack, test_create_bucket_with_existing_name and regions")),
		row("with a constraint that is no Region", constrained("$REGION", "nowhere-1"), incompatible("nowhere-1"),
			suite("LocalStack, location constraints")),
		row("without a constraint, at a Regional endpoint", constrained("$REGION", ""), incompatible("unspecified"), report("aws-cli #2603")),
		row("in us-east-1, with a constraint that is no Region", constrained("us-east-1", "nowhere-1"),
			refused(400, "InvalidLocationConstraint", "The specified location-constraint is not valid").
				field("LocationConstraint", "nowhere-1"), suite("LocalStack, location constraints")),
		row("with a name that is none", raw("s3:CreateBucket", "PUT", "s3.$REGION.amazonaws.com/UPPER"),
			refused(400, "InvalidBucketName", "The specified bucket is not valid.").field("BucketName", "UPPER"),
			suite("LocalStack, test_bucket_invalid_names")),
		row("with an ownership that is none",
			s3Do((*s3.Client).CreateBucket,
				s3.CreateBucketInput{Bucket: str("$NAME"), ObjectOwnership: "RandomValue",
					CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "$REGION"}}),
			refused(400, "InvalidArgument", "Invalid x-amz-object-ownership header: RandomValue").
				field("ArgumentName", "x-amz-object-ownership"), suite("LocalStack, test_bucket_ownership_controls_exc")),
		row("with an empty ownership", constrained("$REGION", "$REGION", with("x-amz-object-ownership", "")),
			refused(400, "InvalidArgument", "Invalid x-amz-object-ownership header: ").field("ArgumentName", "x-amz-object-ownership"),
			suite("LocalStack, test_bucket_ownership_controls_exc")),
		row("signed for the partition", raw("s3:ListBuckets", "GET", "s3.amazonaws.com/", signedFor("aws-global")),
			refused(400, "AuthorizationHeaderMalformed",
				"The authorization header is malformed; the region 'aws-global' is wrong; expecting 'us-east-1'").field("Region", "us-east-1"),
			suite("LocalStack, test_s3.py, aws-global")),

		row("of a bucket elsewhere, signed for us-east-1",
			s3Do((*s3.Client).GetBucketLocation, s3.GetBucketLocationInput{}, signedFor("us-east-1")), answers(200).field(".", "$REGION"),
			suite("recorded: how a Region is found")),
		row("of a bucket", s3Do((*s3.Client).GetBucketLocation, s3.GetBucketLocationInput{}), answers(200).field(".", "$REGION"),
			reference("GetBucketLocation")),
		row("of a bucket", s3Do((*s3.Client).HeadBucket, s3.HeadBucketInput{}),
			answers(200).header("x-amz-bucket-region", "$REGION").header("x-amz-access-point-alias", "false").
				header("Content-Type", "application/xml"), suite("recorded headers of HeadBucket")),
		row("of a bucket that is not there", s3Do((*s3.Client).HeadBucket, s3.HeadBucketInput{Bucket: str("$NAME-none")}), answers(404),
			reference("HeadBucket, Errors")),
		row("signed for another Region", s3Do((*s3.Client).HeadBucket, s3.HeadBucketInput{}, signedFor("$OTHER")),
			answers(301).header("x-amz-bucket-region", "$REGION"), reference("HeadBucket: 301 and the Region")),
		row("signed for another Region", list(signedFor("$OTHER")),
			refused(301, "PermanentRedirect",
				"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to "+
					"this endpoint.").
				field("Bucket", "$BUCKET").field("Endpoint", "$BUCKET.s3.$REGION.amazonaws.com").header("x-amz-bucket-region", "$REGION"),
			suite("recorded redirect between Regions")),

		row("of a new bucket", controls, answers(200).field("Rule.ObjectOwnership", "BucketOwnerEnforced"), suite(ownership)),
		row("after they were deleted", controls,
			refused(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found").field("BucketName", "$BUCKET"),
			suite(ownership), s3Do((*s3.Client).DeleteBucketOwnershipControls, s3.DeleteBucketOwnershipControlsInput{})),
		row("twice", s3Do((*s3.Client).DeleteBucketOwnershipControls, s3.DeleteBucketOwnershipControlsInput{}), answers(204),
			suite(ownership), s3Do((*s3.Client).DeleteBucketOwnershipControls, s3.DeleteBucketOwnershipControlsInput{})),
		row("of two rules", setControls(types.OwnershipControlsRule{ObjectOwnership: types.ObjectOwnershipBucketOwnerPreferred},
			types.OwnershipControlsRule{ObjectOwnership: types.ObjectOwnershipObjectWriter}), malformedXML(),
			suite("LocalStack, test_bucket_ownership_controls_exc")),
		row("that are none", setControls(types.OwnershipControlsRule{ObjectOwnership: "RandomValue"}), malformedXML(),
			suite("LocalStack, test_bucket_ownership_controls_exc")),
		row("without a rule", setControls(), malformedXML(), suite("LocalStack, test_bucket_ownership_controls_exc")),
		row("of a new bucket", s3Do((*s3.Client).GetPublicAccessBlock, s3.GetPublicAccessBlockInput{}),
			answers(200).field("BlockPublicAcls", "true").field("RestrictPublicBuckets", "true"),
			guide("Amazon S3, new buckets block public access since 2023")),
		row("after it was deleted", s3Do((*s3.Client).GetPublicAccessBlock, s3.GetPublicAccessBlockInput{}),
			refused(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found").
				field("BucketName", "$BUCKET"), suite("LocalStack, TestS3PublicAccessBlock"),
			s3Do((*s3.Client).DeletePublicAccessBlock, s3.DeletePublicAccessBlockInput{})),

		row("of a bucket without one", s3Do((*s3.Client).GetBucketPolicy, s3.GetBucketPolicyInput{}),
			refused(404, "NoSuchBucketPolicy", "The bucket policy does not exist").field("BucketName", "$BUCKET"),
			suite("LocalStack, TestS3BucketPolicy")),
		row("that is no JSON", policy("none"),
			refused(400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"),
			suite("LocalStack, TestS3BucketPolicy")),
		row("without a body", s3Do((*s3.Client).PutBucketPolicy, s3.PutBucketPolicyInput{Policy: str("x")}, wireBody("")),
			refused(400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"),
			suite("recorded: a policy without a body")),
		row("for another bucket",
			policy(policyHead+`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::another-bucket/*"}`+policyTail),
			refused(400, "MalformedPolicy", "Policy has invalid resource"), suite("Ceph s3-tests, bucket policies")),
		row("for a principal that is not there",
			policy(policyHead+`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::$A:role/$NAME-none"},`+
				`"Action":"s3:GetObject","Resource":"arn:aws:s3:::$BUCKET/*"}`+policyTail),
			refused(400, "MalformedPolicy", "Invalid principal in policy").field("Detail", "…"),
			guide("Troubleshooting: Invalid principal in policy")),
		row("for the public",
			policy(policyHead+`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::$BUCKET/*"}`+policyTail),
			refused(403, "AccessDenied", "User: … is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::$BUCKET\" "+
				"because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."),
			report("an answer of AWS, published several times")),
		row("of a bucket", s3Do((*s3.Client).DeleteBucketPolicy, s3.DeleteBucketPolicyInput{}), answers(204), reference("DeleteBucketPolicy")),
	}
}
