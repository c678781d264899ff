package kit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/test/recorded"
)

// Prefix begins the name of everything that any run makes.
const Prefix = "brokerd-kit-"

// Region is where buckets and keys are made. The rows of test/misconfig name it.
const Region = sandbox.DefaultRegion

// Accounts are a pair of accounts and the ways to reach them.
type Accounts struct {
	*recorded.Target
	// Profiles of the shared AWS configuration, for brokerctl.
	ProfileA, ProfileB string
	// Env is brokerctl's and brokerd's environment.
	Env []string
	// Endpoint and CABundle are a sandbox's; empty for AWS.
	Endpoint, CABundle string
}

// RunPrefix is Prefix with eight random digits: the prefix of one run.
func RunPrefix() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return Prefix + hex.EncodeToString(b[:])
}

// SandboxAccounts are the accounts of a sandbox that runs, with files in dir.
func SandboxAccounts(ctx context.Context, sb *sandbox.Sandbox, dir, prefix string) (*Accounts, error) {
	target, err := recorded.Sandbox(ctx, sb, prefix)
	if err != nil {
		return nil, err
	}
	a := &Accounts{Target: target, ProfileA: "a", ProfileB: "b", Endpoint: sb.Endpoint(), CABundle: filepath.Join(dir, "ca.pem")}
	if err := os.WriteFile(a.CABundle, sb.CABundlePEM(), 0o600); err != nil {
		return nil, fmt.Errorf("writing the CA bundle: %w", err)
	}
	text := ""
	for _, side := range []struct {
		name    string
		account recorded.Account
	}{{a.ProfileA, target.A}, {a.ProfileB, target.B}} {
		keys, err := side.account.Credentials.Retrieve(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the keys of account %s: %w", side.account.ID, err)
		}
		text += fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", side.name, keys.AccessKeyID, keys.SecretAccessKey)
	}
	file := filepath.Join(dir, "profiles")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the profiles: %w", err)
	}
	a.Env = []string{
		"AWS_SHARED_CREDENTIALS_FILE=" + file, "AWS_CONFIG_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "HOME=" + dir, "NO_COLOR=1",
	}
	return a, nil
}
