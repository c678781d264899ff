package sandbox_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
)

const organization = "o-exampleorg1"

func (w *world) guard(t testing.TB, account string, g sandbox.Guardrails) {
	t.Helper()
	if err := w.sb.SetGuardrails(account, g); err != nil {
		t.Fatal(err)
	}
}

func TestServiceControlPoliciesLimitTheAccount(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	put := func() error {
		_, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x")))
		return err
	}
	full := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	w.guard(t, accountA, sandbox.Guardrails{OrganizationID: organization, ServiceControl: []string{full}})
	if err := put(); err != nil {
		t.Errorf("with FullAWSAccess: %v", err)
	}
	w.guard(t, accountA, sandbox.Guardrails{
		OrganizationID: organization, ServiceControl: []string{full, statement("Deny", "s3:PutObject", "*")},
	})
	// Bucket and caller are not in one organization: S3 tells no reason.
	if err := put(); code(err) != "AccessDenied" || message(err) != "Access Denied" {
		t.Errorf("with a deny: %v", err)
	}
	w.guard(t, accountB, sandbox.Guardrails{OrganizationID: organization})
	if err := put(); code(err) != "AccessDenied" || !strings.Contains(message(err), "with an explicit deny in a service control policy") {
		t.Errorf("with a deny, in one organization: %v", err)
	}
	// What no service control policy allows is denied, to the root user as well.
	w.guard(t, accountA, sandbox.Guardrails{OrganizationID: organization, ServiceControl: []string{allow("sts:*", "*")}})
	if _, err := w.rootA.iam.ListUsers(ctx, &iam.ListUsersInput{}); code(err) != "AccessDenied" ||
		!strings.Contains(message(err), "because no service control policy allows the iam:ListUsers action") {
		t.Errorf("the root user: %v", err)
	}
	if err := put(); code(err) != "AccessDenied" {
		t.Errorf("without an allow: %v", err)
	}
	// Account B's own callers are not account A's.
	must[*s3.ListBucketsOutput](t)(w.rootB.s3.ListBuckets(ctx, &s3.ListBucketsInput{}))
	w.guard(t, accountA, sandbox.Guardrails{})
	if err := put(); err != nil {
		t.Errorf("after the guardrails were removed: %v", err)
	}
}

func TestResourceControlPoliciesLimitAnyCaller(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	perimeter := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":["s3:*","sts:AssumeRole"],`+
		`"Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":%q},`+
		`"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}}`, organization)
	w.guard(t, accountB, sandbox.Guardrails{OrganizationID: organization, ResourceControl: []string{perimeter}})
	put := func() error {
		_, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x")))
		return err
	}
	if err := put(); code(err) != "AccessDenied" {
		t.Errorf("from outside of the organization: %v", err)
	}
	must[*s3.ListObjectsV2Output](t)(w.rootB.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucketB)}))
	w.guard(t, accountA, sandbox.Guardrails{OrganizationID: organization})
	if err := put(); err != nil {
		t.Errorf("from the organization: %v", err)
	}
	// STS's resources are the roles.
	w.guard(t, accountA, sandbox.Guardrails{OrganizationID: organization, ResourceControl: []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}}`}})
	if _, err := w.app.sts.AssumeRole(ctx, w.assumeInput()); code(err) != "AccessDenied" {
		t.Errorf("assuming a role of the account: %v", err)
	}
}

func TestOrganizationConditions(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.putBucketPolicy(
		t,
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:PutObject",`+
			`"Resource":"arn:aws:s3:::%s/logs/*","Condition":{"StringEquals":{"aws:PrincipalOrgID":%q}}}}`, bucketB, organization),
	)
	put := func() error {
		_, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x")))
		return err
	}
	if err := put(); code(err) != "AccessDenied" {
		t.Errorf("a caller of no organization: %v", err)
	}
	w.guard(t, accountA, sandbox.Guardrails{OrganizationID: "o-otherorg001"})
	if err := put(); code(err) != "AccessDenied" {
		t.Errorf("a caller of another organization: %v", err)
	}
	w.guard(t, accountA, sandbox.Guardrails{OrganizationID: organization})
	if err := put(); err != nil {
		t.Errorf("a caller of the organization: %v", err)
	}
	// The caller's own policy can name the organization of the resource.
	w.putIdentity(
		t,
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:PutObject","kms:*"],"Resource":"*",`+
			`"Condition":{"StringEquals":{"aws:ResourceOrgID":%q}}}}`, organization),
	)
	if err := put(); code(err) != "AccessDenied" {
		t.Errorf("a bucket of no organization: %v", err)
	}
	w.guard(t, accountB, sandbox.Guardrails{OrganizationID: organization})
	if err := put(); err != nil {
		t.Errorf("a bucket of the organization: %v", err)
	}
}

func TestGuardrailsAreChecked(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for name, row := range map[string]struct {
		account string
		given   sandbox.Guardrails
	}{
		"an account that is not there":       {"999999999999", sandbox.Guardrails{}},
		"an id that is none":                 {accountA, sandbox.Guardrails{OrganizationID: "example"}},
		"policies without an organization":   {accountA, sandbox.Guardrails{ServiceControl: []string{allow("*", "*")}}},
		"a policy that is no policy":         {accountA, sandbox.Guardrails{OrganizationID: organization, ServiceControl: []string{"{"}}},
		"a resource control policy, spoiled": {accountA, sandbox.Guardrails{OrganizationID: organization, ResourceControl: []string{"[]"}}},
	} {
		if err := sb.SetGuardrails(row.account, row.given); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	// A refusal keeps the present guardrails.
	c := as(t, sb, sb.RootKeys(accountA))
	if _, err := c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
		t.Error(err)
	}
	must[*iam.ListUsersOutput](t)(c.iam.ListUsers(t.Context(), &iam.ListUsersInput{}))
}
