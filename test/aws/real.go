package kit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/test/recorded"
)

// settle is how long AWS may take to know a change of IAM everywhere.
const settle = 45 * time.Second

var (
	errProfiles = errors.New("set BROKERD_TEST_A and BROKERD_TEST_B to profiles of two test accounts, each of an administrator")
	errSame     = errors.New("BROKERD_TEST_A and BROKERD_TEST_B are of the same account: two are needed")
)

// RealAccounts are the accounts of the profiles BROKERD_TEST_A and BROKERD_TEST_B.
func RealAccounts(ctx context.Context, prefix string) (*Accounts, error) {
	a := &Accounts{
		Target:   &recorded.Target{Name: "AWS", Region: Region, Prefix: prefix, Settle: settle, Attempts: 5},
		ProfileA: os.Getenv("BROKERD_TEST_A"), ProfileB: os.Getenv("BROKERD_TEST_B"), Env: os.Environ(),
	}
	if a.ProfileA == "" || a.ProfileB == "" {
		return nil, errProfiles
	}
	for _, side := range []struct {
		account *recorded.Account
		profile string
	}{{&a.A, a.ProfileA}, {&a.B, a.ProfileB}} {
		config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(side.profile), awsconfig.WithRegion(Region))
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", side.profile, err)
		}
		caller, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", side.profile, err)
		}
		side.account.ID, side.account.Credentials = aws.ToString(caller.Account), config.Credentials
	}
	if a.A.ID == a.B.ID {
		return nil, errSame
	}
	return a, nil
}
