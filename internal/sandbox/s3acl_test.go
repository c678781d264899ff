package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

const (
	allUsers      = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
)

func canonical(account string) string { return strings.Repeat("0", 52) + account }

// aclBucket makes a bucket of B that takes ACLs, public ones too unless blocked.
func aclBucket(t testing.TB, b *clients, name string, ownership s3types.ObjectOwnership) *string {
	t.Helper()
	bucket := aws.String(name)
	must[*s3.CreateBucketOutput](t)(b.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: bucket, ObjectOwnership: ownership,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}))
	must[*s3.DeletePublicAccessBlockOutput](t)(b.s3.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: bucket}))
	return bucket
}

// unsigned is a client without credentials.
func unsigned(t testing.TB, sb *sandbox.Sandbox) *clients {
	t.Helper()
	c := as(t, sb, sandbox.Credentials{})
	c.s3 = s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		o.UsePathStyle = true
		o.Credentials = aws.AnonymousCredentials{}
	})
	return c
}

func put(ctx context.Context, c *clients, bucket *string, key string, change ...func(*s3.PutObjectInput)) error {
	in := &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: bytes.NewReader([]byte("data"))}
	for _, f := range change {
		f(in)
	}
	_, err := c.s3.PutObject(ctx, in)
	return err
}

func get(ctx context.Context, c *clients, bucket *string, key string) error {
	out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key)})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, out.Body)
	return err
}

// granted writes grants shortly: "grantee:PERMISSION".
func granted(grants []s3types.Grant) string {
	var out []string
	for _, g := range grants {
		name := aws.ToString(g.Grantee.URI) + strings.TrimLeft(aws.ToString(g.Grantee.ID), "0")
		out = append(out, name[strings.LastIndex(name, "/")+1:]+":"+string(g.Permission))
	}
	return strings.Join(out, " ")
}

