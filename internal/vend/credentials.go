package vend

import (
	"context"
	"time"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/secret"
)

// Path is the URL path of a destination's credentials, without its name.
const Path = "/v1/credentials/"

// Credentials are the body of an answer, with the field names that AWS SDKs read.
type Credentials struct {
	AccessKeyID     string        `json:"AccessKeyId"`
	SecretAccessKey secret.String `json:"-"`
	SessionToken    secret.String `json:"-"`
	Expiration      time.Time
	RoleARN         string // of the role whose session it is; may be empty
}

// body is the encoded form of Credentials: the only place that reveals the secrets.
type body struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
	RoleARN         string `json:"RoleArn,omitempty"`
	AccountID       string `json:"AccountId,omitempty"`
}

func (c Credentials) body() body {
	out := body{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), Token: c.SessionToken.Reveal(),
		Expiration: c.Expiration.UTC().Format(time.RFC3339), RoleARN: c.RoleARN, AccountID: awsarn.Account(c.RoleARN),
	}
	return out
}

// Caller identifies the sender of a request.
type Caller struct {
	Peer access.Peer
	// Only names the destinations that the caller's token is valid for; nil: all.
	Only []string
	// Via says how the peer was identified: "token", "socket" or "grpc".
	Via string
}

// Source returns the credentials of a destination for a caller, or a *Refusal.
type Source func(ctx context.Context, c Caller, destination string) (Credentials, error)

// Refusal is an answer without credentials. Its text is for the caller.
type Refusal struct {
	Reason     reason.Reason
	Status     int // of HTTP; zero: that of the reason
	Message    string
	RetryAfter time.Duration // zero: not said
	Rule       string        // an access rule that would allow the request; may be empty
	Err        error         // the cause; may be nil
}

// Error returns the text for people.
func (r *Refusal) Error() string { return r.Message }

// HTTPStatus returns the status of the answer.
func (r *Refusal) HTTPStatus() int {
	if r.Status != 0 {
		return r.Status
	}
	return r.Reason.HTTP()
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }
