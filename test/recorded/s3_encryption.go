package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const encryptionHeader = "x-amz-server-side-encryption"

// misplaced is the refusal of the encryption header where S3 takes none.
func misplaced(value string) Want {
	return refused(400, "InvalidArgument", "x-amz-server-side-encryption header is not supported for this operation.").
		field("ArgumentName", encryptionHeader).field("ArgumentValue", value)
}

func encryptionRows() []Row {
	sse := with(encryptionHeader, "AES256")
	kms := with(encryptionHeader, "aws:kms")
	keyed := func(opts ...Option) []Option {
		return append([]Option{kms, with("x-amz-server-side-encryption-aws-kms-key-id", "$KEY")}, opts...)
	}
	return []Row{
		row("with the header of encryption", part("k", "part", sse), misplaced("AES256"), report("aws-sdk-java #1876"), begun("k")),
		row("with the header of SSE-KMS", part("k", "part", kms), misplaced("aws:kms"), report("aws-sdk-java #1876"), begun("k")),
		row("with the header of encryption", s3Do((*s3.Client).UploadPartCopy, s3.UploadPartCopyInput{
			Key: str("k"), UploadId: str("$UPLOAD"), PartNumber: num(1), CopySource: str("$BUCKET/from"),
		}, sse), misplaced("AES256"), report("Ceph s3-tests, the same check as for UploadPart"), put("from", "x"), begun("k")),
		row("with the header of encryption", complete("k", sse), misplaced("AES256"), report("ClickHouse #64570"), begun("k"), part("k", "part")),
		row("with the header of encryption", get("k", sse), misplaced("AES256"), reference("GetObject, Encryption: 400 Bad Request"),
			put("k", "x")),
		row("with the header of SSE-KMS", get("k", kms), misplaced("aws:kms"), suite("Ceph s3-tests, test_sse_kms_read_declare"), put("k", "x")),
		row("with the header of encryption", head("k", sse), answers(400), reference("HeadObject, Encryption: 400 Bad Request"), put("k", "x")),
		row("with the header of SSE-KMS", head("k", kms), answers(400), suite("Ceph s3-tests, test_sse_kms_method_head"), put("k", "x")),
		row("with the header of encryption", list(sse), misplaced("AES256"), report("s3fs-fuse #2401")),
		row("with the header of encryption", s3Do((*s3.Client).ListObjects, s3.ListObjectsInput{}, sse), misplaced("AES256"),
			report("s3fs-fuse #2401")),

		row("under SSE-KMS names the key", put("k", "x", keyed()...), answers(200).header(encryptionHeader, "aws:kms").
			header("x-amz-server-side-encryption-aws-kms-key-id", "$KEY"), reference("PutObject, Response Syntax")),
		row("without a header is encrypted by S3", put("k", "x"), answers(200).header(encryptionHeader, "AES256"),
			guide("Amazon S3, default encryption since 2023")),
		row("with a key, without an algorithm", put("k", "x", with("x-amz-server-side-encryption-aws-kms-key-id", "$KEY")),
			refused(400, "InvalidArgument", "").field("ArgumentName", "…"), reference("PutObject, SSEKMSKeyId")),
		row("with an algorithm that is none", put("k", "x", with(encryptionHeader, "AES512")),
			refused(400, "InvalidArgument", "The encryption method specified is not supported").field("ArgumentName", encryptionHeader).
				field("ArgumentValue", "AES512"),
			suite("Ceph s3-tests, encryption")),
		row("under a key that is not there",
			put("k", "x", kms, with("x-amz-server-side-encryption-aws-kms-key-id",
				"arn:aws:kms:$REGION:$A:key/00000000-0000-0000-0000-000000000000")),
			refused(400, "KMS.NotFoundException", "Key 'arn:aws:kms:$REGION:$A:key/00000000-0000-0000-0000-000000000000' does not exist"),
			suite("LocalStack, test_s3.py, test_s3_sse_validate_kms_key")),
		row("under a key of another Region",
			put("k", "x", kms, with("x-amz-server-side-encryption-aws-kms-key-id",
				"arn:aws:kms:$OTHER:$A:key/00000000-0000-0000-0000-000000000000")),
			refused(400, "KMS.NotFoundException", "Invalid arn $OTHER"), suite("LocalStack, test_s3.py, test_s3_sse_validate_kms_key")),
		row("under a key id that is none", put("k", "x", kms, with("x-amz-server-side-encryption-aws-kms-key-id", "fake-key-id")),
			refused(400, "KMS.NotFoundException", "Invalid keyId 'fake-key-id'"), suite("LocalStack, test_s3.py, test_s3_sse_validate_kms_key")),

		row("of a new bucket", s3Do((*s3.Client).GetBucketEncryption, s3.GetBucketEncryptionInput{}), answers(200).
			field("Rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm", "AES256").field("Rule.BucketKeyEnabled", "false"),
			suite("LocalStack, test_s3_default_bucket_encryption")),
		row("after it was deleted", s3Do((*s3.Client).GetBucketEncryption, s3.GetBucketEncryptionInput{}), answers(200).
			field("Rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm", "AES256"),
			guide("Amazon S3, default encryption: it resets to SSE-S3"), encryption(types.ServerSideEncryptionAwsKms, "$KEY"),
			s3Do((*s3.Client).DeleteBucketEncryption, s3.DeleteBucketEncryptionInput{})),
		row("of a bucket that is not there", s3Do((*s3.Client).GetBucketEncryption, s3.GetBucketEncryptionInput{Bucket: str("$NAME-none")}),
			refused(404, "NoSuchBucket", "The specified bucket does not exist").field("BucketName", "$NAME-none"),
			suite("LocalStack, test_s3_default_bucket_encryption_exc")),
		row("twice", s3Do((*s3.Client).DeleteBucketEncryption, s3.DeleteBucketEncryptionInput{}), answers(204),
			suite("LocalStack, test_s3_default_bucket_encryption"),
			s3Do((*s3.Client).DeleteBucketEncryption, s3.DeleteBucketEncryptionInput{})),
		row("without a rule", s3Do((*s3.Client).PutBucketEncryption,
			s3.PutBucketEncryptionInput{
				ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{}},
			}),
			malformedXML(), suite("LocalStack, test_s3_default_bucket_encryption_exc")),
		row("with a key for AES256", encryption(types.ServerSideEncryptionAes256, "$KEY"),
			refused(400, "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse").
				field("ArgumentName", "ApplyServerSideEncryptionByDefault"), suite("LocalStack, test_s3_default_bucket_encryption_exc")),
		row("in a bucket with a key of its own and bucket keys", put("k", "x"), answers(200).header(encryptionHeader, "aws:kms").
			header("x-amz-server-side-encryption-bucket-key-enabled", "true").header("x-amz-server-side-encryption-aws-kms-key-id", "$KEY"),
			suite("LocalStack, test_s3_bucket_encryption_sse_kms"), encryption(types.ServerSideEncryptionAwsKms, "$KEY")),
		row("in a bucket that names no key: aws/s3 is made", put("k", "x"), answers(200).header(encryptionHeader, "aws:kms").
			header("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:$REGION:$A:key/…"),
			suite("LocalStack, test_s3_bucket_encryption_sse_kms_aws_managed_key"), encryption(types.ServerSideEncryptionAwsKms, "")),
	}
}

func malformedXML() Want {
	return refused(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

// encryption sets the default encryption, with bucket keys.
func encryption(algorithm types.ServerSideEncryption, key string) Step {
	rule := types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm}
	if key != "" {
		rule.KMSMasterKeyID = str(key)
	}
	enabled := true
	return s3Do((*s3.Client).PutBucketEncryption,
		s3.PutBucketEncryptionInput{ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &rule, BucketKeyEnabled: &enabled}},
		}})
}
