package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/secret"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// started runs a broker over the testbed during the test.
func started(t *testing.T, st *testbedtest.Bed) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Options{Config: st.Config, HTTPClient: st.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

func session(t *testing.T, b *broker.Broker) *broker.Session {
	t.Helper()
	s, err := b.Session(t.Context(), testbed.Destination)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func status(t *testing.T, b *broker.Broker) broker.Status {
	t.Helper()
	st, err := b.Status(testbed.Destination)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// as is S3 in the eyes of a broker's session.
func as(st *testbedtest.Bed, b *broker.Broker) *s3.Client {
	return s3.New(s3.Options{
		Region: st.Dest.Region, HTTPClient: st.HTTP, BaseEndpoint: aws.String(st.Sandbox.Endpoint()), UsePathStyle: true,
		Credentials: b.Credentials(testbed.Destination), RetryMaxAttempts: 1,
	})
}

func put(t *testing.T, c *s3.Client, key string) error {
	t.Helper()
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(testbed.Bucket), Key: aws.String(key), Body: strings.NewReader("x"),
	})
	return err
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// generous lets the role write anywhere in the bucket, in both accounts.
func generous(t *testing.T, st *testbedtest.Bed) {
	t.Helper()
	widen := func(doc []byte) string {
		return strings.ReplaceAll(string(doc), testbed.Bucket+"/logs/*", testbed.Bucket+"/*")
	}
	if err := errors.Join(st.PutIdentity(t.Context(), widen(st.Docs.Identity)),
		st.PutBucketPolicy(t.Context(), widen(st.Docs.Bucket))); err != nil {
		t.Fatal(err)
	}
}

func TestSessionIsLimitedToItsDestinationThoughTheRoleIsNot(t *testing.T) {
	for scope, refused := range map[string]bool{config.ScopeAuto: true, config.ScopeOff: false} {
		t.Run(scope, func(t *testing.T) {
			st := testbedtest.New(t)
			generous(t, st)
			st.Dest.Session.Scope = scope
			b := started(t, st)
			c := as(st, b)
			if err := put(t, c, "logs/inside"); err != nil {
				t.Errorf("a put below the prefix: %v", err)
			}
			up, err := c.CreateMultipartUpload(t.Context(),
				&s3.CreateMultipartUploadInput{Bucket: aws.String(testbed.Bucket), Key: aws.String("logs/parts")})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x"),
			}); err != nil {
				t.Errorf("a part: %v", err)
			}
			if _, err := c.AbortMultipartUpload(t.Context(),
				&s3.AbortMultipartUploadInput{Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId}); err != nil {
				t.Errorf("an abort: %v", err)
			}
			if err := put(t, c, "payroll/outside"); (code(err) == "AccessDenied") != refused {
				t.Errorf("a put outside of the prefix: %v", err)
			}
			if got := status(t, b).Scope; (got == "prefix logs/") != refused {
				t.Errorf("Status says %q", got)
			}
		})
	}
}

func TestPolicyThatSTSFindsTooLargeIsLeftOutAndSaysSo(t *testing.T) {
	st := testbedtest.New(t)
	st.Sandbox.SetFaults([]sandbox.Fault{{Operation: "sts:AssumeRole", Code: "PackedPolicyTooLarge", Status: 400, Times: 1}})
	b := started(t, st)
	session(t, b)
	if got := status(t, b).Scope; !strings.HasPrefix(got, "left out") {
		t.Errorf("Status says %q", got)
	}
}

// role makes a role in account A that trusts trusted and may assume next. It returns
// the role's ARN.
func role(t *testing.T, st *testbedtest.Bed, name, trusted, next string) string {
	t.Helper()
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},`+
		`"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`, trusted)
	return roleWith(t, st, name, trust, next)
}

func roleWith(t *testing.T, st *testbedtest.Bed, name, trust, next string) string {
	t.Helper()
	out, err := st.IAM.CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(trust), MaxSessionDuration: aws.Int32(43200),
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := fmt.Sprintf(`{"Version":"2012-10-17",`+
		`"Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":%q}]}`, next)
	if _, err := st.IAM.PutRolePolicy(t.Context(),
		&iam.PutRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String("next"), PolicyDocument: aws.String(doc)}); err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Role.Arn)
}

