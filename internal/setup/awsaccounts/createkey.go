package awsaccounts

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/brokerd/brokerd/internal/setup"
)

// CreateKey makes a symmetric key in an account, with rotation on, and KMS's own
// first policy: only the account itself administers it. alias may be empty; it is
// for people, and never stands in a configuration. When a later step fails, the
// ARN of the key that was made comes with the error.
func (a *Accounts) CreateKey(ctx context.Context, account, region, alias string) (arn string, err error) {
	acc, err := a.account(account)
	if err != nil {
		return "", err
	}
	api := a.kms(acc, region)
	out, err := api.CreateKey(ctx, &kms.CreateKeyInput{
		Description: aws.String(
			"objects that brokerd delivers",
		), KeySpec: types.KeySpecSymmetricDefault, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
		Tags: []types.Tag{{TagKey: aws.String(setup.MadeTag), TagValue: aws.String(setup.MadeValue)}},
	})
	if err != nil {
		return "", fmt.Errorf("making the key: %w", err)
	}
	arn = aws.ToString(out.KeyMetadata.Arn)
	if _, err := api.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: aws.String(arn)}); err != nil {
		return arn, fmt.Errorf("the key %s is made, and its rotation is not on: %w", arn, err)
	}
	if alias != "" {
		name := "alias/" + strings.TrimPrefix(alias, "alias/")
		if _, err := api.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(name), TargetKeyId: aws.String(arn)}); err != nil {
			return arn, fmt.Errorf("the key %s is made, and has no alias %s: %w", arn, name, err)
		}
	}
	return arn, nil
}
