package sandbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// queryError is an error of the query services.
type queryError struct {
	Status  int    `xml:"-"`
	Code    string `xml:"Error>Code"`
	Message string `xml:"Error>Message"`
}

// query sends a form past the SDK, which would not send what lacks a
// required parameter.
func (c *clients) query(service string, form url.Values) queryError {
	c.t.Helper()
	body := []byte(form.Encode())
	req := must[*http.Request](c.t)(http.NewRequestWithContext(c.ctx, http.MethodPost, c.sb.Endpoint()+"/", bytes.NewReader(body)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256(body)
	creds := must[aws.Credentials](c.t)(c.cfg.Credentials.Retrieve(c.ctx))
	if err := v4.NewSigner().SignHTTP(c.ctx, creds, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		c.t.Fatal(err)
	}
	status, body := send(c.t, c.cfg.HTTPClient, req)
	out := queryError{Status: status}
	if err := xml.Unmarshal(body, &out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// formOf makes the form of a call from "name", "value" pairs.
func formOf(action, version string, pairs ...string) url.Values {
	form := url.Values{"Action": {action}}
	if version != "" {
		form.Set("Version", version)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func TestIAMValidatesParameters(t *testing.T) {
	w := newWorld(t)
	const version = "2010-05-08"
	long := strings.Repeat("x", 129)
	rows := []struct {
		name, action string
		pairs        []string
		code, text   string
	}{
		{"a required parameter is missing", "GetRole", nil, "ValidationError",
			"1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must not be null"},
		{"all that is wrong is told at once", "PutRolePolicy", []string{"RoleName", long}, "ValidationError",
			"3 validation errors detected: Value at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64; " +
				"Value at 'policyName' failed to satisfy constraint: Member must not be null; " +
				"Value at 'policyDocument' failed to satisfy constraint: Member must not be null"},
		{"a new user's name is shorter than an old one's may be", "CreateUser", []string{"UserName", long[:65]}, "ValidationError",
			"1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"an existing user's name", "GetUser", []string{"UserName", long[:65]}, "NoSuchEntity",
			"The user with name " + long[:65] + " cannot be found."},
		{"characters of a name", "CreateRole", []string{"RoleName", "a/b", "AssumeRolePolicyDocument", "{}"}, "ValidationError",
			"The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		{"a path without its end", "CreateGroup", []string{"GroupName", "g", "Path", "/a"}, "ValidationError",
			"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."},
		{"a prefix without its start", "ListUsers", []string{"PathPrefix", "a"}, "ValidationError",
			"The specified value for pathPrefix is invalid. It must begin with the / character and contain only alphanumeric characters and/or " +
				"/ characters."},
		{"a short session limit", "CreateRole", []string{"RoleName", "r", "AssumeRolePolicyDocument", "{}", "MaxSessionDuration", "3599"},
			"ValidationError", "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value " +
				"greater than or equal to 3600"},
		{"a number that is none", "ListUsers", []string{"MaxItems", "ten"}, "MalformedInput", ""},
		{"too few items a page", "ListUsers", []string{"MaxItems", "0"}, "ValidationError",
			"1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"too many items a page", "ListUserTags", []string{"UserName", "none", "MaxItems", "1001"}, "ValidationError",
			"1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{"a status that is none", "UpdateAccessKey", []string{"UserName", "app", "AccessKeyId", "AKIA000000000000", "Status", "Off"},
			"ValidationError", "1 validation error detected: Value 'Off' at 'status' failed to satisfy constraint: Member must satisfy enum value " +
				"set: [Active, Inactive]"},
		{"a policy in another script", "PutUserPolicy", []string{"UserName", "app", "PolicyName", "p", "PolicyDocument", "{\"Version\":\"Ω\"}"},
			"ValidationError", "The specified value for policyDocument is invalid. It must contain only printable ASCII characters."},
		{"a description in another script", "UpdateRole", []string{"RoleName", "r", "Description", "a — b"}, "ValidationError",
			`1 validation error detected: Value at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: ` +
				`[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`},
		{"no tags", "TagUser", []string{"UserName", "app"}, "ValidationError",
			"1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must not be null"},
		{"a tag without value", "TagUser", []string{"UserName", "app", "Tags.member.1.Key", "k"}, "ValidationError",
			"1 validation error detected: Value at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"},
		{"characters of a tag", "TagUser", []string{"UserName", "app", "Tags.member.1.Key", "k*", "Tags.member.1.Value", ""}, "ValidationError",
			`1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression ` +
				`pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`},
		{"a tag of AWS's own", "TagUser", []string{"UserName", "app", "Tags.member.1.Key", "aws:x", "Tags.member.1.Value", ""}, "InvalidInput",
			"aws: prefixed tag key names are not allowed for external use."},
		{
			"a tag twice", "TagUser", []string{"UserName", "app", "Tags.member.1.Key", "a", "Tags.member.1.Value", "", "Tags.member.2.Key", "A",
				"Tags.member.2.Value", ""}, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
		},
		{"an empty tag key to remove", "UntagUser", []string{"UserName", "app", "TagKeys.member.1", ""}, "ValidationError",
			`1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have ` +
				`length less than or equal to 128, Member must have length greater than or equal to 1, ` +
				`Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]`},
		{"an ARN that is none", "GetPolicy", []string{"PolicyArn", "arn-of-nothing-at-all"}, "InvalidInput",
			"ARN arn-of-nothing-at-all is not valid."},
		{"another version of the API", "GetUser", []string{"Version", "2011-06-15"}, "InvalidAction",
			"Could not find operation GetUser for version 2011-06-15"},
		{"an identity provider without TLS", "CreateOpenIDConnectProvider", []string{"Url", "http://id.example.com"}, "InvalidInput",
			"Invalid Open ID Connect Provider URL. The URL must begin with https://."},
		{"a short thumbprint", "CreateOpenIDConnectProvider", []string{"Url", "https://id.example.com", "ThumbprintList.member.1", "abc"},
			"InvalidInput", "Thumbprint must be exactly 40 characters."},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := w.rootA.query("iam", formOf(row.action, version, row.pairs...))
			if got.Code != row.code || got.Message != row.text {
				t.Errorf("got %s: %s\nwant %s: %s", got.Code, got.Message, row.code, row.text)
			}
		})
	}
	// Validation comes before the policies, as on AWS.
	if got := w.app.query("iam", formOf("GetRole", version, "RoleName", "a/b")); got.Code != "ValidationError" {
		t.Errorf("a user without rights: %+v", got)
	}
	if got := w.rootA.query("sts", formOf("GetCallerIdentity", "")); got.Code != "InvalidAction" ||
		got.Message != "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED" {
		t.Errorf("without a version: %+v", got)
	}
}

func TestSTSValidatesParameters(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		pairs []string
		text  string
	}{
		"nothing given": {nil, "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null"},
		"session name": {[]string{"RoleArn", w.role, "RoleSessionName", "a b"},
			`1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression ` +
				`pattern: [\w+=,.@-]*`},
		"one letter": {[]string{"RoleArn", w.role, "RoleSessionName", "a"},
			"1 validation error detected: Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than " +
				"or equal to 2"},
		"duration": {[]string{"RoleArn", w.role, "RoleSessionName", "ab", "DurationSeconds", "43201"},
			"1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or " +
				"equal to 43200"},
		"external id": {[]string{"RoleArn", w.role, "RoleSessionName", "ab", "ExternalId", "#"},
			`2 validation errors detected: Value '#' at 'externalId' failed to satisfy constraint: Member must satisfy regular ` +
				`expression pattern: ` +
				`[\w+=,.@:\/-]*; Value '#' at 'externalId' failed to satisfy constraint: Member must have length greater than or equal to 2`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.app.query("sts", formOf("AssumeRole", "2011-06-15", row.pairs...)); got.Code != "ValidationError" ||
				got.Message != row.text {
				t.Errorf("got %s: %s\nwant %s", got.Code, got.Message, row.text)
			}
		})
	}
}

func TestIAMListsComeInPages(t *testing.T) {
	sb := start(t, sandbox.Options{})
	c := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	for i := range 5 {
		must[*iam.CreateUserOutput](t)(
			c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(fmt.Sprint("user-", i)), Path: aws.String("/a/")}),
		)
	}
	must[*iam.CreateUserOutput](t)(c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("elsewhere")}))
	var names []string
	pages := 0
	for p := iam.NewListUsersPaginator(c.iam, &iam.ListUsersInput{
		PathPrefix: aws.String("/a"), MaxItems: aws.Int32(2),
	}); p.HasMorePages(); pages++ {
		for _, u := range must[*iam.ListUsersOutput](t)(p.NextPage(ctx)).Users {
			names = append(names, *u.UserName)
		}
	}
	if got := strings.Join(names, " "); got != "user-0 user-1 user-2 user-3 user-4" || pages != 3 {
		t.Errorf("%d pages: %s", pages, got)
	}
	arn := createPolicy(t, c, "versions", allow("s3:GetObject", "*"))
	for range 4 {
		must[*iam.CreatePolicyVersionOutput](t)(
			c.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: aws.String(allow("s3:*", "*"))}),
		)
	}
	var versions []string
	for p := iam.NewListPolicyVersionsPaginator(c.iam,
		&iam.ListPolicyVersionsInput{PolicyArn: &arn, MaxItems: aws.Int32(2)}); p.HasMorePages(); {
		for _, v := range must[*iam.ListPolicyVersionsOutput](t)(p.NextPage(ctx)).Versions {
			versions = append(versions, *v.VersionId)
		}
	}
	if got := strings.Join(versions, " "); got != "v5 v4 v3 v2 v1" {
		t.Errorf("versions: %s", got)
	}
	// Entities of all kinds share the pages.
	must[*iam.AttachUserPolicyOutput](t)(
		c.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("user-1"), PolicyArn: &arn}),
	)
	must[*iam.CreateGroupOutput](t)(c.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("zoo")}))
	must[*iam.AttachGroupPolicyOutput](t)(
		c.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: aws.String("zoo"), PolicyArn: &arn}),
	)
	createRole(t, c, "attached", anyoneIn(accountA))
	must[*iam.AttachRolePolicyOutput](t)(
		c.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("attached"), PolicyArn: &arn}),
	)
	var seen []string
	for p := iam.NewListEntitiesForPolicyPaginator(c.iam,
		&iam.ListEntitiesForPolicyInput{PolicyArn: &arn, MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		out := must[*iam.ListEntitiesForPolicyOutput](t)(p.NextPage(ctx))
		for _, g := range out.PolicyGroups {
			seen = append(seen, *g.GroupName)
		}
		for _, u := range out.PolicyUsers {
			seen = append(seen, *u.UserName)
		}
		for _, r := range out.PolicyRoles {
			seen = append(seen, *r.RoleName)
		}
	}
	if got := strings.Join(seen, " "); got != "zoo user-1 attached" {
		t.Errorf("entities: %s", got)
	}
	only := must[*iam.ListEntitiesForPolicyOutput](t)(
		c.iam.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: &arn, EntityFilter: iamtypes.EntityTypeRole}),
	)
	if len(only.PolicyRoles) != 1 || len(only.PolicyUsers)+len(only.PolicyGroups) != 0 {
		t.Errorf("only roles: %+v", only)
	}
}