// trust sets the trust policy of the destination's role, and a maximum session of twelve
// hours.
func trust(t *testing.T, st *testbedtest.Bed, statement string) {
	t.Helper()
	if err := testbedtest.PutTrust(t.Context(), st.World, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s]}`, statement)); err != nil {
		t.Fatal(err)
	}
	if _, err := st.IAM.UpdateRole(t.Context(), &iam.UpdateRoleInput{
		RoleName: aws.String(testbed.RoleName), MaxSessionDuration: aws.Int32(43200),
	}); err != nil {
		t.Fatal(err)
	}
}

func trusting(arn string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%q},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}`, arn)
}

func TestChainOfThreeRolesDeliversAndIsCutToAnHour(t *testing.T) {
	st := testbedtest.New(t)
	hub := role(t, st, "hub", st.UserARN, "*")
	spoke := role(t, st, "spoke", hub, "*")
	trust(t, st, trusting(spoke))
	st.Dest.Chain = []config.Hop{
		{Role: hub, Duration: config.Duration(time.Hour), Tags: map[string]string{"team": "audit"}, TransitiveTags: []string{"team"}},
		{Role: spoke},
	}
	st.Dest.Session.Duration = config.Duration(4 * time.Hour)
	st.Dest.Session.SourceIdentity = "billing"
	b := started(t, st)
	s := session(t, b)
	if left := time.Until(s.Expires); left > time.Hour+time.Minute || left < 50*time.Minute {
		t.Errorf("the session lasts %s", left)
	}
	if !status(t, b).Clamped {
		t.Error("Status does not say that the duration was cut")
	}
	if err := put(t, as(st, b), "logs/chained"); err != nil {
		t.Error(err)
	}
	if arn, err := b.SourceIdentity(t.Context(), testbed.Destination); err != nil || !strings.HasSuffix(arn, ":assumed-role/spoke/brokerd") {
		t.Errorf("the one who assumes the role is %q, %v", arn, err)
	}
}

// STS decides when the configuration does not show a chain.
func TestRefusalForChainingCutsTheDuration(t *testing.T) {
	for _, askable := range []bool{true, false} {
		t.Run(fmt.Sprint("GetCallerIdentity works: ", askable), func(t *testing.T) {
			st := testbedtest.New(t)
			host := role(t, st, "host", st.UserARN, "*")
			trust(t, st, trusting(host))
			// The keys file of the host holds a role's session, as on EC2.
			st.Dest.Role, st.Dest.Session.Scope = host, config.ScopeOff
			keys := session(t, started(t, st))
			writeKeys(t, st, keys)
			st.Dest.Role, st.Dest.Session.Duration = "arn:aws:iam::"+st.Sandbox.AccountA()+":role/"+testbed.RoleName, config.Duration(2*time.Hour)
			if !askable {
				st.Sandbox.SetFaults([]sandbox.Fault{{Operation: "sts:GetCallerIdentity", Code: "AccessDenied", Status: 403}})
			}
			b := started(t, st)
			s := session(t, b)
			if left := time.Until(s.Expires); left > time.Hour+time.Minute {
				t.Errorf("the session lasts %s", left)
			}
			if !status(t, b).Clamped {
				t.Error("Status does not say that the duration was cut")
			}
		})
	}
}

func TestUserAsASourceMayHaveLongSessions(t *testing.T) {
	st := testbedtest.New(t)
	trust(t, st, trusting(st.UserARN))
	st.Dest.Session.Duration = config.Duration(4 * time.Hour)
	b := started(t, st)
	if left := time.Until(session(t, b).Expires); left < 3*time.Hour || status(t, b).Clamped {
		t.Errorf("the session lasts %s, clamped %v", left, status(t, b).Clamped)
	}
}

func writeKeys(t *testing.T, st *testbedtest.Bed, s *broker.Session) {
	t.Helper()
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKeyID, s.SecretAccessKey.Reveal())
	if !s.SessionToken.Empty() {
		text += "aws_session_token = " + s.SessionToken.Reveal() + "\n"
	}
	// systemd and Kubernetes replace the file instead of writing into it.
	path := filepath.Join(st.Dir, "credentials")
	if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// newKeys makes new keys for the host's user and deletes the others.
