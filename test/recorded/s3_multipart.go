package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The text "part" and its checksum.
const partCRC32C = "cP5/Xg=="

func noSuchUpload() Want {
	return refused(404, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

func conflict(condition string) Want {
	return refused(409, "ConditionalRequestConflict",
		"The conditional request cannot succeed due to a conflicting operation against this resource.").field("Condition", condition).
		field("Key", "k")
}

func failedPrecondition(condition string) Want {
	return refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold").field("Condition", condition)
}

// unimplemented is AWS's own refusal of a header.
func unimplemented(header string) Want {
	return refused(501, "NotImplemented", "A header you provided implies functionality that is not implemented").field("Header", header)
}

func multipartRows() []Row {
	const preconditions = "LocalStack, TestS3ObjectWritePrecondition"
	listParts := func(opts ...Option) Step {
		return s3Do((*s3.Client).ListParts, s3.ListPartsInput{Key: str("k"), UploadId: str("$UPLOAD")}, opts...)
	}
	listUploads := func(opts ...Option) Step {
		return s3Do((*s3.Client).ListMultipartUploads, s3.ListMultipartUploadsInput{}, opts...)
	}
	completing := func(in s3.CompleteMultipartUploadInput, opts ...Option) Step {
		in.Key, in.UploadId = str("k"), str("$UPLOAD")
		return s3Do((*s3.Client).CompleteMultipartUpload, in, opts...)
	}
	partSum := &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: num(1), ETag: str("$ETAG"),
		ChecksumCRC32C: str(partCRC32C)}}}
	full := s3Do((*s3.Client).CreateMultipartUpload,
		s3.CreateMultipartUploadInput{Key: str("k"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
			ChecksumType: types.ChecksumTypeFullObject}, keep("UPLOAD", "UploadId"))
	summedPart := part("k", "part", with("x-amz-checksum-crc32c", partCRC32C))
	return []Row{
		row("with part checksums, begun without an algorithm", completing(s3.CompleteMultipartUploadInput{MultipartUpload: partSum}),
			refused(400, "InvalidPart", ""),
			suite("LocalStack, test_complete_multipart_parts_checksum_default"), begun("k"), part("k", "part")),
		row("of a whole-object checksum without its type",
			completing(s3.CompleteMultipartUploadInput{MultipartUpload: partSum, ChecksumCRC32C: str(partCRC32C)}),
			refused(400, "BadDigest", "The crc32c you specified did not match the calculated checksum."),
			suite("LocalStack, test_multipart_parts_checksum_exceptions_full_object"), full, summedPart),
		row("of a whole-object checksum with its type",
			completing(s3.CompleteMultipartUploadInput{MultipartUpload: partSum, ChecksumCRC32C: str(partCRC32C),
				ChecksumType: types.ChecksumTypeFullObject}),
			answers(200).field("ChecksumCRC32C", partCRC32C).field("ChecksumType", "FULL_OBJECT"),
			suite("LocalStack, complete-success of a CRC32C upload"), full, summedPart),
		row("if there is none, after a deletion", complete("k", with("If-None-Match", "*")), conflict("If-None-Match"),
			suite(preconditions), begun("k"), part("k", "part"), put("k", "x"), remove("k")),
		row("if it matches, after it was written again", complete("k", with("If-Match", "$NEW")), conflict("If-Match"),
			suite(preconditions), put("k", "x"), begun("k"), part("k", "part"), put("k", "other", keep("NEW", "ETag"))),
		row("if there is none, and there is one", complete("k", with("If-None-Match", "*")), failedPrecondition("If-None-Match"),
			suite(preconditions), put("k", "x"), begun("k"), part("k", "part")),
		row("if there is none, and there is none", complete("k", with("If-None-Match", "*")), answers(200).field("ETag", "…-1\""),
			suite(preconditions), begun("k"), part("k", "part")),
		row("of an upload that is not there",
			s3Do((*s3.Client).CompleteMultipartUpload,
				s3.CompleteMultipartUploadInput{Key: str("k"), UploadId: str("none"), MultipartUpload: &types.CompletedMultipartUpload{
					Parts: []types.CompletedPart{{PartNumber: num(1), ETag: str("x")}},
				}}), noSuchUpload().field("UploadId", "none"), suite("LocalStack, test_s3.py, multipart errors")),
		row("without a body, of an upload that is not there",
			s3Do((*s3.Client).CompleteMultipartUpload, s3.CompleteMultipartUploadInput{Key: str("k"), UploadId: str("none")}),
			noSuchUpload(), suite("recorded: no body, no such upload")),
		row("without a body", completing(s3.CompleteMultipartUploadInput{}),
			refused(400, "InvalidRequest", "You must specify at least one part"), suite("recorded: complete without parts"), begun("k")),
		row("of a part that is not there",
			completing(s3.CompleteMultipartUploadInput{MultipartUpload: parts(numberedPart(2, "$ETAG"))}),
			refused(400, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "+
				"specified entity tag may not match the part's entity tag.").
				field("PartNumber", "2").field("UploadId", "$UPLOAD"), suite("LocalStack, test_s3.py, multipart errors"), begun("k"),
			part("k", "part")),
		row("with parts out of order",
			completing(s3.CompleteMultipartUploadInput{MultipartUpload: parts(numberedPart(2, "$ETAG"), numberedPart(1, "$ETAG"))}),
			refused(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."),
			reference("CompleteMultipartUpload, Errors"), begun("k"), part("k", "part")),
		row("with a first part that is too small",
			completing(s3.CompleteMultipartUploadInput{MultipartUpload: parts(numberedPart(1, "$ETAG"), numberedPart(2, "$ETAG2"))}),
			refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").field("PartNumber", "1").
				field("ProposedSize", "4").field("MinSizeAllowed", "5242880").field("ETag", "…"),
			suite("LocalStack, test_multipart_complete_multipart_too_small"), begun("k"), part("k", "part"),
			s3Do((*s3.Client).UploadPart, s3.UploadPartInput{Key: str("k"), UploadId: str("$UPLOAD"), PartNumber: num(2)}, object("part"),
				keep("ETAG2", "ETag"))),
		row("of part 10001", s3Do((*s3.Client).UploadPart,
			s3.UploadPartInput{Key: str("k"), UploadId: str("$UPLOAD"), PartNumber: num(10001)}, object("part")),
			refused(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive").
				field("ArgumentName", "partNumber").field("ArgumentValue", "10001"), suite("LocalStack, test_s3.py, multipart errors"),
			begun("k")),
		row("of an upload that is not there",
			s3Do((*s3.Client).UploadPart, s3.UploadPartInput{Key: str("k"), UploadId: str("none"), PartNumber: num(1)}, object("part")),
			noSuchUpload().field("UploadId", "none"), suite("LocalStack, test_s3.py, multipart errors")),
		row("of an upload that is not there",
			s3Do((*s3.Client).AbortMultipartUpload, s3.AbortMultipartUploadInput{Key: str("k"), UploadId: str("none")}), noSuchUpload(),
			reference("AbortMultipartUpload, Errors")),
		row("of an upload", s3Do((*s3.Client).AbortMultipartUpload,
			s3.AbortMultipartUploadInput{Key: str("k"), UploadId: str("$UPLOAD")}), answers(204), reference("AbortMultipartUpload"),
			begun("k")),
		row("with a wrong MD5", part("k", "part", with("Content-MD5", "nGXQqx1sAQjSHmRZGHUDYg==")),
			refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received."),
			suite("Ceph s3-tests, content MD5"), begun("k")),

		row("of a part", listParts(),
			answers(200).field("NextPartNumberMarker", "1").field("PartNumberMarker", "0").field("MaxParts", "1000").
				field("IsTruncated", "false").field("Part.Size", "4").
				field("StorageClass", "STANDARD").field("Initiator.DisplayName", "…").field("Owner.ID", "…"),
			suite("LocalStack, test_list_parts"), begun("k"), part("k", "part")),
		row("without parts", listParts(), answers(200).field("NextPartNumberMarker", "0").without("Part.Size"),
			suite("LocalStack, test_list_parts_empty_part_number_marker"), begun("k")),
		row("says times in whole seconds", listParts(), answers(200).field("Part.LastModified", "…:….000Z"),
			suite("recorded times of lists"), begun("k"), part("k", "part")),
		row("of a bucket without uploads", listUploads(),
			answers(200).field("NextKeyMarker", "").field("NextUploadIdMarker", "").field("KeyMarker", "").field("UploadIdMarker", "").
				field("MaxUploads", "1000").without("Prefix"), suite("LocalStack, test_list_multiparts_parameters")),
		row("of an upload", listUploads(),
			answers(200).field("Upload.Key", "k").field("Upload.UploadId", "$UPLOAD").field("NextKeyMarker", "k").
				field("NextUploadIdMarker", "$UPLOAD").without("Prefix"), suite("LocalStack, TestS3ListMultipartUploads"), begun("k")),
		row("with an empty encoding", listUploads(query("encoding-type", "")), badEncoding(""),
			suite("recorded: four listings with an empty encoding-type")),
		row("with the upload id of another key", listUploads(query("key-marker", "other"), query("upload-id-marker", "$UPLOAD")),
			refused(400, "InvalidArgument", "Invalid uploadId marker").field("ArgumentName", "upload-id-marker").
				field("ArgumentValue", "$UPLOAD"), suite("LocalStack, test_list_multipart_uploads_marker"), begun("k")),

		row("of a range beyond the source",
			s3Do((*s3.Client).UploadPartCopy,
				s3.UploadPartCopyInput{Key: str("k"), UploadId: str("$UPLOAD"), PartNumber: num(1), CopySource: str("$BUCKET/from"),
					CopySourceRange: str("bytes=100-200")}),
			refused(400, "InvalidRequest", "The specified copy range is invalid for the source object size"),
			suite("LocalStack, test_upload_part_copy_range"), put("from", "0123456789"), begun("k")),
		row("of a range that ends beyond the source",
			s3Do((*s3.Client).UploadPartCopy,
				s3.UploadPartCopyInput{Key: str("k"), UploadId: str("$UPLOAD"), PartNumber: num(1), CopySource: str("$BUCKET/from"),
					CopySourceRange: str("bytes=0-100")}),
			refused(400, "InvalidArgument", "Range specified is not valid for source object of size: 10").
				field("ArgumentName", "x-amz-copy-source-range").field("ArgumentValue", "bytes=0-100"),
			suite("LocalStack, test_upload_part_copy_range"), put("from", "0123456789"), begun("k")),
		row("of an upload without part checksums",
			s3Do((*s3.Client).GetObjectAttributes,
				s3.GetObjectAttributesInput{Key: str("k"), ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectParts}}),
			answers(200).field("ObjectParts.PartsCount", "1").
				without("ObjectParts.MaxParts", "ObjectParts.IsTruncated", "ObjectParts.PartNumberMarker"),
			suite("recorded attributes of an upload without part checksums"), begun("k"), part("k", "part"), complete("k")),
	}
}
