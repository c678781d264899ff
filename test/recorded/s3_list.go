package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func badEncoding(value string) Want {
	return refused(400, "InvalidArgument", "Invalid Encoding Method specified in Request").field("ArgumentName", "encoding-type").
		field("ArgumentValue", value)
}

func listRows() []Row {
	objects := func(opts ...Option) Step {
		return s3Do((*s3.Client).ListObjects, s3.ListObjectsInput{}, opts...)
	}
	versions := func(opts ...Option) Step {
		return s3Do((*s3.Client).ListObjectVersions, s3.ListObjectVersionsInput{}, opts...)
	}
	three := many(put("a", "x"), put("b", "x"), put("c", "x"))
	const lists = "LocalStack, test_s3_list_operations.py"
	return []Row{
		row("of an empty bucket", list(),
			answers(200).field("Name", "$BUCKET").field("KeyCount", "0").field("MaxKeys", "1000").field("IsTruncated", "false").
				field("Prefix", "").without("Contents.Key", "NextContinuationToken"), suite(lists)),
		row("of objects", list(), answers(200).field("KeyCount", "3").field("Contents.Key", "a").field("Contents#3.Key", "c").
			field("Contents.Size", "1").field("Contents.StorageClass", "STANDARD").
			field("Contents.ETag", `"9dd4e461268c8034f5c8564e155c67a6"`).without("Contents.Owner.ID"), suite(lists), three...),
		row("says times in whole seconds", list(), answers(200).field("Contents.LastModified", "…:….000Z"),
			suite("recorded times of lists"), put("k", "x")),
		row("says the Region", list(), answers(200).header("x-amz-bucket-region", "$REGION"), suite("recorded headers of lists")),
		row("by pages", list(query("max-keys", "1")),
			answers(200).field("KeyCount", "1").field("IsTruncated", "true").field("NextContinuationToken", "…").field("MaxKeys", "1"),
			suite(lists), three...),
		row("that goes on has no StartAfter", list(query("start-after", "a"), query("continuation-token", "$NEXT")),
			answers(200).without("StartAfter").field("Contents.Key", "b"), suite(lists+", continuation over start-after"),
			append(three, list(query("max-keys", "1"), keep("NEXT", "NextContinuationToken")))...),
		row("after a key", list(query("start-after", "b")),
			answers(200).field("StartAfter", "b").field("Contents.Key", "c").field("KeyCount", "1"), suite(lists), three...),
		row("with an empty token", list(query("continuation-token", "")),
			refused(400, "InvalidArgument", "The continuation token provided is incorrect").field("ArgumentName", "continuation-token"),
			suite(lists)),
		row("with a delimiter", list(query("delimiter", "/"), query("prefix", "d")),
			answers(200).field("CommonPrefixes.Prefix", "d/").field("KeyCount", "1").without("Contents.Key"),
			reference("ListObjectsV2, Examples"), put("d/1", "x"), put("d/2", "x")),
		row("with an encoding that is none", list(query("encoding-type", "base64")), badEncoding("base64"), suite(lists)),
		row("with an empty encoding", list(query("encoding-type", "")), badEncoding(""),
			suite("recorded: four listings with an empty encoding-type")),
		row("with an empty encoding", objects(query("encoding-type", "")), badEncoding(""),
			suite("recorded: four listings with an empty encoding-type")),
		row("with an empty encoding", versions(query("encoding-type", "")), badEncoding(""),
			suite("recorded: four listings with an empty encoding-type")),
		row("encodes keys", list(query("encoding-type", "url")),
			answers(200).field("Contents.Key", "a%2Bb").field("EncodingType", "url"), suite(lists+", URL encoding"), put("a+b", "x")),
		row("with a number that is none", list(query("max-keys", "many")),
			refused(400, "InvalidArgument", "Provided max-keys not an integer or within integer range").field("ArgumentName", "max-keys").
				field("ArgumentValue", "many"), suite("Ceph s3-tests, test_bucket_list_maxkeys_invalid")),
		row("by pages with a delimiter has the next marker", objects(query("max-keys", "1"), query("delimiter", "/")),
			answers(200).field("NextMarker", "a").field("Marker", "").field("IsTruncated", "true"), reference("ListObjects, NextMarker"),
			three...),
		row("by pages has no next marker", objects(query("max-keys", "1")),
			answers(200).without("NextMarker").field("IsTruncated", "true").field("Contents.Owner.ID", "…"),
			reference("ListObjects, NextMarker"), three...),
		row("of an empty bucket", versions(),
			answers(200).field("KeyMarker", "").field("VersionIdMarker", "").field("MaxKeys", "1000").field("IsTruncated", "false").
				field("Prefix", ""), suite("LocalStack, test_list_object_versions_order_unversioned")),
		row("of an unversioned bucket", versions(),
			answers(200).field("Version.VersionId", "null").field("Version.IsLatest", "true").field("Version.Key", "k"),
			suite("LocalStack, test_list_object_versions_order_unversioned"), put("k", "x")),
		row("with a version and no key", versions(query("version-id-marker", "null")),
			refused(400, "InvalidArgument", "A version-id marker cannot be specified without a key marker.").
				field("ArgumentName", "version-id-marker"), suite(lists)),
		row("goes on after a version that is gone", versions(query("key-marker", "k"), query("version-id-marker", "$SECOND")),
			answers(200).field("Version.VersionId", "$FIRST").field("#Version", "1"),
			suite("recorded: deletion while versions are listed"), versioned(), put("k", "1", keep("FIRST", "x-amz-version-id")),
			put("k", "2", keep("SECOND", "x-amz-version-id")), put("k", "3"), removeVersion("k", "$SECOND")),
		row("with an unknown Region", s3Do((*s3.Client).ListBuckets, s3.ListBucketsInput{BucketRegion: str("nowhere-1")}),
			refused(400, "InvalidArgument", "Argument value nowhere-1 is not a valid AWS Region").field("ArgumentName", "bucket-region"),
			suite("LocalStack, test_list_buckets_by_bucket_region")),
		row("by name", s3Do((*s3.Client).ListBuckets, s3.ListBucketsInput{Prefix: str("$BUCKET")}),
			answers(200).field("Buckets.Bucket.Name", "$BUCKET").field("Buckets.Bucket.BucketRegion", "$REGION").field("Prefix", "$BUCKET").
				field("Owner.ID", "…"), suite("LocalStack, test_list_buckets_by_prefix"), put("k", "x")),
	}
}
