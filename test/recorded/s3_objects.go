package recorded

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// httpDate is a time in a header's form, so long from now.
func httpDate(d time.Duration) string {
	return time.Now().Add(d).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
}

func noSuchKey(key string) Want {
	return refused(404, "NoSuchKey", "The specified key does not exist.").field("Key", key)
}

func noSuchBucket(name string) Want {
	return refused(404, "NoSuchBucket", "The specified bucket does not exist").field("BucketName", name)
}

func objectRows() []Row {
	const none = "$NAME-none"
	return []Row{
		row("of a key that is not there", get("none"), noSuchKey("none"), reference("GetObject, Errors")),
		row("of a key that is not there", head("none"), answers(404).header("Content-Type", "application/xml"), reference("HeadObject, Errors")),
		row("of a key that is not there", remove("none"), answers(204).withoutHeader("x-amz-delete-marker"),
			suite("LocalStack, test_delete_object")),
		row("in a bucket that is not there", s3Do((*s3.Client).GetObject, s3.GetObjectInput{Bucket: str(none), Key: str("k")}),
			noSuchBucket(none), reference("GetObject, Errors")),
		row("in a bucket that is not there",
			s3Do((*s3.Client).PutObject, s3.PutObjectInput{Bucket: str(none), Key: str("k")}, object("x")), noSuchBucket(none),
			reference("Error Responses")),
		row("in a bucket that is not there", s3Do((*s3.Client).ListObjectsV2, s3.ListObjectsV2Input{Bucket: str(none)}),
			noSuchBucket(none), reference("ListObjectsV2, Errors")),
		row("says ETag and no Region", put("k", "x"),
			answers(200).header("ETag", `"9dd4e461268c8034f5c8564e155c67a6"`).withoutHeader("x-amz-bucket-region"),
			suite("recorded headers of PutObject")),
		row("says no Region", get("k"),
			answers(200).withoutHeader("x-amz-bucket-region").header("Accept-Ranges", "bytes").
				header("Content-Type", "application/octet-stream"), suite("recorded headers of GetObject"), put("k", "x")),
		row("says binary where no type was given", get("k"), answers(200).header("Content-Type", "binary/octet-stream"),
			suite("LocalStack, test_delete_object_versioned, ContentType"),
			raw("s3:PutObject", "PUT", "$BUCKET.s3.$REGION.amazonaws.com/k", wireBody("x"))),
		row("has header names in AWS's case", get("k"),
			answers(200).header("x-amz-meta-mixed-key", "v").header("ETag", "…").header("x-amz-id-2", "…").header("x-amz-request-id", "…").
				exactCase(),
			suite("recorded headers of GetObject"), put("k", "x", with("X-Amz-Meta-Mixed-Key", "v"))),
		row("has metadata in lower case", head("k"), answers(200).header("x-amz-meta-mixed-key", "v").exactCase(),
			suite("LocalStack, moto and Ceph: metadata of HeadObject"), put("k", "x", with("x-amz-meta-Mixed-KEY", "v"))),
		row("of a chunked body keeps the connection", put("k", "x", chunked()), answers(200).withoutHeader("Connection"),
			suite("recorded headers of PutObject")),
		row("of a body of unknown length keeps the connection", raw("s3:PutObject", "PUT", "$BUCKET.s3.$REGION.amazonaws.com/k",
			trailed("1\r\nx\r\n0\r\nx-amz-checksum-crc32:jNwWgw==\r\n\r\n", "x-amz-checksum-crc32"), with("X-Amz-Decoded-Content-Length", "1")),
			answers(200).header("x-amz-checksum-crc32", "jNwWgw==").withoutHeader("Connection"), suite("recorded headers of PutObject")),
		row("with metadata above 2 KiB", put("k", "x", with("x-amz-meta-a", strings.Repeat("a", 2048))),
			refused(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
				field("MaxSizeAllowed", "2048").field("Size", "2049"), suite("LocalStack, test_s3.py, metadata size")),
		row("with a storage class that is none", put("k", "x", with("x-amz-storage-class", "COLD")),
			refused(400, "InvalidStorageClass", "The storage class you specified is not valid").field("StorageClassRequested", "COLD"),
			suite("LocalStack, test_put_object_storage_class")),
		row("with a key of 1025 bytes", put(strings.Repeat("k", 1025), "x"),
			refused(400, "KeyTooLongError", "Your key is too long").field("Size", "1025").field("MaxSizeAllowed", "1024"),
			suite("Ceph s3-tests and AWS's Error Responses")),
		row("with a wrong CRC32", put("k", "x", with("x-amz-checksum-crc32", "AAAAAA==")),
			refused(400, "BadDigest", "The CRC32 you specified did not match the calculated checksum."),
			suite("LocalStack, test_put_object_checksum")),
		row("with a checksum that is none", put("k", "x", with("x-amz-checksum-crc32", "abc")),
			refused(400, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."),
			suite("LocalStack, test_put_object_checksum")),
		row("with two checksums", put("k", "x", with("x-amz-checksum-crc32", "jNwWgw=="), with("x-amz-checksum-crc32c", "qTxfkw==")),
			refused(400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."),
			suite("LocalStack, test_put_object_checksum")),
		row("with a wrong MD5", put("k", "x", with("Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==")),
			refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received.").
				field("ExpectedDigest", "…").field("CalculatedDigest", "…"), suite("Ceph s3-tests, content MD5")),
		row("with an MD5 that is none", put("k", "x", with("Content-MD5", "abc")),
			refused(400, "InvalidDigest", "The Content-MD5 you specified was invalid.").field("Content-MD5", "abc"),
			suite("Ceph s3-tests, content MD5")),
		row("with a checksum", put("k", "x", with("x-amz-checksum-crc32", "jNwWgw==")),
			answers(200).header("x-amz-checksum-crc32", "jNwWgw==").header("x-amz-checksum-type", "FULL_OBJECT"),
			suite("LocalStack, test_put_object_checksum")),
		row("without a checksum gets CRC64NVME", put("k", ""),
			answers(200).header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=").header("x-amz-checksum-type", "FULL_OBJECT"),
			suite("LocalStack, test_cors_match_methods, put-op")),

		row("of a range", get("k", with("Range", "bytes=1-2")),
			answers(206).header("Content-Range", "bytes 1-2/5").header("Content-Length", "2").body("el"), reference("GetObject, Range"),
			put("k", "hello")),
		row("of a range that is the whole object has the checksum",
			get("k", with("Range", "bytes=0-4"), with("x-amz-checksum-mode", "ENABLED")),
			answers(206).header("x-amz-checksum-crc32", "NhCmhg=="), suite("recorded checksums of ranges"),
			put("k", "hello", with("x-amz-checksum-crc32", "NhCmhg=="))),
		row("of a range has no checksum", get("k", with("Range", "bytes=0-3"), with("x-amz-checksum-mode", "ENABLED")),
			answers(206).withoutHeader("x-amz-checksum-crc32"), suite("recorded checksums of ranges"),
			put("k", "hello", with("x-amz-checksum-crc32", "NhCmhg=="))),
		row("of a range beyond the object", get("k", with("Range", "bytes=10-20")),
			refused(416, "InvalidRange", "The requested range is not satisfiable").field("RangeRequested", "bytes=10-20").
				field("ActualObjectSize", "5"), suite("Ceph s3-tests and LocalStack, ranges"), put("k", "hello")),
		row("of a part that is not there", get("k", query("partNumber", "2")),
			refused(416, "InvalidPartNumber", "The requested partnumber is not satisfiable").field("PartNumberRequested", "2").
				field("ActualPartCount", "1"), suite("LocalStack, get_object part number"), put("k", "hello")),
		row("with another ETag", get("k", with("If-Match", `"none"`)), failedPrecondition("If-Match"),
			suite("LocalStack, test_s3_object_preconditions"), put("k", "x")),
		row("unless the ETag is known", get("k", with("If-None-Match", `"9dd4e461268c8034f5c8564e155c67a6"`)), answers(304),
			reference("GetObject, If-None-Match"), put("k", "x")),
		row("if it was modified since the future", get("k", with("If-Modified-Since", httpDate(24*time.Hour))), answers(200).body("x"),
			suite("LocalStack, conditional reads: a date in the future is ignored"), put("k", "x")),
		row("if it was not modified since the past", get("k", with("If-Unmodified-Since", httpDate(-24*time.Hour))),
			failedPrecondition("If-Unmodified-Since"), suite("LocalStack, conditional reads"), put("k", "x")),
		row("if there is none, and there is one", put("k", "x", with("If-None-Match", "*")), failedPrecondition("If-None-Match"),
			suite("LocalStack, TestS3ObjectWritePrecondition"), put("k", "x")),
		row("if there is none, and there is none", put("k", "x", with("If-None-Match", "*")), answers(200),
			suite("LocalStack, TestS3ObjectWritePrecondition")),
		row("if there is none, after a deletion", put("k", "x", with("If-None-Match", "*")), answers(200),
			suite("LocalStack, TestS3ObjectWritePrecondition"), put("k", "x"), remove("k")),
		row("unless an ETag is there", put("k", "x", with("If-None-Match", `"abc"`)),
			unimplemented("If-None-Match").
				field("additionalMessage", "We don't accept the provided value of If-None-Match header for this API"),
			suite("LocalStack, TestS3ObjectWritePrecondition")),
		row("if any is there", put("k", "x", with("If-Match", "*")),
			unimplemented("If-Match").field("additionalMessage", "We don't accept the provided value of If-Match header for this API"),
			suite("LocalStack, TestS3ObjectWritePrecondition"), put("k", "x")),
		row("if it matches, and there is none", put("k", "x", with("If-Match", `"abc"`)), noSuchKey("k"),
			suite("LocalStack, TestS3ObjectWritePrecondition")),
		row("if it matches, and it does not", put("k", "x", with("If-Match", `"abc"`)), failedPrecondition("If-Match"),
			suite("LocalStack, TestS3ObjectWritePrecondition"), put("k", "x")),
		row("if it matches", put("k", "y", with("If-Match", "$TAG")), answers(200), suite("LocalStack, TestS3ObjectWritePrecondition"),
			put("k", "x", keep("TAG", "ETag"))),

		row("of an object", s3Do((*s3.Client).GetObjectAttributes,
			s3.GetObjectAttributesInput{Key: str("k"),
				ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesEtag, types.ObjectAttributesObjectSize,
					types.ObjectAttributesStorageClass}}),
			answers(200).field("ETag", "9dd4e461268c8034f5c8564e155c67a6").field("ObjectSize", "1").field("StorageClass", "STANDARD").
				without("ObjectParts.PartsCount"), suite("LocalStack, test_get_object_attributes"), put("k", "x")),
		row("with an attribute that is none",
			s3Do((*s3.Client).GetObjectAttributes,
				s3.GetObjectAttributesInput{Key: str("k"), ObjectAttributes: []types.ObjectAttributes{"Color"}}),
			refused(400, "InvalidArgument", "Invalid attribute name specified."), suite("LocalStack, test_get_object_attributes"), put("k", "x")),
	}
}

func copyRows() []Row {
	const self = "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
		"metadata, storage class, website redirect location or encryption attributes."
	kms := []Option{with(encryptionHeader, "aws:kms"), with("x-amz-server-side-encryption-aws-kms-key-id", "$KEY")}
	const inPlace = "LocalStack, test_s3_copy_object_in_place"
	condition := func(name string) Want { return failedPrecondition("x-amz-copy-source-" + name) }
	const preconditions = "LocalStack, test_s3_copy_object_preconditions"
	return []Row{
		row("onto itself", copied("k", "k"), refused(400, "InvalidRequest", self), suite(inPlace), put("k", "x")),
		row("onto itself, encrypted by KMS", copied("k", "k"), answers(200).field("ETag", "…"), suite(inPlace+" with encryption"),
			put("k", "x", kms...)),
		row("onto itself, in a bucket with an encryption of its own", copied("k", "k"), answers(200),
			suite(inPlace+" with bucket encryption"), encryption(types.ServerSideEncryptionAwsKms, "$KEY"), put("k", "x")),
		row("onto itself, with a storage class", copied("k", "k", with("x-amz-storage-class", "STANDARD")), answers(200),
			suite(inPlace+"_storage_class"), put("k", "x")),
		row("onto itself, with an encryption", copied("k", "k", with(encryptionHeader, "AES256")), answers(200), suite(inPlace), put("k", "x")),
		row("onto itself, with other metadata", copied("k", "k", with("x-amz-metadata-directive", "REPLACE"), with("x-amz-meta-a", "b")),
			answers(200), suite(inPlace+"_metadata_directive"), put("k", "x")),
		row("of a key that is not there", copied("none", "k"), noSuchKey("none"), reference("CopyObject, Errors")),
		row("with a plus for a space", s3Do((*s3.Client).CopyObject, s3.CopyObjectInput{Key: str("to"), CopySource: str("$BUCKET/a+b")}),
			answers(200), suite("recorded copies: x-amz-copy-source is decoded as a form"), put("a b", "x")),
		row("from a full URL", s3Do((*s3.Client).CopyObject,
			s3.CopyObjectInput{Key: str("to"), CopySource: str("https://s3.amazonaws.com/$BUCKET/k")}), answers(200),
			suite("recorded copies: x-amz-copy-source as a URL"), put("k", "x")),
		row("if modified since the future", copied("k", "to", with("x-amz-copy-source-if-modified-since", httpDate(24*time.Hour))),
			answers(200), suite(preconditions), put("k", "x")),
		row("if the ETag is another", copied("k", "to", with("x-amz-copy-source-if-match", `"none"`)), condition("If-Match"),
			suite(preconditions), put("k", "x")),
		row("unless the ETag is this one", copied("k", "to", with("x-amz-copy-source-if-none-match", "$TAG")),
			condition("If-None-Match"), suite(preconditions), put("k", "x", keep("TAG", "ETag"))),
		row("unless the ETag is this one, without quotes",
			copied("k", "to", with("x-amz-copy-source-if-none-match", "9dd4e461268c8034f5c8564e155c67a6")), condition("If-None-Match"),
			suite(preconditions), put("k", "x")),
		row("if not modified since yesterday", copied("k", "to", with("x-amz-copy-source-if-unmodified-since", httpDate(-24*time.Hour))),
			condition("If-Unmodified-Since"), suite(preconditions), put("k", "x")),
		row("with a directive that is none", copied("k", "to", with("x-amz-metadata-directive", "MERGE")),
			refused(400, "InvalidArgument", "Unknown metadata directive.").field("ArgumentName", "x-amz-metadata-directive").
				field("ArgumentValue", "MERGE"), suite("LocalStack, copy directives"), put("k", "x")),
		row("of a version", s3Do((*s3.Client).CopyObject,
			s3.CopyObjectInput{Key: str("to"), CopySource: str("$BUCKET/k?versionId=$FIRST")}),
			answers(200).header("x-amz-copy-source-version-id", "$FIRST").header("x-amz-version-id", "…"),
			suite("LocalStack, test_s3_copy_object_if_source_modified_since_versioned"), versioned(),
			put("k", "x", keep("FIRST", "x-amz-version-id"))),
	}
}
