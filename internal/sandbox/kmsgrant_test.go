package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// opaque is all that KMS says to a caller of another account.
const opaque = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy " +
	"explicitly denies access"

// userWith is a new user with one inline policy; none when statement is empty.
func userWith(t testing.TB, root *clients, name, statement string) (u *clients, arn string) {
	t.Helper()
	made := must[*iam.CreateUserOutput](t)(root.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String(name)}))
	if statement != "" {
		must[*iam.PutUserPolicyOutput](t)(root.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
			UserName: aws.String(name), PolicyName: aws.String("own"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statement + `]}`),
		}))
	}
	return as(t, root.sb, userKey(t, root, name)), *made.User.Arn
}

func newKey(t testing.TB, c *clients, in *kms.CreateKeyInput) string {
	t.Helper()
	return *must[*kms.CreateKeyOutput](t)(c.kms.CreateKey(t.Context(), in)).KeyMetadata.Arn
}

func TestGrantsDecide(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	const (
		decryptInA = `{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:444455556666:key/*"}`
		denied     = `{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}`
		none       = "because no identity-based policy allows the kms:Encrypt action"
	)
	dept := map[string]string{"dept": "7", "unit": "x"}
	tests := []struct {
		name, account, statement string
		operations               []kmstypes.GrantOperation
		constraints              *kmstypes.GrantConstraints
		encryption               map[string]string
		deniedText               string
	}{
		{"a grant is enough inside the account", accountB, "", ops("Encrypt"), nil, nil, ""},
		{"a grant of another operation is none", accountB, "", ops("Decrypt"), nil, nil, none},
		{"an explicit deny of the caller's policy wins", accountB, denied, ops("Encrypt"), nil, nil,
			"with an explicit deny in an identity-based policy"},
		{"across accounts grant and own policy together allow", accountA, decryptInA, ops("Encrypt"), nil, nil, ""},
		{"across accounts the grant alone does not", accountA, "", ops("Encrypt"), nil, nil, none},
		{"across accounts the own policy alone does not", accountA, decryptInA, nil, nil, nil, opaque},
		{"the context holds the subset that is asked for", accountB, "", ops("Encrypt"),
			&kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"dept": "7"}}, dept, ""},
		{"the context lacks the subset", accountB, "", ops("Encrypt"),
			&kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"dept": "8"}}, dept, none},
		{"the context is equal", accountB, "", ops("Encrypt"), &kmstypes.GrantConstraints{EncryptionContextEquals: dept}, dept, ""},
		{"the context has more than what must be equal", accountB, "", ops("Encrypt"),
			&kmstypes.GrantConstraints{EncryptionContextEquals: map[string]string{"dept": "7"}}, dept, none},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := w.rootB
			if tt.account == accountA {
				root = w.rootA
			}
			user, arn := userWith(t, root, fmt.Sprintf("grantee%d", i), tt.statement)
			key := newKey(t, w.rootB, &kms.CreateKeyInput{})
			in := &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionContext: tt.encryption}
			if tt.operations != nil {
				if _, err := user.kms.Encrypt(ctx, in); code(err) != "AccessDeniedException" {
					t.Fatalf("before the grant: %v", err)
				}
				must[*kms.CreateGrantOutput](t)(
					w.rootB.kms.CreateGrant(ctx, &kms.CreateGrantInput{
						KeyId: &key, GranteePrincipal: &arn, Operations: tt.operations, Constraints: tt.constraints,
					}),
				)
			}
			_, err := user.kms.Encrypt(ctx, in)
			if tt.deniedText == "" {
				if err != nil {
					t.Errorf("with the grant: %v", err)
				}
				return
			}
			if code(err) != "AccessDeniedException" || !strings.Contains(message(err), tt.deniedText) {
				t.Errorf("got %v, want a denial %q", err, tt.deniedText)
			}
		})
	}
}

func ops(names ...string) []kmstypes.GrantOperation {
	var out []kmstypes.GrantOperation
	for _, n := range names {
		out = append(out, kmstypes.GrantOperation(n))
	}
	return out
}

func TestADenyInTheKeyPolicyWinsOverAGrant(t *testing.T) {
	w := newWorld(t)
	user, arn := userWith(t, w.rootB, "u", "")
	w.putKeyPolicy(
		t,
		strings.Replace(w.keyPolicy, `"Statement":[`,
			`"Statement":[{"Effect":"Deny","Principal":{"AWS":"`+arn+`"},"Action":"kms:Encrypt","Resource":"*"},`, 1),
	)
	must[*kms.CreateGrantOutput](t)(
		w.rootB.kms.CreateGrant(t.Context(), &kms.CreateGrantInput{
			KeyId: &w.key, GranteePrincipal: &arn, Operations: ops("Encrypt", "DescribeKey"),
		}),
	)
	must[*kms.DescribeKeyOutput](t)(user.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &w.key}))
	_, err := user.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")})
	if !strings.Contains(message(err), "with an explicit deny in a resource-based policy") {
		t.Errorf("got %v", err)
	}
}