func TestBucketACLForms(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	bucket := aclBucket(t, b, "acl-forms", s3types.ObjectOwnershipObjectWriter)
	ctx := t.Context()
	full := accountB + ":FULL_CONTROL"
	grantTo := func(kind s3types.Type, id, uri string, p s3types.Permission) s3types.Grant {
		g := s3types.Grant{Grantee: &s3types.Grantee{Type: kind}, Permission: p}
		if id != "" {
			g.Grantee.ID = aws.String(id)
		}
		if uri != "" {
			g.Grantee.URI = aws.String(uri)
		}
		return g
	}
	body := func(owner string, grants ...s3types.Grant) *s3types.AccessControlPolicy {
		return &s3types.AccessControlPolicy{Owner: &s3types.Owner{ID: aws.String(owner)}, Grants: grants}
	}
	own := canonical(accountB)
	cases := []struct {
		name string
		in   s3.PutBucketAclInput
		want string // grants, or an error code
	}{
		{"private", s3.PutBucketAclInput{ACL: "private"}, full},
		{"public-read", s3.PutBucketAclInput{ACL: "public-read"}, full + " AllUsers:READ"},
		{"public-read-write", s3.PutBucketAclInput{ACL: "public-read-write"}, full + " AllUsers:READ AllUsers:WRITE"},
		{"authenticated-read", s3.PutBucketAclInput{ACL: "authenticated-read"}, full + " AuthenticatedUsers:READ"},
		{"log-delivery-write", s3.PutBucketAclInput{ACL: "log-delivery-write"}, full + " LogDelivery:WRITE LogDelivery:READ_ACP"},
		{"grants in headers", s3.PutBucketAclInput{GrantRead: aws.String(`id="` + canonical(accountA) + `", uri="` + authenticated + `"`),
			GrantWriteACP: aws.String("id=" + own)},
			accountA + ":READ AuthenticatedUsers:READ " + accountB + ":WRITE_ACP"},
		{"grants in the body",
			s3.PutBucketAclInput{
				AccessControlPolicy: body(own, grantTo("CanonicalUser", canonical(accountA), "", "WRITE"), grantTo("Group", "", allUsers, "READ_ACP")),
			},
			accountA + ":WRITE AllUsers:READ_ACP"},
		{"an unknown canned ACL", s3.PutBucketAclInput{ACL: "nonsense"}, "InvalidArgument"},
		{"canned ACL and grants", s3.PutBucketAclInput{ACL: "private", GrantRead: aws.String("id=" + own)}, "InvalidRequest"},
		{"headers and a body", s3.PutBucketAclInput{ACL: "private", AccessControlPolicy: body(own)}, "UnexpectedContent"},
		{"nothing at all", s3.PutBucketAclInput{}, "MissingSecurityHeader"},
		{"an id of no account", s3.PutBucketAclInput{GrantRead: aws.String("id=" + canonical("999999999999"))}, "InvalidArgument"},
		{"a group that does not exist", s3.PutBucketAclInput{GrantRead: aws.String("uri=http://example.com/all")}, "InvalidArgument"},
		{"an e-mail address", s3.PutBucketAclInput{GrantRead: aws.String("emailAddress=a@example.com")}, "MethodNotAllowed"},
		{"a header without form", s3.PutBucketAclInput{GrantRead: aws.String("everybody")}, "InvalidArgument"},
		{
			"another owner in the body",
			s3.PutBucketAclInput{AccessControlPolicy: body(canonical(accountA), grantTo("CanonicalUser", own, "", "READ"))}, "AccessDenied",
		},
		{"a permission that does not exist", s3.PutBucketAclInput{AccessControlPolicy: body(own, grantTo("CanonicalUser", own, "", "OWN"))},
			"MalformedACLError"},
		{"a group id as a user", s3.PutBucketAclInput{AccessControlPolicy: body(own, grantTo("CanonicalUser", "", allUsers, "READ"))},
			"MalformedACLError"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := c.in
			in.Bucket = bucket
			got := ""
			if _, err := b.s3.PutBucketAcl(ctx, &in); err != nil {
				got = code(err)
			} else {
				out := must[*s3.GetBucketAclOutput](t)(b.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket}))
				got = granted(out.Grants)
				if aws.ToString(out.Owner.ID) != own {
					t.Errorf("the owner is %s", aws.ToString(out.Owner.ID))
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBucketACLGrants(t *testing.T) {
	sb := start(t, sandbox.Options{})
	a, b, nobody := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB)), unsigned(t, sb)
	ctx := t.Context()
	list := func(c *clients, bucket *string) error {
		_, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
		return err
	}
	acl := func(c *clients, bucket *string) error {
		_, err := c.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket})
		return err
	}
	upload := func(c *clients, bucket *string) error { return put(ctx, c, bucket, "new") }
	uploadGiving := func(c *clients, bucket *string) error {
		return put(ctx, c, bucket, "given", func(in *s3.PutObjectInput) { in.ACL = s3types.ObjectCannedACLBucketOwnerFullControl })
	}
	removeTheirs := func(c *clients, bucket *string) error {
		_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("owned-by-b")})
		return err
	}
	policy := func(c *clients, bucket *string) error {
		_, err := c.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})
		return err
	}
	toA := aws.String("id=" + canonical(accountA))
	cases := []struct {
		name string
		acl  s3.PutBucketAclInput
		who  *clients
		do   func(*clients, *string) error
		want string
	}{
		{"without a grant account A cannot list", s3.PutBucketAclInput{ACL: "private"}, a, list, "AccessDenied"},
		{"READ lets account A list", s3.PutBucketAclInput{GrantRead: toA}, a, list, ""},
		{"READ does not let it write", s3.PutBucketAclInput{GrantRead: toA}, a, upload, "AccessDenied"},
		{"READ does not let the anonymous caller list", s3.PutBucketAclInput{GrantRead: toA}, nobody, list, "AccessDenied"},
		{"public-read lets the anonymous caller list", s3.PutBucketAclInput{ACL: "public-read"}, nobody, list, ""},
		{"authenticated-read lets account A list", s3.PutBucketAclInput{ACL: "authenticated-read"}, a, list, ""},
		{"authenticated-read keeps the anonymous caller out", s3.PutBucketAclInput{ACL: "authenticated-read"}, nobody, list, "AccessDenied"},
		{"WRITE lets account A put", s3.PutBucketAclInput{GrantWrite: toA}, a, upload, ""},
		{"WRITE lets account A give its object to the bucket's owner", s3.PutBucketAclInput{GrantWrite: toA}, a, uploadGiving, ""},
		{"WRITE does not delete what others own", s3.PutBucketAclInput{GrantWrite: toA}, a, removeTheirs, "AccessDenied"},
		{"WRITE does not list", s3.PutBucketAclInput{GrantWrite: toA}, a, list, "AccessDenied"},
		{"READ_ACP reads the list", s3.PutBucketAclInput{GrantReadACP: toA}, a, acl, ""},
		{"READ does not read the list", s3.PutBucketAclInput{GrantRead: toA}, a, acl, "AccessDenied"},
		{"FULL_CONTROL reads the list", s3.PutBucketAclInput{GrantFullControl: toA}, a, acl, ""},
		{"FULL_CONTROL is not about the rest of the bucket", s3.PutBucketAclInput{GrantFullControl: toA}, a, policy, "AccessDenied"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bucket := aclBucket(t, b, fmt.Sprintf("acl-grants-%d", i), s3types.ObjectOwnershipObjectWriter)
			if err := put(ctx, b, bucket, "owned-by-b"); err != nil {
				t.Fatal(err)
			}
			in := c.acl
			in.Bucket = bucket
			must[*s3.PutBucketAclOutput](t)(b.s3.PutBucketAcl(ctx, &in))
			if err := c.do(c.who, bucket); code(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestACLAndPolicies: a list adds to what policies allow and never takes a denial back.
func TestACLAndPolicies(t *testing.T) {
	sb := start(t, sandbox.Options{})
	a, b := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "acl-and-policies", s3types.ObjectOwnershipObjectWriter)
	must[*s3.PutBucketAclOutput](t)(
		b.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, GrantRead: aws.String("id=" + canonical(accountA))}),
	)
	list := func(c *clients) error {
		_, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
		return err
	}
	if err := list(a); err != nil {
		t.Fatalf("the grant: %v", err)
	}
	// A's users still need their own account's leave.
	must[*iam.CreateUserOutput](t)(a.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("u")}))
	key := must[*iam.CreateAccessKeyOutput](t)(a.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("u")})).AccessKey
	user := as(t, sb, sandbox.Credentials{AccessKeyID: *key.AccessKeyId, SecretAccessKey: *key.SecretAccessKey})
	if err := list(user); code(err) != "AccessDenied" {
		t.Errorf("a user without policies: %v", err)
	}
	must[*s3.PutBucketPolicyOutput](t)(b.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:ListBucket",` +
			`"Resource":"arn:aws:s3:::acl-and-policies","Condition":{"StringEquals":{"aws:PrincipalAccount":"` + accountA + `"}}}}`)}))
	if err := list(a); code(err) != "AccessDenied" {
		t.Errorf("a grant against an explicit deny: %v", err)
	}
}

