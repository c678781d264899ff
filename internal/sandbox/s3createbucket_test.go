package sandbox_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func TestCreateBucketWishes(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	east := asIn(t, sb, sb.RootKeys(accountB), "us-east-1")
	ctx := t.Context()
	here := &s3types.CreateBucketConfiguration{LocationConstraint: region}
	tagged := func(tags ...s3types.Tag) *s3types.CreateBucketConfiguration {
		return &s3types.CreateBucketConfiguration{LocationConstraint: region, Tags: tags}
	}
	tag := func(k, v string) s3types.Tag { return s3types.Tag{Key: aws.String(k), Value: aws.String(v)} }
	cases := []struct {
		name string
		c    *clients
		in   s3.CreateBucketInput
		want string
	}{
		{"wish-private", b, s3.CreateBucketInput{ACL: "private", CreateBucketConfiguration: here}, ""},
		{"wish-public", b, s3.CreateBucketInput{ACL: "public-read", CreateBucketConfiguration: here}, "InvalidBucketAclWithObjectOwnership"},
		{"wish-public-lists", b, s3.CreateBucketInput{ACL: "public-read", ObjectOwnership: "ObjectWriter", CreateBucketConfiguration: here},
			"InvalidBucketAclWithBlockPublicAccessError"},
		{
			"wish-grant", b, s3.CreateBucketInput{GrantRead: aws.String("id=" + canonical(accountA)), ObjectOwnership: "ObjectWriter",
				CreateBucketConfiguration: here}, "",
		},
		{"wish-ownership", b, s3.CreateBucketInput{ObjectOwnership: "Everybody", CreateBucketConfiguration: here}, "InvalidArgument"},
		{"wish-tags", b, s3.CreateBucketInput{CreateBucketConfiguration: tagged(tag("team", "x"))}, ""},
		{"wish-tags-twice", b, s3.CreateBucketInput{CreateBucketConfiguration: tagged(tag("team", "x"), tag("team", "y"))}, "InvalidTag"},
		{"wish-eu", east, s3.CreateBucketInput{CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "EU"}}, ""},
		{"wish-nowhere", east, s3.CreateBucketInput{CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "moon"}},
			"InvalidLocationConstraint"},
		{"wish-east", east, s3.CreateBucketInput{}, ""},
		{"wish-east", east, s3.CreateBucketInput{}, ""},
		{"wish-private", b, s3.CreateBucketInput{CreateBucketConfiguration: here}, "BucketAlreadyOwnedByYou"},
		{"Wish-Upper", b, s3.CreateBucketInput{CreateBucketConfiguration: here}, "InvalidBucketName"},
		{"wish..dots", b, s3.CreateBucketInput{CreateBucketConfiguration: here}, "InvalidBucketName"},
		{"192.168.5.4", b, s3.CreateBucketInput{CreateBucketConfiguration: here}, "InvalidBucketName"},
		{"sthree-wish", b, s3.CreateBucketInput{CreateBucketConfiguration: here}, "InvalidBucketName"},
	}
	for _, c := range cases {
		in := c.in
		in.Bucket = aws.String(c.name)
		if _, err := c.c.s3.CreateBucket(ctx, &in); code(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		c    *clients
		in   *s3.CreateBucketInput
		want string
	}{{b, &s3.CreateBucketInput{Bucket: aws.String("here-it-is"), CreateBucketConfiguration: here}, "http://here-it-is.s3.amazonaws.com/"},
		{east, &s3.CreateBucketInput{Bucket: aws.String("there-it-is")}, "/there-it-is"}} {
		if out := must[*s3.CreateBucketOutput](t)(c.c.s3.CreateBucket(ctx, c.in)); *out.Location != c.want {
			t.Errorf("%s is at %s", *c.in.Bucket, *out.Location)
		}
	}
	loc := must[*s3.GetBucketLocationOutput](t)(b.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("wish-eu")}))
	if loc.LocationConstraint != "EU" {
		t.Errorf("the place of an EU bucket is told as %s", loc.LocationConstraint)
	}
	tags := must[*s3.GetBucketTaggingOutput](t)(b.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String("wish-tags")}))
	if len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "x" {
		t.Errorf("tags: %v", tags.TagSet)
	}
	a := as(t, sb, sb.RootKeys(accountA))
	if _, err := a.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("wish-grant")}); err != nil {
		t.Errorf("the grant of a new bucket: %v", err)
	}
}

// TestCreateBucketActions: a wish takes its own permission.
func TestCreateBucketActions(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	must[*iam.CreateUserOutput](t)(b.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("maker")}))
	must[*iam.PutUserPolicyOutput](t)(b.iam.PutUserPolicy(ctx,
		&iam.PutUserPolicyInput{UserName: aws.String("maker"), PolicyName: aws.String("p"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:CreateBucket","Resource":"*"}}`)}))
	key := must[*iam.CreateAccessKeyOutput](t)(b.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("maker")})).AccessKey
	maker := as(t, sb, sandbox.Credentials{AccessKeyID: *key.AccessKeyId, SecretAccessKey: *key.SecretAccessKey})
	here := func() *s3types.CreateBucketConfiguration {
		return &s3types.CreateBucketConfiguration{LocationConstraint: region}
	}
	withTags := here()
	withTags.Tags = []s3types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	for action, in := range map[string]*s3.CreateBucketInput{
		"":                                    {CreateBucketConfiguration: here()},
		"s3:PutBucketOwnershipControls":       {CreateBucketConfiguration: here(), ObjectOwnership: "ObjectWriter"},
		"s3:PutBucketObjectLockConfiguration": {CreateBucketConfiguration: here(), ObjectLockEnabledForBucket: aws.Bool(true)},
		"s3:TagResource":                      {CreateBucketConfiguration: withTags},
	} {
		in.Bucket = aws.String("made-" + strings.ToLower(strings.TrimPrefix(action, "s3:")) + "x")
		_, err := maker.s3.CreateBucket(ctx, in)
		if action == "" && err != nil {
			t.Errorf("a plain bucket: %v", err)
		}
		if action != "" && (code(err) != "AccessDenied" || !strings.Contains(message(err), "perform: "+action+" on")) {
			t.Errorf("%s: %v", action, err)
		}
	}
}
