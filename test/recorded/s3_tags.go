package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func badTag(text string) Want { return refused(400, "InvalidTag", text) }

func tagRows() []Row {
	tag := func(k, v string) types.Tag { return types.Tag{Key: str(k), Value: str(v)} }
	bucket := func(tags ...types.Tag) Step {
		return s3Do((*s3.Client).PutBucketTagging, s3.PutBucketTaggingInput{Tagging: &types.Tagging{TagSet: append([]types.Tag{}, tags...)}})
	}
	objects := func(tags ...types.Tag) Step {
		return s3Do((*s3.Client).PutObjectTagging,
			s3.PutObjectTaggingInput{Key: str("k"), Tagging: &types.Tagging{TagSet: append([]types.Tag{}, tags...)}})
	}
	getBucket := s3Do((*s3.Client).GetBucketTagging, s3.GetBucketTaggingInput{})
	getObject := s3Do((*s3.Client).GetObjectTagging, s3.GetObjectTaggingInput{Key: str("k")})
	header := func(value string) Step { return put("k", "x", with("x-amz-tagging", value)) }
	const crud, validation, objectErrors = "LocalStack, test_bucket_tagging_crud", "LocalStack, test_tagging_validation",
		"LocalStack, test_object_tagging_exc"
	encoded := func(value string) Want {
		return refused(400, "InvalidArgument",
			"The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
			field("ArgumentName", "x-amz-tagging").field("ArgumentValue", value)
	}
	return []Row{
		row("of a bucket without tags", getBucket,
			refused(404, "NoSuchTagSet", "The TagSet does not exist").field("BucketName", "$BUCKET"), suite(crud)),
		row("of a bucket", getBucket, answers(200).field("TagSet.Tag.Key", "a").field("TagSet.Tag.Value", ""), suite(crud), bucket(tag("a", ""))),
		row("without a tag", bucket(), answers(204), suite(crud+", put-bucket-tags-empty")),
		row("with a key twice", bucket(tag("Key1", "a"), tag("Key1", "b")),
			badTag("Cannot provide multiple Tags with the same key").field("TagKey", "Key1"), suite(validation)),
		row("with a key that is none", bucket(tag("Key1,Key2", "a")),
			badTag("The TagKey you have provided is invalid").field("TagKey", "Key1,Key2"), suite(validation)),
		row("with a value that is none", bucket(tag("Key1", "Val1,Val2")),
			badTag("The TagValue you have provided is invalid").field("TagKey", "Key1").field("TagValue", "Val1,Val2"), suite(validation)),
		row("of aws:", bucket(tag("aws:prefixed", "a")),
			badTag("System tags cannot be added/updated by requester").field("TagKey", "aws:prefixed"), suite(validation)),
		row("without a value", s3Do((*s3.Client).PutBucketTagging, s3.PutBucketTaggingInput{Tagging: oneTag()},
			wireBody("<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>")),
			malformedXML(), suite("recorded: a tag without a value")),
		row("of an object without tags", getObject, answers(200).without("TagSet.Tag.Key"),
			suite("LocalStack, test_object_tagging_crud"), put("k", "x")),
		row("of an object, after it was written again", getObject, answers(200).without("TagSet.Tag.Key"),
			suite("LocalStack, test_object_tags_delete_or_overwrite_object"), header("a=b"), put("k", "y")),
		row("of an object that is not there", objects(tag("a", "b")), noSuchKey("k"), suite(objectErrors)),
		row("of an object that is not there", s3Do((*s3.Client).DeleteObjectTagging, s3.DeleteObjectTaggingInput{Key: str("k")}),
			noSuchKey("k"), suite(objectErrors)),
		row("with a key twice", objects(tag("Key1", "a"), tag("Key1", "b")),
			badTag("Cannot provide multiple Tags with the same key").field("TagKey", "Key1"), suite(validation), put("k", "x")),
		row("with a key that is none", objects(tag("Key1,Key2", "a")),
			badTag("The TagKey you have provided is invalid").field("TagKey", "Key1,Key2"), suite(validation), put("k", "x")),
		row("of aws:", objects(tag("aws:prefixed", "a")),
			badTag("Your TagKey cannot be prefixed with aws:").field("TagKey", "aws:prefixed"), suite(validation), put("k", "x")),
		row("without a tag", objects(), answers(200), suite("recorded: an empty tag set"), put("k", "x")),
		row("with tags of aws:", header("aws:a=b"), badTag("Your TagKey cannot be prefixed with aws:"), suite("recorded tags of PutObject")),
		row("with a tag twice", header("key1=val1&key1=val2"), encoded("key1=val1&key1=val2"), suite(objectErrors)),
		row("with tags that are no query", header("key1=val1,key2=val2"), encoded("key1=val1,key2=val2"), suite(objectErrors)),
		row("says how many tags there are", get("k"), answers(200).header("x-amz-tagging-count", "1"),
			suite("LocalStack, test_object_tagging_crud"), header("a=b")),
		row("of an object", s3Do((*s3.Client).DeleteObjectTagging, s3.DeleteObjectTaggingInput{Key: str("k")}), answers(204),
			suite("LocalStack, test_object_tagging_crud"), header("a=b")),
	}
}
