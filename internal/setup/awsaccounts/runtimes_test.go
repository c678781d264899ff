package awsaccounts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func TestAWebIdentityIsLetInByItself(t *testing.T) {
	w := newWorld(t)
	const issuer, subject = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE", "system:serviceaccount:logging:brokerd"
	provider, err := w.IAM.CreateOpenIDConnectProvider(t.Context(),
		&iam.CreateOpenIDConnectProviderInput{Url: aws.String(issuer), ClientIDList: []string{"sts.amazonaws.com"}})
	if err != nil {
		t.Fatal(err)
	}
	token := func(subject string) string {
		text, err := w.Sandbox.SignWebIdentity(sandbox.WebIdentity{Issuer: issuer, Subject: subject})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	runsAs := []string{
		"runs_as: {type: user, principal: " + w.UserARN + "}",
		"runs_as: {type: web-identity, provider: \"" + aws.ToString(provider.OpenIDConnectProviderArn) + "\", subject: \"" + subject + "\"}",
		"  credentials_file: " + fmt.Sprintf("%q", filepath.Join(w.Dir, "credentials")) + "\n",
	}
	cfg, a := w.config(t, append(runsAs, "  source: {type: web-identity, token_file: "+token(subject)+"}\n")...), w.connect(t)
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if p.Proven() != setup.Holds {
		t.Errorf("%+v", p.Proof)
	}
	w.apply(t, a, p)
	assume := func(path string) error {
		c := w.config(t, append(runsAs, "  source: {type: web-identity, token_file: "+path+"}\n")...)
		b, err := broker.New(broker.Options{Config: c, HTTPClient: w.client})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Refresh(t.Context(), "audit-logs")
		return err
	}
	if err := assume(token(subject)); err != nil {
		t.Errorf("the daemon's own token: %v", err)
	}
	if err := assume(token("system:serviceaccount:logging:other")); err == nil {
		t.Error("another service account's token is taken")
	}
}

// EKS Pod Identity tags its sessions, and the tags go along to every role after:
// without sts:TagSession in the trust policy the role cannot be assumed.
func TestPodIdentityMayTagTheSession(t *testing.T) {
	w := newWorld(t)
	role, err := w.IAM.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("pod"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + w.UserARN + `"},"Action":["sts:AssumeRole",` +
			`"sts:TagSession"]}}`)})
	if err != nil {
		t.Fatal(err)
	}
	principal := aws.ToString(role.Role.Arn)
	// The call of the Pod Identity agent: sts:AssumeRole for the pod, with its tags.
	cfg := w.root(w.Sandbox.AccountA())
	keys, err := w.IAM.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("app-host")})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Credentials = aws.CredentialsProviderFunc(
		fixed(aws.ToString(keys.AccessKey.AccessKeyId), aws.ToString(keys.AccessKey.SecretAccessKey)),
	)
	session, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("eks-pod"),
			Tags:              []ststypes.Tag{{Key: aws.String("kubernetes-namespace"), Value: aws.String("logging")}},
			TransitiveTagKeys: []string{"kubernetes-namespace"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
		aws.ToString(session.Credentials.AccessKeyId), aws.ToString(session.Credentials.SecretAccessKey),
		aws.ToString(session.Credentials.SessionToken))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.connect(t)
	for _, c := range []struct {
		kind string
		want report.Result
	}{{"role", report.Fail}, {"pod-identity", report.Pass}} {
		cfg := w.config(t, "runs_as: {type: user, principal: "+w.UserARN+"}", "runs_as: {type: "+c.kind+", principal: \""+principal+"\"}",
			fmt.Sprintf("%q", filepath.Join(w.Dir, "credentials")), fmt.Sprintf("%q", file))
		p := w.plan(t, a, cfg, setup.PlanOptions{})
		w.apply(t, a, p)
		if got := w.verify(t, cfg)["audit-logs"].Result(); got != c.want {
			t.Errorf("set up for %s: %s, want %s", c.kind, got, c.want)
		}
		untrusted := false
		for _, warning := range p.Warnings {
			untrusted = untrusted || warning.Code == setup.WarnRuntime
		}
		if untrusted != (c.kind == "pod-identity") {
			t.Errorf("%s: the role does not trust EKS, and the warnings are %+v", c.kind, p.Warnings)
		}
	}
}