func newKeys(t *testing.T, st *testbedtest.Bed) *broker.Session {
	t.Helper()
	user := aws.String("app-host")
	old, err := st.IAM.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: user})
	if err != nil {
		t.Fatal(err)
	}
	out, err := st.IAM.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: user})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range old.AccessKeyMetadata {
		if _, err := st.IAM.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: k.AccessKeyId}); err != nil {
			t.Fatal(err)
		}
	}
	return &broker.Session{AccessKeyID: aws.ToString(out.AccessKey.AccessKeyId),
		SecretAccessKey: secret.New(aws.ToString(out.AccessKey.SecretAccessKey))}
}

func TestRotatedKeysFileIsReadAnew(t *testing.T) {
	for _, kind := range []string{config.SourceDefault, config.SourceStatic} {
		t.Run(kind, func(t *testing.T) {
			st := testbedtest.New(t)
			if kind == config.SourceStatic {
				t.Setenv("AWS_ACCESS_KEY_ID", "AKIASTRANGER") // only the file counts
				t.Setenv("AWS_SECRET_ACCESS_KEY", "strange")
			}
			st.Config.AWS.Source.Type = kind
			b := started(t, st)
			session(t, b)
			writeKeys(t, st, newKeys(t, st))
			// One call: the new file must be noticed without a refusal.
			if _, err := b.SourceIdentity(t.Context(), testbed.Destination); err != nil {
				t.Errorf("after the rotation, at the first call: %v", err)
			}
			if _, err := b.Refresh(t.Context(), testbed.Destination); err != nil {
				t.Errorf("after the rotation: %v", err)
			}
		})
	}
}

// printed is the output of container endpoints and credential processes.
func printed(t *testing.T, s *broker.Session, token string) []byte {
	t.Helper()
	out, err := json.Marshal(map[string]any{
		"Version": 1, "AccessKeyId": s.AccessKeyID, "SecretAccessKey": s.SecretAccessKey.Reveal(), token: s.SessionToken.Reveal(),
		"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestContainerEndpointAsASourceAndItsRotatedKeys(t *testing.T) {
	st := testbedtest.New(t)
	var answer atomic.Pointer[[]byte]
	var calls atomic.Int32
	body := printed(t, newKeys(t, st), "Token")
	answer.Store(&body)
	tokenFile := filepath.Join(st.Dir, "token")
	if err := os.WriteFile(tokenFile, []byte("pod-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.Header.Get("Authorization") != "pod-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(*answer.Load())
	}))
	defer srv.Close()
	st.Config.AWS.CredentialsFile = ""
	st.Config.AWS.Source = config.Source{Type: config.SourceContainer, TokenFile: tokenFile}
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", srv.URL+"/v1/credentials") // as EKS Pod Identity sets it
	b := started(t, st)
	session(t, b)
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls to the endpoint", n)
	}
	// The keys are replaced behind the cache: STS refuses the old ones, once.
	body = printed(t, newKeys(t, st), "Token")
	answer.Store(&body)
	if _, err := b.Refresh(t.Context(), testbed.Destination); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
}

