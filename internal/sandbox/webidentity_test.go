package sandbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

const (
	clusterIssuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"
	podSubject    = "system:serviceaccount:apps:brokerd"
)

// provider makes the identity provider of a cluster.
func provider(t testing.TB, c *clients, issuer string, audiences ...string) (arn string) {
	t.Helper()
	return *must[*iam.CreateOpenIDConnectProviderOutput](t)(c.iam.CreateOpenIDConnectProvider(t.Context(),
		&iam.CreateOpenIDConnectProviderInput{
			Url: &issuer, ClientIDList: audiences, ThumbprintList: []string{strings.Repeat("ab", 20)},
		})).OpenIDConnectProviderArn
}

func podTrust(provider string) string {
	id := strings.TrimPrefix(clusterIssuer, "https://")
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":%q},
	"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],
		"Condition":{"StringEquals":{"%s:sub":%q,"%s:aud":"sts.amazonaws.com"}}}}`, provider, id, podSubject, id)
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	w := newSTSWorld(t)
	ctx := t.Context()
	arn := provider(t, w.root, clusterIssuer, "sts.amazonaws.com", "other")
	role := w.role("pod", podTrust(arn), onTag("cluster", "one"))
	nobody := as(t, w.sb, sandbox.Credentials{AccessKeyID: "none", SecretAccessKey: "none"}) // the operation is not signed
	good := sandbox.WebIdentity{Issuer: clusterIssuer, Subject: podSubject}
	with := func(change func(*sandbox.WebIdentity)) sandbox.WebIdentity {
		id := good
		change(&id)
		return id
	}
	sign := func(id sandbox.WebIdentity) *string {
		token := must[string](t)(w.sb.SignWebIdentity(id))
		return &token
	}
	in := func(token *string) *sts.AssumeRoleWithWebIdentityInput {
		return &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod-1"), WebIdentityToken: token}
	}
	out := must[*sts.AssumeRoleWithWebIdentityOutput](t)(nobody.sts.AssumeRoleWithWebIdentity(ctx, in(sign(good))))
	if *out.Provider != arn || *out.Audience != "sts.amazonaws.com" || *out.SubjectFromWebIdentityToken != podSubject {
		t.Errorf("the answer: %s %s %s", *out.Provider, *out.Audience, *out.SubjectFromWebIdentityToken)
	}
	session := func(out *sts.AssumeRoleWithWebIdentityOutput) *clients {
		c := out.Credentials
		return as(t, w.sb, sandbox.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken})
	}
	if who := must[*sts.GetCallerIdentityOutput](t)(session(out).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})); *who.Arn !=
		"arn:aws:sts::"+accountA+":assumed-role/pod/pod-1" {
		t.Errorf("the session is %s", *who.Arn)
	}
	if mayList(t, session(out)) {
		t.Error("allowed without the tag")
	}
	tagged := with(func(id *sandbox.WebIdentity) { id.Tags = map[string]string{"cluster": "one"} })
	if !mayList(t, session(must[*sts.AssumeRoleWithWebIdentityOutput](t)(nobody.sts.AssumeRoleWithWebIdentity(ctx, in(sign(tagged)))))) {
		t.Error("denied with the tag of the token")
	}

	spoiled := aws.String(*sign(good) + "x")
	for name, row := range map[string]struct {
		token      *string
		code, text string
	}{
		"an audience the provider does not know": {sign(with(func(id *sandbox.WebIdentity) { id.Audience = "stranger" })),
			"InvalidIdentityToken", "Incorrect token audience"},
		"an audience the role does not trust": {sign(with(func(id *sandbox.WebIdentity) { id.Audience = "other" })), "AccessDenied",
			"Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"another subject": {sign(with(func(id *sandbox.WebIdentity) { id.Subject = "system:serviceaccount:apps:default" })),
			"AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"expired": {sign(with(func(id *sandbox.WebIdentity) { id.Lifetime = sandbox.Duration(-time.Second) })),
			"ExpiredTokenException", "Token expired: current date/time"},
		"an issuer without provider": {sign(with(func(id *sandbox.WebIdentity) { id.Issuer = "https://id.example.com" })),
			"InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://id.example.com"},
		"no token at all":     {aws.String("nonsense"), "InvalidIdentityToken", "The ID Token provided is not a valid JWT."},
		"a spoiled signature": {spoiled, "InvalidIdentityToken", ""},
	} {
		_, err := nobody.sts.AssumeRoleWithWebIdentity(ctx, in(row.token))
		if code(err) != row.code || !strings.HasPrefix(message(err), row.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var expired *ststypes.ExpiredTokenException
	if _, err := nobody.sts.AssumeRoleWithWebIdentity(ctx,
		in(sign(with(func(id *sandbox.WebIdentity) { id.Lifetime = sandbox.Duration(-time.Second) })))); !errors.As(err, &expired) {
		t.Errorf("the SDK does not know %T", err)
	}
	long := in(sign(good))
	long.DurationSeconds = aws.Int32(3601)
	if _, err := nobody.sts.AssumeRoleWithWebIdentity(ctx, long); code(err) != "ValidationError" {
		t.Errorf("over the role's maximum: %v", err)
	}
	missing := in(sign(good))
	missing.RoleArn = aws.String("arn:aws:iam::" + accountA + ":role/none")
	if _, err := nobody.sts.AssumeRoleWithWebIdentity(ctx, missing); code(err) != "AccessDenied" {
		t.Errorf("a role that is not there: %v", err)
	}
	// Without the provider the token is worth nothing.
	must[*iam.DeleteOpenIDConnectProviderOutput](t)(
		w.root.iam.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn}),
	)
	if _, err := nobody.sts.AssumeRoleWithWebIdentity(ctx, in(sign(good))); code(err) != "InvalidIdentityToken" {
		t.Errorf("after the provider was deleted: %v", err)
	}
}

func TestIdentityProviders(t *testing.T) {
	sb := start(t, sandbox.Options{})
	c := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	arn := provider(t, c, "https://id.example.com/tenant/", "a")
	if want := "arn:aws:iam::" + accountA + ":oidc-provider/id.example.com/tenant/"; arn != want {
		t.Errorf("ARN %s, want %s", arn, want)
	}
	if _, err := c.iam.CreateOpenIDConnectProvider(ctx,
		&iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://id.example.com/tenant/")}); code(err) != "EntityAlreadyExists" {
		t.Errorf("a second one: %v", err)
	}
	must[*iam.AddClientIDToOpenIDConnectProviderOutput](t)(
		c.iam.AddClientIDToOpenIDConnectProvider(ctx,
			&iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: aws.String("b")}),
	)
	must[*iam.RemoveClientIDFromOpenIDConnectProviderOutput](t)(
		c.iam.RemoveClientIDFromOpenIDConnectProvider(ctx,
			&iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: aws.String("a")}),
	)
	prints := []string{strings.Repeat("cd", 20)}
	must[*iam.UpdateOpenIDConnectProviderThumbprintOutput](t)(
		c.iam.UpdateOpenIDConnectProviderThumbprint(ctx,
			&iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn, ThumbprintList: prints}),
	)
	got := must[*iam.GetOpenIDConnectProviderOutput](t)(
		c.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn}),
	)
	if *got.Url != "id.example.com/tenant/" || strings.Join(got.ClientIDList, " ") != "b" ||
		strings.Join(got.ThumbprintList, " ") != prints[0] {
		t.Errorf("the provider: %+v", got)
	}
	if _, err := c.iam.UpdateOpenIDConnectProviderThumbprint(ctx,
		&iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn,
			ThumbprintList: []string{"short"}}); code(err) != "InvalidInput" {
		t.Errorf("a short thumbprint: %v", err)
	}
	none := aws.String("arn:aws:iam::" + accountA + ":oidc-provider/none.example.com")
	if _, err := c.iam.GetOpenIDConnectProvider(ctx,
		&iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: none}); code(err) != "NoSuchEntity" ||
		message(err) != "OpenIDConnect Provider not found for arn "+*none {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(podTrust(*none)),
	}); code(err) != "MalformedPolicyDocument" {
		t.Errorf("a trust policy for one that is not there: %v", err)
	}
}