// TestForeignObjects: what another account wrote is reached by its own list only.
func TestForeignObjects(t *testing.T) {
	sb := start(t, sandbox.Options{})
	a, b, nobody := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB)), unsigned(t, sb)
	ctx := t.Context()
	bucket := aclBucket(t, b, "foreign-objects", s3types.ObjectOwnershipObjectWriter)
	must[*s3.PutBucketAclOutput](t)(
		b.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, GrantWrite: aws.String("id=" + canonical(accountA))}),
	)
	must[*s3.PutBucketPolicyOutput](t)(b.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",` +
			`"Resource":"arn:aws:s3:::foreign-objects/*"}}`)}))
	for key, acl := range map[string]s3types.ObjectCannedACL{
		"plain": "", "for-owner": s3types.ObjectCannedACLBucketOwnerRead, "all-for-owner": s3types.ObjectCannedACLBucketOwnerFullControl,
		"for-all": s3types.ObjectCannedACLPublicRead,
	} {
		if err := put(ctx, a, bucket, key, func(in *s3.PutObjectInput) { in.ACL = acl }); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(ctx, b, bucket, "own"); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, key string
		who       *clients
		want      string
	}{
		{"the writer reads it", "plain", a, ""},
		{"the bucket's owner does not", "plain", b, "AccessDenied"},
		{"nor does the public policy reach it", "plain", nobody, "AccessDenied"},
		{"the public policy does reach the owner's own", "own", nobody, ""},
		{"bucket-owner-read", "for-owner", b, ""},
		{"bucket-owner-read is for no other caller", "for-owner", nobody, "AccessDenied"},
		{"bucket-owner-full-control", "all-for-owner", b, ""},
		{"public-read", "for-all", nobody, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := get(ctx, c.who, bucket, c.key); code(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	readACL := func(c *clients, key string) error {
		_, err := c.s3.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: bucket, Key: aws.String(key)})
		return err
	}
	if err := readACL(b, "plain"); code(err) != "AccessDenied" {
		t.Errorf("the list of a foreign object: %v", err)
	}
	if err := readACL(b, "all-for-owner"); err != nil {
		t.Errorf("the list of an object that was given: %v", err)
	}
	if _, err := a.s3.PutObjectAcl(ctx, &s3.PutObjectAclInput{
		Bucket: bucket, Key: aws.String("plain"), ACL: s3types.ObjectCannedACLBucketOwnerFullControl,
	}); err != nil {
		t.Fatalf("the writer changes the list: %v", err)
	}
	if err := get(ctx, b, bucket, "plain"); err != nil {
		t.Errorf("after the writer's grant: %v", err)
	}
	if _, err := b.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("for-owner")}); err != nil {
		t.Errorf("the bucket's owner deletes anything: %v", err)
	}
	must[*s3.PutBucketAclOutput](t)(b.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, ACL: "private"}))
	must[*s3.PutBucketOwnershipControlsOutput](t)(b.s3.PutBucketOwnershipControls(ctx,
		&s3.PutBucketOwnershipControlsInput{Bucket: bucket, OwnershipControls: &s3types.OwnershipControls{
			Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: s3types.ObjectOwnershipBucketOwnerEnforced}},
		}}))
	if err := get(ctx, nobody, bucket, "plain"); err != nil {
		t.Errorf("BucketOwnerEnforced gives every object to the bucket's owner, whose policy is public: %v", err)
	}
}

