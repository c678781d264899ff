package awsaccounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Endpoints override the URLs of services. An empty one is AWS's own, or the one
// in the SDK's environment.
type Endpoints struct {
	STS, IAM, S3, KMS, CloudTrail string
	PathStyle                     bool // https://host/bucket instead of https://bucket.host
}

// Accounts are the accounts for which there are credentials.
type Accounts struct {
	endpoints Endpoints
	byID      map[string]account
}

type account struct {
	id, caller string
	cfg        aws.Config
}

// Connect asks STS which account each configuration belongs to. Two for one
// account are an error: which of them is meant for what would be a guess.
func Connect(ctx context.Context, e Endpoints, configs ...aws.Config) (*Accounts, error) {
	a := &Accounts{endpoints: e, byID: map[string]account{}}
	for _, cfg := range configs {
		out, err := sts.NewFromConfig(cfg, func(o *sts.Options) { override(&o.BaseEndpoint, e.STS) }).
			GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, fmt.Errorf("asking STS whose credentials these are: %w", err)
		}
		id := aws.ToString(out.Account)
		if other, twice := a.byID[id]; twice {
			return nil, fmt.Errorf("account %s: both %s and %s are given; name one profile an account", id, other.caller, aws.ToString(out.Arn))
		}
		a.byID[id] = account{id: id, caller: aws.ToString(out.Arn), cfg: cfg}
	}
	return a, nil
}

// Reached reports whether there are credentials for an account.
func (a *Accounts) Reached(id string) bool {
	_, ok := a.byID[id]
	return ok
}

// Callers are the identities by account.
func (a *Accounts) Callers() map[string]string {
	out := make(map[string]string, len(a.byID))
	for id, acc := range a.byID {
		out[id] = acc.caller
	}
	return out
}

var errNoCredentials = errors.New("no credentials for this account")

func (a *Accounts) account(id string) (account, error) {
	acc, ok := a.byID[id]
	if !ok {
		return account{}, fmt.Errorf("account %s: %w", id, errNoCredentials)
	}
	return acc, nil
}

func override(field **string, url string) {
	if url != "" {
		*field = aws.String(url)
	}
}

func (a *Accounts) iam(acc account) *iam.Client {
	return iam.NewFromConfig(acc.cfg, func(o *iam.Options) { override(&o.BaseEndpoint, a.endpoints.IAM) })
}

func (a *Accounts) s3(acc account, region string) *s3.Client {
	return s3.NewFromConfig(acc.cfg, func(o *s3.Options) {
		o.Region = region
		override(&o.BaseEndpoint, a.endpoints.S3)
		o.UsePathStyle = a.endpoints.PathStyle
	})
}

func (a *Accounts) kms(acc account, region string) *kms.Client {
	return kms.NewFromConfig(acc.cfg, func(o *kms.Options) {
		o.Region = region
		override(&o.BaseEndpoint, a.endpoints.KMS)
	})
}

func (a *Accounts) trail(acc account, region string) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(acc.cfg, func(o *cloudtrail.Options) {
		o.Region = region
		override(&o.BaseEndpoint, a.endpoints.CloudTrail)
	})
}
