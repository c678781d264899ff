package misconfig

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

const (
	assumeDenied = "User: arn:aws:iam::A:user/USERNAME is not authorized to perform: sts:AssumeRole on resource: ROLE"
	badSignature = "~The request signature we calculated does not match the signature you provided."
	issuer       = "https://oidc.example.com/id/C0FFEE"
)

func assume(change func(*sts.AssumeRoleInput)) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		_, err := a.Assume(ctx, change)
		return err
	}
}

// as makes a request with other credentials than the session's.
func as(change func(aws.Credentials) aws.Credentials) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		c, err := a.Session.Retrieve(ctx)
		if err != nil {
			return err
		}
		c = change(c)
		other := *a
		other.Session = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
		return other.Put(ctx, nil)
	}
}

func putTrust(change func(doc string, w *testbed.World) string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		return testbedtest.PutTrust(ctx, w, change(string(w.Docs.Trust), w))
	}
}

func identityMistakes() []Mistake {
	return []Mistake{
		{
			Number: 2, Name: "the session has expired", Code: "ExpiredToken", Status: 400, Text: "The provided token has expired.",
			Make: func(_ context.Context, w *testbed.World) error {
				w.Sandbox.ExpireSessions(w.Dest.Role)
				return nil
			},
		},
		{
			Number: 3, Name: "the access key is not there", Code: "InvalidAccessKeyId", Status: 403,
			Text: "The AWS Access Key Id you provided does not exist in our records.",
			Try:  as(func(c aws.Credentials) aws.Credentials { c.AccessKeyID = "ASIAEXAMPLEEXAMPLE00"; return c }),
		},
		{
			Number: 3, Name: "the session's token was left out", Code: "InvalidAccessKeyId", Status: 403,
			Text: "The AWS Access Key Id you provided does not exist in our records.",
			Try:  as(func(c aws.Credentials) aws.Credentials { c.SessionToken = ""; return c }),
		},
		{
			Number: 3, Name: "the token is another's", Code: "InvalidToken", Status: 400,
			Text: "The provided token is malformed or otherwise invalid.",
			Try:  as(func(c aws.Credentials) aws.Credentials { c.SessionToken = "another"; return c }),
		},
		{
			Number: 3, Name: "the application's key was deleted", Code: "InvalidClientTokenId", Status: 403,
			Text: "The security token included in the request is invalid.", Delivery: true,
			Make: func(ctx context.Context, w *testbed.World) error {
				out, err := w.IAM.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: aws.String(w.UserName)})
				if err != nil {
					return err
				}
				for _, k := range out.AccessKeyMetadata {
					if _, err := w.IAM.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: k.UserName, AccessKeyId: k.AccessKeyId}); err != nil {
						return err
					}
				}
				return nil
			},
			Try: assume(nil),
		},
		{
			Number: 4, Name: "the secret is wrong", Code: "SignatureDoesNotMatch", Status: 403, Text: badSignature,
			Try: as(func(c aws.Credentials) aws.Credentials { c.SecretAccessKey += "x"; return c }),
		},
		{
			Number: 4, Name: "something on the way added a header", Code: "AccessDenied", Status: 403,
			Text: "There were headers present in the request which were not signed",
			Try:  func(ctx context.Context, a *Actor) error { return a.putWithUnsignedHeader(ctx) },
		},
		{
			Number: 5, Name: "the clock is 20 minutes behind", Code: "RequestTimeTooSkewed", Status: 403,
			Text: "The difference between the request time and the current time is too large.",
			Make: func(_ context.Context, w *testbed.World) error {
				w.Sandbox.SetClockOffset(20 * time.Minute)
				return nil
			},
		},
		{
			Number: 5, Name: "the clock is 20 minutes behind, for STS", Code: "SignatureDoesNotMatch", Status: 403, Text: "~Signature expired: ",
			Delivery: true,
			Make: func(_ context.Context, w *testbed.World) error {
				w.Sandbox.SetClockOffset(20 * time.Minute)
				return nil
			},
			Try: assume(nil),
		},
		{
			Number: 7, Name: "the trust policy names somebody else", Code: "AccessDenied", Status: 403, Text: assumeDenied, Delivery: true,
			Try: assume(nil),
			Make: putTrust(func(doc string, w *testbed.World) string {
				return strings.ReplaceAll(doc, w.UserARN, "arn:aws:iam::"+w.AccountB+":root")
			}),
		},
		{
			Number: 7, Name: "the role is not there: the same text", Code: "AccessDenied", Status: 403,
			Try:  assume(func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(*in.RoleArn + "s") }),
			Text: assumeDenied + "s",
		},
		{
			Number: 7, Name: "the trust policy delegates to the account, and the caller's own policy is missing", Code: "AccessDenied", Status: 403,
			Text: assumeDenied, Delivery: true, Try: assume(nil),
			Make: putTrust(func(doc string, w *testbed.World) string {
				return strings.ReplaceAll(doc, w.UserARN, "arn:aws:iam::"+w.AccountA+":root")
			}),
		},
		{
			Number: 8, Name: "the trust policy wants an external id", Code: "AccessDenied", Status: 403, Text: assumeDenied, Delivery: true,
			Try:  assume(nil),
			Make: putTrust(func(_ string, w *testbed.World) string { return externalTrust(w) }),
		},
		{
			Number: 8, Name: "the external id is another one", Code: "AccessDenied", Status: 403, Text: assumeDenied,
			Make: putTrust(func(_ string, w *testbed.World) string { return externalTrust(w) }),
			Try:  assume(func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("other") }),
		},
		{
			Number: 9, Name: "the trust policy expects another service account", Code: "AccessDenied", Status: 403,
			Text: "Not authorized to perform sts:AssumeRoleWithWebIdentity", Make: makeWebIdentity,
			Try: webIdentity(sandbox.WebIdentity{Subject: "system:serviceaccount:other:app"}),
		},
		{
			Number: 9, Name: "the token is for another audience", Code: "InvalidIdentityToken", Status: 400, Text: "Incorrect token audience",
			Make: makeWebIdentity, Try: webIdentity(sandbox.WebIdentity{Audience: "vault"}),
		},
		{
			Number: 9, Name: "the identity provider is not known to the account", Code: "InvalidIdentityToken", Status: 400,
			Text: "No OpenIDConnect provider found in your account for https://oidc.example.com/id/OTHER",
			Make: makeWebIdentity, Try: webIdentity(sandbox.WebIdentity{Issuer: "https://oidc.example.com/id/OTHER"}),
		},
		{
			Number: 9, Name: "the token has expired", Code: "ExpiredTokenException", Status: 400, Text: "~Token expired: ",
			Make: makeWebIdentity, Try: webIdentity(sandbox.WebIdentity{Lifetime: sandbox.Duration(-time.Minute)}),
		},
		{
			Number: 10, Name: "a chained session of more than an hour", Code: "ValidationError", Status: 400,
			Text: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
			Make: func(ctx context.Context, w *testbed.World) error {
				if err := testbedtest.PutTrust(ctx, w, strings.ReplaceAll(string(w.Docs.Trust), `"`+w.UserARN+`"`,
					`["`+w.UserARN+`","`+w.Dest.Role+`"]`)); err != nil {
					return err
				}
				_, err := w.IAM.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String(w.RoleName), MaxSessionDuration: aws.Int32(7200)})
				return err
			},
			Try: func(ctx context.Context, a *Actor) error {
				other := *a
				other.App = a.Session
				_, err := other.Assume(ctx, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) })
				return err
			},
		},
		{
			Number: 10, Name: "a session longer than the role allows", Code: "ValidationError", Status: 400,
			Text: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
			Try:  assume(func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }),
		},
		{
			Number: 11, Name: "the session policy is too large", Code: "PackedPolicyTooLarge", Status: 400, Text: "~Packed policy consumes ",
			Try: assume(func(in *sts.AssumeRoleInput) {
				in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::` +
					strings.Repeat("b", 2100) + `/*"}]}`)
			}),
		},
		{
			Number: 11, Name: "the session policy is no policy", Code: "MalformedPolicyDocument", Status: 400, Text: "~",
			Try: assume(func(in *sts.AssumeRoleInput) { in.Policy = aws.String(`{"Statement":[{"Effect":"Maybe"}]}`) }),
		},
		{
			Number: 11, Name: "session tags without sts:TagSession", Code: "AccessDenied", Status: 403, Text: strings.Replace(assumeDenied,
				"sts:AssumeRole", "sts:TagSession", 1),
			Try: assume(func(in *sts.AssumeRoleInput) {
				in.Tags = []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("logs")}}
			}),
		},
	}
}

func externalTrust(w *testbed.World) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole",`+
		`"Condition":{"StringEquals":{"sts:ExternalId":"agreed"}}}]}`, w.UserARN)
}

// makeWebIdentity makes the arrangement of a cluster: it works for system:serviceaccount:logs:app.
func makeWebIdentity(ctx context.Context, w *testbed.World) error {
	out, err := w.IAM.CreateOpenIDConnectProvider(ctx,
		&iam.CreateOpenIDConnectProviderInput{Url: aws.String(issuer), ClientIDList: []string{"sts.amazonaws.com"}})
	if err != nil {
		return err
	}
	host := strings.TrimPrefix(issuer, "https://")
	return testbedtest.PutTrust(ctx, w,
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":%q},`+
			`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"%s:sub":"system:serviceaccount:logs:app"}}}]}`,
			*out.OpenIDConnectProviderArn, host))
}

// webIdentity first proves that the right token is accepted, then tries the given one.
func webIdentity(id sandbox.WebIdentity) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		right := sandbox.WebIdentity{Issuer: issuer, Subject: "system:serviceaccount:logs:app"}
		if err := a.assumeWith(ctx, right); err != nil {
			return fmt.Errorf("the right token: %s", err.Error())
		}
		if id.Issuer == "" {
			id.Issuer = right.Issuer
		}
		if id.Subject == "" {
			id.Subject = right.Subject
		}
		return a.assumeWith(ctx, id)
	}
}

func (a *Actor) assumeWith(ctx context.Context, id sandbox.WebIdentity) error {
	token, err := a.Sandbox.SignWebIdentity(id)
	if err != nil {
		return err
	}
	_, err = sts.NewFromConfig(a.Config(aws.AnonymousCredentials{}, a.Dest.Region)).AssumeRoleWithWebIdentity(ctx,
		&sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String(a.Dest.Role), RoleSessionName: aws.String("app"), WebIdentityToken: aws.String(token),
		})
	return err
}

// putWithUnsignedHeader adds a header after the request was signed, as a proxy may.
func (a *Actor) putWithUnsignedHeader(ctx context.Context) error {
	cfg := a.Config(a.Session, a.Dest.Region)
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("proxy",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput,
				middleware.Metadata, error) {
				if r, ok := in.Request.(*smithyhttp.Request); ok {
					r.Header.Set("X-Amz-Meta-Proxy", "was-here")
				}
				return next.HandleFinalize(ctx, in)
			}), middleware.After)
	})
	return a.putConfigured(ctx, cfg)
}