func TestIAMConflictsAndQuotas(t *testing.T) {
	sb := start(t, sandbox.Options{})
	c := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	createRole(t, c, "Uploader", anyoneIn(accountA))
	must[*iam.CreateUserOutput](t)(c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("app")}))
	big := allow("s3:GetObject", "arn:aws:s3:::b/"+strings.Repeat("k", 6000))
	must[*iam.PutRolePolicyOutput](t)(
		c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("Uploader"), PolicyName: aws.String("one"), PolicyDocument: &big}),
	)
	for i := range 10 {
		arn := createPolicy(t, c, fmt.Sprint("p", i), allow("s3:GetObject", "*"))
		must[*iam.AttachRolePolicyOutput](t)(
			c.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("Uploader"), PolicyArn: &arn}),
		)
		group := aws.String(fmt.Sprint("g", i))
		must[*iam.CreateGroupOutput](t)(c.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group}))
		must[*iam.AddUserToGroupOutput](t)(c.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: aws.String("app")}))
	}
	must[*iam.CreateGroupOutput](t)(c.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("more")}))
	p0 := "arn:aws:iam::" + accountA + ":policy/p0"
	for _, row := range []struct {
		name       string
		call       func() error
		code, text string
		status     int
	}{
		{"a role whose name differs in case only", func() error {
			_, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: aws.String("uploader"), AssumeRolePolicyDocument: aws.String(anyoneIn(accountA)),
			})
			return err
		}, "EntityAlreadyExists", "Role with name uploader already exists.", 409},
		{"inline policies together", func() error {
			_, err := c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
				RoleName: aws.String("Uploader"), PolicyName: aws.String("two"), PolicyDocument: &big,
			})
			return err
		}, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role Uploader", 409},
		{"an eleventh attached policy", func() error {
			_, err := c.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{
				RoleName: aws.String("Uploader"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
			})
			return err
		}, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409},
		{"an eleventh group", func() error {
			_, err := c.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: aws.String("more"), UserName: aws.String("app")})
			return err
		}, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409},
		{"deleting an attached policy", func() error {
			_, err := c.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &p0})
			return err
		}, "DeleteConflict", "Cannot delete a policy attached to entities.", 409},
		{"deleting a user in groups", func() error {
			_, err := c.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("app")})
			return err
		}, "DeleteConflict", "Cannot delete entity, must remove users from group first.", 409},
		{"deleting a key that is not there", func() error {
			_, err := c.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("app"), AccessKeyId: aws.String("AKIA000000000000")})
			return err
		}, "NoSuchEntity", "The Access Key with id AKIA000000000000 cannot be found", 404},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := row.call(); code(err) != row.code || message(err) != row.text || status(err) != row.status {
				t.Errorf("%v", err)
			}
		})
	}
	root := must[*iam.GetUserOutput](t)(c.iam.GetUser(ctx, &iam.GetUserInput{})).User
	if *root.Arn != "arn:aws:iam::"+accountA+":root" || *root.UserId != accountA || root.UserName != nil {
		t.Errorf("the root user: %+v", root)
	}
}
