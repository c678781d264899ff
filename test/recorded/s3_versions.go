package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// goneVersion has the form of a version id and never was one.
const goneVersion = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"

// badVersion is the refusal of a version id in a bucket that has no versions.
func badVersion(id string) Want {
	return refused(400, "InvalidArgument", "Invalid version id specified").field("ArgumentName", "versionId").field("ArgumentValue", id)
}

// onMarker is the refusal of reading or changing a delete marker.
func onMarker(method string) Want {
	return refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.").field("Method", method).
		field("ResourceType", "DeleteMarker")
}

func deletion(objects ...types.ObjectIdentifier) *types.Delete {
	return &types.Delete{Objects: objects}
}

func marker() []Step {
	return many(versioned(), put("k", "x", keep("FIRST", "x-amz-version-id")), remove("k", keep("MARKER", "x-amz-version-id")))
}

func versionRows() []Row {
	const tags = "LocalStack, test_object_tagging_versioned"
	return []Row{
		row("of a version, in an unversioned bucket", removeVersion("k", goneVersion), badVersion(goneVersion),
			suite("LocalStack, test_delete_object"), put("k", "x")),
		row("of a version, in an unversioned bucket", getVersion("k", goneVersion), badVersion(goneVersion),
			suite("LocalStack, test_get_object_with_version_unversioned_bucket"), put("k", "x")),
		row("of the version null, in an unversioned bucket", getVersion("k", "null"), answers(200).body("x").withoutHeader("x-amz-version-id"),
			suite("LocalStack, test_get_object_with_version_unversioned_bucket"), put("k", "x")),
		row("of a version that never was, in an unversioned bucket",
			s3Do((*s3.Client).DeleteObjects,
				s3.DeleteObjectsInput{Delete: deletion(types.ObjectIdentifier{Key: str("k"), VersionId: str(goneVersion)})}),
			answers(200).field("Error.Code", "NoSuchVersion").field("Error.Key", "k").
				field("Error.Message", "The specified version does not exist.").field("Error.VersionId", goneVersion).without("Deleted.Key"),
			suite("LocalStack, test_delete_objects"), put("k", "x")),
		row("of a version that never was, in a versioned bucket",
			s3Do((*s3.Client).DeleteObjects,
				s3.DeleteObjectsInput{Delete: deletion(types.ObjectIdentifier{Key: str("k"), VersionId: str(goneVersion)})}),
			answers(200).field("Error.Code", "NoSuchVersion").without("Deleted.Key"), suite("LocalStack, test_delete_objects_versioned"),
			versioned(), put("k", "x")),
		row("of keys that are not there",
			s3Do((*s3.Client).DeleteObjects,
				s3.DeleteObjectsInput{Delete: deletion(types.ObjectIdentifier{Key: str("a")}, types.ObjectIdentifier{Key: str("b")})}),
			answers(200).field("#Deleted", "2").field("Deleted.Key", "a").without("Error.Code"), suite("LocalStack, test_delete_objects")),
		row("makes delete markers", s3Do((*s3.Client).DeleteObjects,
			s3.DeleteObjectsInput{Delete: deletion(types.ObjectIdentifier{Key: str("a")})}),
			answers(200).field("Deleted.DeleteMarker", "true").field("Deleted.DeleteMarkerVersionId", "…").without("Deleted.VersionId"),
			suite("LocalStack, test_delete_objects_versioned"), versioned()),
		row("of a delete marker", s3Do((*s3.Client).DeleteObjects,
			s3.DeleteObjectsInput{Delete: deletion(types.ObjectIdentifier{Key: str("k"), VersionId: str("$MARKER")})}),
			answers(200).field("Deleted.DeleteMarker", "true").field("Deleted.DeleteMarkerVersionId", "$MARKER").
				field("Deleted.VersionId", "$MARKER"),
			suite("LocalStack, test_delete_objects_versioned"), marker()...),
		row("of a text that is no version, in a versioned bucket", removeVersion("k", "not-a-version"), badVersion("not-a-version"),
			suite("LocalStack, test_delete_object_versioned"), versioned(), put("k", "x")),
		row("makes a delete marker", remove("k"), answers(204).header("x-amz-delete-marker", "true").header("x-amz-version-id", "…"),
			suite("LocalStack, test_delete_object_versioned"), versioned(), put("k", "x")),
		row("of a key that is not there makes a delete marker", remove("none"), answers(204).header("x-amz-delete-marker", "true"),
			suite("LocalStack, test_delete_object_versioned"), versioned()),
		row("of a delete marker says so", removeVersion("k", "$MARKER"),
			answers(204).header("x-amz-delete-marker", "true").header("x-amz-version-id", "$MARKER"),
			suite("LocalStack, test_delete_object_versioned"), marker()...),
		row("of a version", removeVersion("k", "$FIRST"),
			answers(204).header("x-amz-version-id", "$FIRST").withoutHeader("x-amz-delete-marker"),
			suite("LocalStack, test_delete_object_versioned"), marker()...),
		row("below a delete marker", get("k"),
			refused(404, "NoSuchKey", "The specified key does not exist.").field("Key", "k").header("x-amz-delete-marker", "true").
				header("x-amz-version-id", "$MARKER"),
			suite("recorded headers of a 404 below a delete marker"), marker()...),
		row("of a delete marker", getVersion("k", "$MARKER"), onMarker("GET"), suite("LocalStack, test_delete_object_versioned"), marker()...),
		row("below a delete marker", head("k"), answers(404).header("x-amz-delete-marker", "true"), reference("HeadObject, Versioning"),
			marker()...),
		row("of a version that is gone", getVersion("k", "$FIRST"),
			refused(404, "NoSuchVersion", "The specified version does not exist.").field("Key", "k").field("VersionId", "$FIRST"),
			suite("LocalStack, test_delete_object_versioned"), append(marker(), removeVersion("k", "$FIRST"))...),

		row("while versioning is suspended", put("k", "x"), answers(200).withoutHeader("x-amz-version-id"),
			suite("LocalStack, test_put_object_on_suspended_bucket"), versioned(), suspended()),
		row("while versioning is suspended", complete("k"), answers(200).withoutHeader("x-amz-version-id"),
			suite("Ceph s3-tests, suspended versioning"), versioned(), suspended(), begun("k"), part("k", "part")),
		row("of an object put while versioning is suspended", get("k"), answers(200).header("x-amz-version-id", "null"),
			suite("LocalStack, test_put_object_on_suspended_bucket"), versioned(), suspended(), put("k", "x")),
		row("while versioning is suspended", remove("k"),
			answers(204).header("x-amz-delete-marker", "true").header("x-amz-version-id", "null"),
			suite("LocalStack, test_delete_object_on_suspended_bucket"), versioned(), suspended(), put("k", "x")),
		row("in a versioned bucket", put("k", "x"), answers(200).header("x-amz-version-id", "…"),
			suite("LocalStack, test_delete_object_versioned"), versioned()),

		row("of a delete marker that is the latest", s3Do((*s3.Client).GetObjectTagging, s3.GetObjectTaggingInput{Key: str("k")}),
			onMarker("GET"), suite(tags), marker()...),
		row("of a delete marker by its id",
			s3Do((*s3.Client).GetObjectTagging, s3.GetObjectTaggingInput{Key: str("k"), VersionId: str("$MARKER")}), onMarker("GET"),
			suite(tags), marker()...),
		row("of a delete marker that is the latest",
			s3Do((*s3.Client).PutObjectTagging, s3.PutObjectTaggingInput{Key: str("k"), Tagging: oneTag()}), onMarker("PUT"), suite(tags),
			marker()...),
		row("of a delete marker by its id",
			s3Do((*s3.Client).PutObjectTagging, s3.PutObjectTaggingInput{Key: str("k"), VersionId: str("$MARKER"), Tagging: oneTag()}),
			onMarker("PUT"), suite(tags), marker()...),
		row("of a delete marker that is the latest", s3Do((*s3.Client).DeleteObjectTagging, s3.DeleteObjectTaggingInput{Key: str("k")}),
			onMarker("DELETE"), suite(tags), marker()...),
		row("of a delete marker by its id",
			s3Do((*s3.Client).DeleteObjectTagging, s3.DeleteObjectTaggingInput{Key: str("k"), VersionId: str("$MARKER")}),
			onMarker("DELETE"), suite(tags), marker()...),
		row("of a delete marker", s3Do((*s3.Client).GetObjectAcl, s3.GetObjectAclInput{Key: str("k"), VersionId: str("$MARKER")}),
			onMarker("GET"), suite("recorded 405 of a delete marker's ACL"), marker()...),

		row("of a new bucket", s3Do((*s3.Client).GetBucketVersioning, s3.GetBucketVersioningInput{}), answers(200).without("Status"),
			suite("LocalStack, test_bucket_versioning_crud")),
		row("after it was suspended", s3Do((*s3.Client).GetBucketVersioning, s3.GetBucketVersioningInput{}),
			answers(200).field("Status", "Suspended"), suite("LocalStack, test_bucket_versioning_crud"), suspended()),
		row("in lower case", versioning("enabled"), malformedXML(), suite("LocalStack, test_bucket_versioning_crud")),
		row("with a status that is none", versioning("Disabled"), malformedXML(), suite("LocalStack, test_bucket_versioning_crud")),
		row("without a status", versioning(""),
			refused(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified"),
			suite("LocalStack, test_bucket_versioning_crud")),
		row("of a bucket that is not there", s3Do((*s3.Client).GetBucketVersioning, s3.GetBucketVersioningInput{Bucket: str("$NAME-none")}),
			refused(404, "NoSuchBucket", "The specified bucket does not exist").field("BucketName", "$NAME-none"),
			suite("LocalStack, test_bucket_versioning_crud")),

		row("with an object in it", s3Do((*s3.Client).DeleteBucket, s3.DeleteBucketInput{}),
			refused(409, "BucketNotEmpty", "The bucket you tried to delete is not empty").field("BucketName", "$BUCKET"),
			suite("LocalStack, test_delete_bucket_with_objects"), put("k", "x")),
		row("with versions in it", s3Do((*s3.Client).DeleteBucket, s3.DeleteBucketInput{}),
			refused(409, "BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.").
				field("BucketName", "$BUCKET"),
			suite("LocalStack, test_delete_versioned_bucket_with_objects"), marker()...),
	}
}

func oneTag() *types.Tagging {
	return &types.Tagging{TagSet: []types.Tag{{Key: str("k"), Value: str("v")}}}
}
