package awsaccounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/setup"
)

// readAccountBlock reads the public-access block of a whole account. The SDK's
// client for it, s3control, would be a large library for one call, and always
// puts the account's number before an endpoint's host.
func (a *Accounts) readAccountBlock(ctx context.Context, acc account, region string) setup.Part[setup.PublicAccess] {
	return ask(func() (setup.PublicAccess, error) { return a.accountBlock(ctx, acc, region) }, "NoSuchPublicAccessBlockConfiguration")
}

func (a *Accounts) accountBlock(ctx context.Context, acc account, region string) (setup.PublicAccess, error) {
	base := a.endpoints.S3
	if base == "" && acc.cfg.BaseEndpoint != nil {
		base = *acc.cfg.BaseEndpoint
	}
	if base == "" {
		suffix := "amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			suffix = "amazonaws.com.cn"
		}
		base = "https://" + acc.id + ".s3-control." + region + "." + suffix
	}
	req, err := http.NewRequestWithContext(
		ctx,
		http.MethodGet,
		strings.TrimSuffix(base, "/")+"/v20180820/configuration/publicAccessBlock",
		nil,
	)
	if err != nil {
		return setup.PublicAccess{}, fmt.Errorf("reading the account's public-access block: %w", err)
	}
	req.Header.Set("x-amz-account-id", acc.id)
	empty := sha256.Sum256(nil)
	digest := hex.EncodeToString(empty[:])
	req.Header.Set("x-amz-content-sha256", digest)
	keys, err := acc.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return setup.PublicAccess{}, fmt.Errorf("reading the account's public-access block: %w", err)
	}
	if err := v4.NewSigner().SignHTTP(ctx, keys, req, digest, "s3", region, time.Now()); err != nil {
		return setup.PublicAccess{}, fmt.Errorf("signing the request for the account's public-access block: %w", err)
	}
	resp, err := acc.cfg.HTTPClient.Do(req)
	if err != nil {
		return setup.PublicAccess{}, fmt.Errorf("reading the account's public-access block: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return setup.PublicAccess{}, fmt.Errorf("reading the account's public-access block: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return setup.PublicAccess{}, accountError(resp.StatusCode, body)
	}
	var out struct {
		XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
		BlockPublicAcls       bool     `xml:"BlockPublicAcls"`
		IgnorePublicAcls      bool     `xml:"IgnorePublicAcls"`
		BlockPublicPolicy     bool     `xml:"BlockPublicPolicy"`
		RestrictPublicBuckets bool     `xml:"RestrictPublicBuckets"`
	}
	if err := xml.Unmarshal(body, &out); err != nil {
		return setup.PublicAccess{}, fmt.Errorf("reading the account's public-access block: %w", err)
	}
	return setup.PublicAccess{
		BlockPublicACLs:       out.BlockPublicAcls,
		IgnorePublicACLs:      out.IgnorePublicAcls,
		BlockPublicPolicy:     out.BlockPublicPolicy,
		RestrictPublicBuckets: out.RestrictPublicBuckets,
	}, nil
}

// accountError finds the code in either of the two forms in which S3 sends errors.
func accountError(status int, body []byte) error {
	var out struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Error   struct {
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
	}
	if xml.Unmarshal(body, &out) == nil {
		if out.Error.Code != "" {
			out.Code, out.Message = out.Error.Code, out.Error.Message
		}
		if out.Code != "" {
			return &smithy.GenericAPIError{Code: out.Code, Message: out.Message}
		}
	}
	return fmt.Errorf("reading the account's public-access block: S3 answered with status %d", status)
}