// The key policy names no principal of account A; a grant lets the role use the key.
func TestS3DeliversUnderAGrant(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.putKeyPolicy(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+
		accountB+`:root"},"Action":"kms:*","Resource":"*"}]}`)
	if _, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != "AccessDenied" {
		t.Fatalf("before the grant: %v", err)
	}
	g := must[*kms.CreateGrantOutput](t)(w.rootB.kms.CreateGrant(ctx, &kms.CreateGrantInput{
		KeyId: &w.key, GranteePrincipal: &w.role, Operations: ops("GenerateDataKey"),
		Constraints: &kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"aws:s3:arn": "arn:aws:s3:::" + bucketB}},
	}))
	if _, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); err != nil {
		t.Errorf("with the grant: %v", err)
	}
	noBucketKey := w.put("logs/x", []byte("x"))
	noBucketKey.BucketKeyEnabled = aws.Bool(false)
	if _, err := w.uploader.s3.PutObject(ctx, noBucketKey); code(err) != "AccessDenied" {
		t.Errorf("without a bucket key the context is the object's: %v", err)
	}
	must[*kms.RevokeGrantOutput](t)(w.rootB.kms.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &w.key, GrantId: g.GrantId}))
	if _, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != "AccessDenied" ||
		!strings.Contains(message(err), opaque) {
		t.Errorf("after it was revoked: %v", err)
	}
}

func TestAGrantMeansTheRoleAndNotItsName(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	g := must[*kms.CreateGrantOutput](t)(
		w.rootB.kms.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &w.role, Operations: ops("DescribeKey")}),
	)
	w.putIdentity(
		t, strings.Replace(w.identityPolicy, `"Statement":[`, `"Statement":[{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"},`, 1),
	)
	must[*kms.DescribeKeyOutput](t)(w.uploader.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &w.key}))

	name := aws.String("CrossAccountS3Uploader")
	must[*iam.DeleteRolePolicyOutput](t)(
		w.rootA.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("upload")}),
	)
	must[*iam.DeleteRoleOutput](t)(w.rootA.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
	list := must[*kms.ListGrantsOutput](t)(w.rootB.kms.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &w.key, GrantId: g.GrantId}))
	if len(list.Grants) != 1 || !strings.HasPrefix(*list.Grants[0].GranteePrincipal, "AROA") {
		t.Errorf("the grant to a deleted role: %+v", list.Grants)
	}
	must[*iam.CreateRoleOutput](t)(
		w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: name, AssumeRolePolicyDocument: aws.String(trustPolicy("arn:aws:iam::" + accountA + ":user/app")),
		}),
	)
	w.putIdentity(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"}]}`)
	again := as(t, w.sb, w.assume(t))
	if _, err := again.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &w.key}); code(err) != "AccessDeniedException" {
		t.Errorf("a new role of the name: %v", err)
	}
}