func TestCredentialProcessAsASource(t *testing.T) {
	st := testbedtest.New(t)
	out := filepath.Join(st.Dir, "out.json")
	if err := os.WriteFile(out, printed(t, newKeys(t, st), "SessionToken"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(st.Dir, "signer")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho run >> "+st.Dir+"/runs\ncat "+out+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	st.Config.AWS.CredentialsFile = ""
	st.Config.AWS.Source = config.Source{Type: config.SourceProcess, Command: script}
	b := started(t, st)
	session(t, b)
	if _, err := b.Refresh(t.Context(), testbed.Destination); err != nil {
		t.Error(err)
	}
	if runs, _ := os.ReadFile(filepath.Join(st.Dir, "runs")); string(runs) != "run\n" {
		t.Errorf("the command ran %d times for two refreshes", strings.Count(string(runs), "run"))
	}
	if err := os.WriteFile(out, printed(t, newKeys(t, st), "SessionToken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Refresh(t.Context(), testbed.Destination); err != nil {
		t.Errorf("after the keys were replaced: %v", err)
	}
}

func TestOutputOfACredentialProcessIsNeverQuoted(t *testing.T) {
	for name, command := range map[string]string{
		"not JSON": `echo 'SecretAccessKey: hush'`, "cut off": `printf '{"Version":1,"SecretAccessKey":"hush"'`,
		"another version": `echo '{"Version":2,"AccessKeyId":"hush","SecretAccessKey":"hush"}'`, "fails": `echo hush; echo hush >&2; exit 3`,
	} {
		st := testbedtest.New(t)
		st.Config.AWS.CredentialsFile = ""
		st.Config.AWS.Source = config.Source{Type: config.SourceProcess, Command: command}
		b := started(t, st)
		_, err := b.Session(t.Context(), testbed.Destination)
		if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(status(t, b).LastError, "hush") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "fails" && !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("%s: the cause is not to be seen: %v", name, err)
		}
	}
}

func TestProfileAsASource(t *testing.T) {
	st := testbedtest.New(t)
	path := filepath.Join(st.Dir, "credentials")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "[default]", "[broker]", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIASTRANGER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "strange")
	st.Config.AWS.Source.Type, st.Config.AWS.Profile = config.SourceProfile, "broker"
	session(t, started(t, st))
}

const oidcIssuer = "https://oidc.example.com/id/ABC"

func TestWebIdentityStraightIntoTheRoleIsNoChaining(t *testing.T) {
	st := testbedtest.New(t)
	provider, err := st.IAM.CreateOpenIDConnectProvider(t.Context(),
		&iam.CreateOpenIDConnectProviderInput{Url: aws.String(oidcIssuer), ClientIDList: []string{"sts.amazonaws.com"}})
	if err != nil {
		t.Fatal(err)
	}
	federated := fmt.Sprintf(`{"Effect":"Allow","Principal":{"Federated":%q},"Action":"sts:AssumeRoleWithWebIdentity"}`,
		aws.ToString(provider.OpenIDConnectProviderArn))
	trust(t, st, federated)
	token, err := st.Sandbox.SignWebIdentity(sandbox.WebIdentity{Issuer: oidcIssuer, Subject: "system:serviceaccount:default:brokerd"})
	if err != nil {
		t.Fatal(err)
	}
	tokenFile := filepath.Join(st.Dir, "token")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	st.Config.AWS.CredentialsFile = ""
	st.Config.AWS.Source = config.Source{Type: config.SourceWebIdentity}
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile)
	st.Dest.Session.Duration = config.Duration(4 * time.Hour)
	b := started(t, st)
	if left := time.Until(session(t, b).Expires); left < 3*time.Hour || status(t, b).Clamped {
		t.Errorf("the session lasts %s, clamped %v", left, status(t, b).Clamped)
	}
	if err := put(t, as(st, b), "logs/federated"); err != nil {
		t.Error(err)
	}
	t.Run("with a chain behind it, the role is chained", func(t *testing.T) {
		hub := roleWith(t, st, "hub", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s]}`, federated), "*")
		trust(t, st, trusting(hub))
		st.Dest.Chain = []config.Hop{{Role: hub, Duration: config.Duration(4 * time.Hour)}}
		b := started(t, st)
		if left := time.Until(session(t, b).Expires); left > time.Hour+time.Minute || !status(t, b).Clamped {
			t.Errorf("the session lasts %s, clamped %v", left, status(t, b).Clamped)
		}
	})
}

func TestOnlyTheSDKRetriesWithinAFlight(t *testing.T) {
	for failures, served := range map[int]bool{2: true, 3: false} { // the SDK makes three attempts
		st := testbedtest.New(t)
		st.Sandbox.SetFaults([]sandbox.Fault{{Operation: "sts:AssumeRole", Code: "InternalFailure", Status: 500, Times: failures}})
		b, err := broker.New(broker.Options{Config: st.Config, HTTPClient: st.HTTP})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Session(t.Context(), testbed.Destination)
		if (err == nil) != served || status(t, b).STSCalls != 1 {
			t.Errorf("%d failures: %v in %d flights", failures, err, status(t, b).STSCalls)
		}
	}
}
