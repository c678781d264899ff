package awsaccounts

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/brokerd/brokerd/internal/setup"
)

// keyPolicyName is the only name that KMS has for a key's policy.
const keyPolicyName = "default"

func (a *Accounts) readKey(ctx context.Context, arn string) *setup.KeyAt {
	k := &setup.KeyAt{ARN: arn}
	acc, parts, err := a.of(arn)
	if err != nil {
		k.Info, k.Policy = setup.UnreadPart[setup.KeyInfo](err.Error()), setup.UnreadPart[string](err.Error())
		return k
	}
	api := a.kms(acc, parts.Region)
	info, err := func() (setup.KeyInfo, error) {
		out, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(arn)})
		if err != nil {
			return setup.KeyInfo{}, err
		}
		m := out.KeyMetadata
		return setup.KeyInfo{
			State:       string(m.KeyState),
			Spec:        string(m.KeySpec),
			Usage:       string(m.KeyUsage),
			Manager:     string(m.KeyManager),
			Region:      parts.Region,
			MultiRegion: aws.ToBool(m.MultiRegion),
		}, nil
	}()
	k.Info = partOf(info, err, "NotFoundException")
	policy, err := func() (string, error) {
		out, err := api.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: aws.String(arn), PolicyName: aws.String(keyPolicyName)})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Policy), nil
	}()
	k.Policy = partOf(policy, err, "NotFoundException")
	return k
}