func TestPublicAccessBlockOfACLs(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b, nobody := as(t, sb, sb.RootKeys(accountB)), unsigned(t, sb)
	ctx := t.Context()
	bucket := aclBucket(t, b, "acl-blocked", s3types.ObjectOwnershipObjectWriter)
	if err := put(ctx, b, bucket, "k", func(in *s3.PutObjectInput) { in.ACL = s3types.ObjectCannedACLPublicRead }); err != nil {
		t.Fatal(err)
	}
	if err := get(ctx, nobody, bucket, "k"); err != nil {
		t.Fatalf("a public object: %v", err)
	}
	block := func(ignore, refuse bool) {
		must[*s3.PutPublicAccessBlockOutput](t)(b.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
			Bucket: bucket, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(ignore),
				BlockPublicAcls: aws.Bool(refuse)},
		}))
	}
	block(true, false)
	if err := get(ctx, nobody, bucket, "k"); code(err) != "AccessDenied" {
		t.Errorf("with IgnorePublicAcls: %v", err)
	}
	if _, err := b.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, ACL: "public-read"}); err != nil {
		t.Errorf("IgnorePublicAcls refuses none: %v", err)
	}
	block(false, true)
	if err := get(ctx, nobody, bucket, "k"); err != nil {
		t.Errorf("BlockPublicAcls leaves old ones: %v", err)
	}
	everybody := &s3types.AccessControlPolicy{Owner: &s3types.Owner{ID: aws.String(canonical(accountB))}, Grants: []s3types.Grant{
		{Grantee: &s3types.Grantee{Type: s3types.TypeGroup, URI: aws.String(allUsers)}, Permission: s3types.PermissionRead},
	}}
	refused := map[string]func() error{
		"a canned list of a bucket": func() error {
			_, err := b.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, ACL: "public-read"})
			return err
		},
		"a list of a bucket in the body": func() error {
			_, err := b.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: bucket, AccessControlPolicy: everybody})
			return err
		},
		"a list of an object in the body": func() error {
			_, err := b.s3.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: bucket, Key: aws.String("k"), AccessControlPolicy: everybody})
			return err
		},
		"a new object": func() error {
			return put(ctx, b, bucket, "n", func(in *s3.PutObjectInput) { in.ACL = s3types.ObjectCannedACLAuthenticatedRead })
		},
		"an upload": func() error {
			_, err := b.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
				Bucket: bucket, Key: aws.String("m"), GrantRead: aws.String("uri=" + allUsers),
			})
			return err
		},
	}
	for name, do := range refused {
		t.Run(name, func(t *testing.T) {
			err := do()
			if code(err) != "AccessDenied" || !strings.Contains(message(err), "blocked by the BlockPublicAcls block public access setting") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestACLsUnderBucketOwnerEnforced(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	bucket := aclBucket(t, b, "acl-enforced", "")
	putACL := func(in s3.PutBucketAclInput) error {
		in.Bucket = bucket
		_, err := b.s3.PutBucketAcl(ctx, &in)
		return err
	}
	object := func(acl s3types.ObjectCannedACL) error {
		return put(ctx, b, bucket, "k", func(in *s3.PutObjectInput) { in.ACL = acl })
	}
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"an object for the bucket's owner", object(s3types.ObjectCannedACLBucketOwnerFullControl), ""},
		{"a private object", object(s3types.ObjectCannedACLPrivate), "AccessControlListNotSupported"},
		{"a public object", object(s3types.ObjectCannedACLPublicRead), "AccessControlListNotSupported"},
		{"a private bucket", putACL(s3.PutBucketAclInput{ACL: "private"}), "AccessControlListNotSupported"},
		{"a grant", putACL(s3.PutBucketAclInput{GrantRead: aws.String("id=" + canonical(accountA))}), "AccessControlListNotSupported"},
		{"full control of the owner", putACL(s3.PutBucketAclInput{GrantFullControl: aws.String("id=" + canonical(accountB))}), ""},
	}
	for _, c := range cases {
		if code(c.err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, c.err, c.want)
		}
	}
	out := must[*s3.GetBucketAclOutput](t)(b.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket}))
	if got := granted(out.Grants); got != accountB+":FULL_CONTROL" {
		t.Errorf("the bucket's list reads %s", got)
	}
	// Going back to lists, setting one, and forward again.
	ownership := func(v s3types.ObjectOwnership) error {
		_, err := b.s3.PutBucketOwnershipControls(ctx,
			&s3.PutBucketOwnershipControlsInput{Bucket: bucket, OwnershipControls: &s3types.OwnershipControls{
				Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: v}},
			}})
		return err
	}
	if err := ownership(s3types.ObjectOwnershipBucketOwnerPreferred); err != nil {
		t.Fatal(err)
	}
	if err := putACL(s3.PutBucketAclInput{ACL: "public-read"}); err != nil {
		t.Fatal(err)
	}
	if err := ownership(s3types.ObjectOwnershipBucketOwnerEnforced); code(err) != "InvalidBucketAclWithObjectOwnership" {
		t.Errorf("enforcing over a public list: %v", err)
	}
}