func TestGrantLife(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	grantee, granteeARN := userWith(t, w.rootB, "grantee", "")
	retirer, retirerARN := userWith(t, w.rootB, "retirer", "")
	create := func(name string, operations ...string) *kms.CreateGrantOutput {
		t.Helper()
		in := &kms.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &granteeARN, RetiringPrincipal: &retirerARN, Operations: ops(operations...)}
		if name != "" {
			in.Name = &name
		}
		return must[*kms.CreateGrantOutput](t)(api.CreateGrant(ctx, in))
	}
	one := create("n", "Decrypt", "DescribeKey")
	if two := create("n", "DescribeKey", "Decrypt"); *two.GrantId != *one.GrantId || *two.GrantToken == *one.GrantToken {
		t.Errorf("asked twice with one name: %s and %s", *one.GrantId, *two.GrantId)
	}
	if other := create("n", "Decrypt"); *other.GrantId == *one.GrantId {
		t.Error("another grant of the name is the same one")
	}
	if a, b := create("", "Encrypt"), create("", "Encrypt"); *a.GrantId == *b.GrantId {
		t.Error("without a name two calls gave one grant")
	}
	list := must[*kms.ListGrantsOutput](t)(api.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &w.key, GrantId: one.GrantId}))
	if g := list.Grants[0]; *g.KeyId != w.key || *g.GranteePrincipal != granteeARN || *g.RetiringPrincipal != retirerARN ||
		*g.IssuingAccount != "arn:aws:iam::"+accountB+":root" || *g.Name != "n" {
		t.Errorf("listed: %+v", g)
	}
	retirable := must[*kms.ListRetirableGrantsOutput](t)(
		api.ListRetirableGrants(ctx, &kms.ListRetirableGrantsInput{RetiringPrincipal: &retirerARN}),
	)
	if len(retirable.Grants) != 4 {
		t.Errorf("%d retirable grants, want 4", len(retirable.Grants))
	}
	if none := must[*kms.ListRetirableGrantsOutput](t)(
		api.ListRetirableGrants(ctx, &kms.ListRetirableGrantsInput{RetiringPrincipal: &granteeARN}),
	); len(none.Grants) != 0 {
		t.Errorf("the grantee can retire %d by name", len(none.Grants))
	}
	var ids []string
	pages := kms.NewListGrantsPaginator(api, &kms.ListGrantsInput{KeyId: &w.key, Limit: aws.Int32(3)})
	for pages.HasMorePages() {
		for _, g := range must[*kms.ListGrantsOutput](t)(pages.NextPage(ctx)).Grants {
			ids = append(ids, *g.GrantId)
		}
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 4 {
		t.Errorf("paging gave %v", ids)
	}

	tests := []struct {
		name string
		do   func() error
		want string
	}{
		{"the grantee cannot retire without the operation", func() error {
			_, err := grantee.kms.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &w.key, GrantId: one.GrantId})
			return err
		}, "AccessDeniedException"},
		{"a dry run leaves the grant", func() error {
			_, err := retirer.kms.RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: one.GrantToken, DryRun: aws.Bool(true)})
			return err
		}, "DryRunOperationException"},
		{"the retiring principal retires by token", func() error {
			_, err := retirer.kms.RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: one.GrantToken})
			return err
		}, ""},
		{"the token of a grant that ended", func() error {
			_, err := retirer.kms.RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: one.GrantToken})
			return err
		}, "InvalidGrantTokenException"},
		{"the grantee retires with the operation", func() error {
			_, err := grantee.kms.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &w.key, GrantId: create("r", "RetireGrant").GrantId})
			return err
		}, ""},
		{"a retiring principal cannot revoke", func() error {
			_, err := retirer.kms.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &w.key, GrantId: create("v", "Decrypt").GrantId})
			return err
		}, "AccessDeniedException"},
		{"revoking a missing grant", func() error {
			_, err := api.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &w.key, GrantId: one.GrantId})
			return err
		}, "NotFoundException"},
		{"a principal that is not there", func() error {
			_, err := api.CreateGrant(ctx, &kms.CreateGrantInput{
				KeyId: &w.key, GranteePrincipal: aws.String("arn:aws:iam::" + accountB + ":role/none"), Operations: ops("Decrypt"),
			})
			return err
		}, "InvalidArnException"},
		{"an operation that the key cannot do", func() error {
			_, err := api.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &granteeARN, Operations: ops("Sign")})
			return err
		}, "ValidationException"},
		{"an operation that there is not", func() error {
			_, err := api.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &granteeARN, Operations: ops("Delete")})
			return err
		}, "ValidationException"},
		{"a made-up token", func() error {
			_, err := api.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), GrantTokens: []string{"abc"}})
			return err
		}, "InvalidGrantTokenException"},
		{"the token of a grant", func() error {
			_, err := grantee.kms.Encrypt(ctx, &kms.EncryptInput{
				KeyId: &w.key, Plaintext: []byte("x"), GrantTokens: []string{*create("", "Encrypt").GrantToken},
			})
			return err
		}, ""},
		{"a dry run of CreateGrant", func() error {
			_, err := api.CreateGrant(ctx, &kms.CreateGrantInput{
				KeyId: &w.key, GranteePrincipal: &granteeARN, Operations: ops("Decrypt"), DryRun: aws.Bool(true),
			})
			return err
		}, "DryRunOperationException"},
	}
	for _, tt := range tests {
		if err := tt.do(); code(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestWhatAGranteeMayPassOn(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	grantee, granteeARN := userWith(t, w.rootB, "grantee", "")
	_, otherARN := userWith(t, w.rootB, "other", "")
	only := &kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"dept": "7"}}
	must[*kms.CreateGrantOutput](t)(w.rootB.kms.CreateGrant(ctx, &kms.CreateGrantInput{
		KeyId: &w.key, GranteePrincipal: &granteeARN, Operations: ops("CreateGrant", "Decrypt"), Constraints: only,
	}))
	for _, tt := range []struct {
		name        string
		operations  []kmstypes.GrantOperation
		constraints *kmstypes.GrantConstraints
		want        string
	}{
		{"the same", ops("Decrypt"), only, ""},
		{"narrower", ops("Decrypt"), &kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"dept": "7", "unit": "x"}}, ""},
		{"another operation", ops("Encrypt"), only, "AccessDeniedException"},
		{"no constraint", ops("Decrypt"), nil, "AccessDeniedException"},
		{"another constraint", ops("Decrypt"), &kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"dept": "8"}},
			"AccessDeniedException"},
	} {
		_, err := grantee.kms.CreateGrant(ctx, &kms.CreateGrantInput{
			KeyId: &w.key, GranteePrincipal: &otherARN, Operations: tt.operations, Constraints: tt.constraints,
		})
		if code(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
