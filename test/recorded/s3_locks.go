package recorded

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func lockRows() []Row {
	const configuration = "LocalStack, test_put_object_lock_configuration_on_existing_bucket"
	const errors = "LocalStack, test_put_object_lock_configuration_exc"
	bypass := with("x-amz-bypass-governance-retention", "true")
	notApplicable := refused(400, "InvalidArgument",
		"x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.").
		field("ArgumentName", "x-amz-bypass-governance-retention")
	notFound := refused(404, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket").
		field("BucketName", "$BUCKET")
	read := s3Do((*s3.Client).GetObjectLockConfiguration, s3.GetObjectLockConfigurationInput{})
	lock := func(c types.ObjectLockConfiguration) Step {
		return s3Do((*s3.Client).PutObjectLockConfiguration, s3.PutObjectLockConfigurationInput{ObjectLockConfiguration: &c})
	}
	enabled := types.ObjectLockEnabledEnabled
	days := func(r types.DefaultRetention) *types.ObjectLockRule {
		return &types.ObjectLockRule{DefaultRetention: &r}
	}
	until := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	governed := put("k", "x", with("x-amz-object-lock-mode", "GOVERNANCE"), with("x-amz-object-lock-retain-until-date", until),
		with("x-amz-checksum-crc32", "jNwWgw=="), keep("FIRST", "x-amz-version-id"))
	missing := refused(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
	protected := refused(403, "AccessDenied", "Access Denied because object protected by object lock.")
	return []Row{
		row("around retention, without object lock", remove("k", bypass), notApplicable,
			suite("LocalStack, delete with bypass on a bucket without lock"), put("k", "x")),
		row("around retention, said false, without object lock", remove("k", with("x-amz-bypass-governance-retention", "false")),
			notApplicable, suite("LocalStack, delete with bypass on a bucket without lock"), put("k", "x")),
		row("around retention, without object lock",
			s3Do((*s3.Client).DeleteObjects, s3.DeleteObjectsInput{Delete: deletion(types.ObjectIdentifier{Key: str("k")})}, bypass),
			notApplicable, suite("LocalStack, delete with bypass on a bucket without lock")),
		row("of a locked version", removeVersion("k", "$FIRST"), protected, suite("LocalStack, TestS3ObjectLockRetention"), locked(), governed),
		row("of a locked version, around its retention", removeVersion("k", "$FIRST", bypass), answers(204),
			suite("LocalStack, TestS3ObjectLockRetention"), locked(), governed),
		row("of a bucket without a lock", read, notFound, suite(configuration)),
		row("of a bucket made with a lock", read,
			answers(200).field("ObjectLockEnabled", "Enabled").without("Rule.DefaultRetention.Mode"),
			suite("LocalStack, test_get_put_object_lock_configuration"), locked()),
		row("of a bucket without versions", lock(types.ObjectLockConfiguration{ObjectLockEnabled: enabled}),
			refused(409, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"),
			suite(configuration)),
		row("of a bucket whose versions are suspended", lock(types.ObjectLockConfiguration{ObjectLockEnabled: enabled}),
			refused(409, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"),
			suite(configuration), suspended()),
		row("of a versioned bucket", lock(types.ObjectLockConfiguration{ObjectLockEnabled: enabled}), answers(200), suite(configuration),
			versioned()),
		row("that is not enabled", lock(types.ObjectLockConfiguration{
			Rule: days(types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: num(1)}),
		}), malformedXML(), suite(errors), locked()),
		row("with an empty rule", lock(types.ObjectLockConfiguration{ObjectLockEnabled: enabled, Rule: &types.ObjectLockRule{}}),
			malformedXML(), suite(errors), locked()),
		row("without days", lock(types.ObjectLockConfiguration{ObjectLockEnabled: enabled,
			Rule: days(types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance})}), malformedXML(), suite(errors), locked()),
		row("with days and years", lock(types.ObjectLockConfiguration{ObjectLockEnabled: enabled,
			Rule: days(types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: num(1), Years: num(1)})}),
			malformedXML(), suite(errors), locked()),
		row("of a locked bucket", versioning(types.BucketVersioningStatusSuspended),
			refused(409, "InvalidBucketState",
				"An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."),
			suite("LocalStack, test_disable_versioning_on_locked_bucket"), locked()),
		row("of an object without a lock", s3Do((*s3.Client).GetObjectRetention, s3.GetObjectRetentionInput{Key: str("k")}),
			refused(404, "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration"),
			suite("LocalStack, TestS3ObjectLockRetention"), locked(), put("k", "x")),
		row("in a bucket without a lock", s3Do((*s3.Client).GetObjectRetention, s3.GetObjectRetentionInput{Key: str("k")}), missing,
			suite("LocalStack, TestS3ObjectLockRetention"), put("k", "x")),
		row("of an object in a bucket without a lock",
			put("k", "x", with("x-amz-object-lock-mode", "GOVERNANCE"), with("x-amz-object-lock-retain-until-date", until),
				with("x-amz-checksum-crc32", "jNwWgw==")), missing, suite("LocalStack, TestS3ObjectLockRetention")),
		row("with a lock mode that is none",
			put("k", "x", with("x-amz-object-lock-mode", "STRICT"), with("x-amz-object-lock-retain-until-date", until),
				with("x-amz-checksum-crc32", "jNwWgw==")),
			refused(400, "InvalidArgument", "Unknown wormMode directive.").field("ArgumentName", "x-amz-object-lock-mode").
				field("ArgumentValue", "STRICT"), suite("LocalStack, TestS3ObjectLockRetention"), locked()),
		row("with a lock mode and no date", put("k", "x", with("x-amz-object-lock-mode", "GOVERNANCE"), with("x-amz-checksum-crc32", "jNwWgw==")),
			refused(400, "InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied").
				field("ArgumentName", "x-amz-object-lock-retain-until-date"), suite("LocalStack, TestS3ObjectLockRetention"), locked()),
		row("of a delete marker", s3Do((*s3.Client).GetObjectRetention, s3.GetObjectRetentionInput{Key: str("k")}), onMarker("GET"),
			suite("recorded 405 of a delete marker's retention"), locked(), put("k", "x"), remove("k")),
		row("without a body", s3Do((*s3.Client).PutObjectLegalHold, s3.PutObjectLegalHoldInput{Key: str("k")}), malformedXML(),
			suite("LocalStack, TestS3ObjectLockLegalHold"), locked(), put("k", "x")),
	}
}