// TestListsOfUploadsAndCopies: an upload keeps the list that it was begun with;
// a copy has the list of its own request, not that of its source.
func TestListsOfUploadsAndCopies(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b, nobody := as(t, sb, sb.RootKeys(accountB)), unsigned(t, sb)
	ctx := t.Context()
	bucket := aclBucket(t, b, "acl-uploads", s3types.ObjectOwnershipObjectWriter)
	up := must[*s3.CreateMultipartUploadOutput](t)(
		b.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: bucket, Key: aws.String("parts"), ACL: s3types.ObjectCannedACLPublicRead,
		}),
	)
	part := must[*s3.UploadPartOutput](t)(
		b.s3.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("data"),
		}),
	)
	must[*s3.CompleteMultipartUploadOutput](t)(b.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: up.Key, UploadId: up.UploadId,
		MultipartUpload: &s3types.CompletedMultipartUpload{Parts: []s3types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}},
	}))
	if err := get(ctx, nobody, bucket, "parts"); err != nil {
		t.Errorf("an upload begun as public-read: %v", err)
	}
	for key, acl := range map[string]s3types.ObjectCannedACL{"copy": "", "public-copy": s3types.ObjectCannedACLPublicRead} {
		must[*s3.CopyObjectOutput](t)(
			b.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String(key), CopySource: aws.String("acl-uploads/parts"), ACL: acl}),
		)
		want := "AccessDenied"
		if acl != "" {
			want = ""
		}
		if err := get(ctx, nobody, bucket, key); code(err) != want {
			t.Errorf("%s: got %v, want %q", key, err, want)
		}
	}
	out := must[*s3.GetObjectAclOutput](t)(b.s3.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: bucket, Key: aws.String("copy")}))
	if got := granted(out.Grants); got != accountB+":FULL_CONTROL" {
		t.Errorf("the copy's list is %s", got)
	}
	if _, err := nobody.s3.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("stolen"), CopySource: aws.String("acl-uploads/copy"),
	}); code(err) != "AccessDenied" {
		t.Errorf("copying what one may not read: %v", err)
	}
}
