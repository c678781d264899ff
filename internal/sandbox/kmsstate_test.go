package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// The table of "Key states of AWS KMS keys" in the KMS developer guide.
func TestWhatEachKeyStateAllows(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	const disabled, deleting, importing = "DisabledException: %s is disabled.", "KMSInvalidStateException: %s is " +
		"pending deletion.", "KMSInvalidStateException: %s is pending import."
	const external = "UnsupportedOperationException: %s origin is EXTERNAL which is not valid for this operation."
	const notDeleting = "KMSInvalidStateException: %s is not pending deletion."
	states := []struct {
		name string
		make func() string
	}{
		{"Disabled", func() string {
			key := newKey(t, w.rootB, &kms.CreateKeyInput{})
			must[*kms.DisableKeyOutput](t)(api.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &key}))
			return key
		}},
		{"PendingImport", func() string { return newKey(t, w.rootB, &kms.CreateKeyInput{Origin: kmstypes.OriginTypeExternal}) }},
		{"PendingDeletion", func() string {
			key := newKey(t, w.rootB, &kms.CreateKeyInput{})
			must[*kms.ScheduleKeyDeletionOutput](t)(api.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &key}))
			return key
		}},
	}
	n := 0
	rows := []struct {
		operation string
		do        func(key string) error
		want      [3]string // in the order of states
	}{
		{"CancelKeyDeletion", func(key string) error {
			_, err := api.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &key})
			return err
		}, [3]string{notDeleting, notDeleting, ""}},
		{"CreateAlias", func(key string) error {
			n++
			_, err := api.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(fmt.Sprint("alias/", n)), TargetKeyId: &key})
			return err
		}, [3]string{"", "", deleting}},
		{"CreateGrant", func(key string) error {
			_, err := api.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &key, GranteePrincipal: &w.role, Operations: ops("Decrypt")})
			return err
		}, [3]string{disabled, importing, deleting}},
		{"DescribeKey", func(key string) error {
			_, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
			return err
		}, [3]string{}},
		{"DisableKey", func(key string) error {
			_, err := api.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &key})
			return err
		}, [3]string{"", importing, deleting}},
		{"EnableKeyRotation", func(key string) error {
			_, err := api.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &key})
			return err
		}, [3]string{disabled, external, deleting}},
		{"Encrypt", func(key string) error {
			_, err := api.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
			return err
		}, [3]string{disabled, importing, deleting}},
		{"GenerateDataKey", func(key string) error {
			_, err := api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: kmstypes.DataKeySpecAes256})
			return err
		}, [3]string{disabled, importing, deleting}},
		{"GetKeyRotationStatus", func(key string) error {
			_, err := api.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &key})
			return err
		}, [3]string{"", external, ""}},
		{"PutKeyPolicy", func(key string) error {
			doc := must[*kms.GetKeyPolicyOutput](t)(api.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &key})).Policy
			_, err := api.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &key, Policy: doc})
			return err
		}, [3]string{}},
		{"ScheduleKeyDeletion", func(key string) error {
			_, err := api.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &key})
			return err
		}, [3]string{"", "", deleting}},
		{"TagResource", func(key string) error {
			_, err := api.TagResource(ctx, &kms.TagResourceInput{
				KeyId: &key, Tags: []kmstypes.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}},
			})
			return err
		}, [3]string{"", "", deleting}},
		{"UpdateKeyDescription", func(key string) error {
			_, err := api.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &key, Description: aws.String("x")})
			return err
		}, [3]string{"", "", deleting}},
	}
	for _, row := range rows {
		for i, state := range states {
			key := state.make()
			want := row.want[i]
			if want != "" {
				want = fmt.Sprintf(want, key)
			}
			err := row.do(key)
			if got := codeAndText(err); err != nil && got != want || err == nil && want != "" {
				t.Errorf("%s of a key that is %s:\n got %s\nwant %s", row.operation, state.name, got, want)
			}
		}
	}
}

// A dry run is decided and checked like the real call, and then does nothing.
func TestDryRuns(t *testing.T) {
	w := newWorld(t)
	ctx, root := t.Context(), w.rootB
	stranger, _ := userWith(t, root, "stranger", "")
	sign := newKey(t, root, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistP256, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	mac := newKey(t, root, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	blob := must[*kms.EncryptOutput](t)(root.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")})).CiphertextBlob
	signature := must[*kms.SignOutput](t)(
		root.kms.Sign(ctx, &kms.SignInput{KeyId: &sign, Message: []byte("x"), SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256}),
	).Signature
	sum := must[*kms.GenerateMacOutput](t)(
		root.kms.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &mac, Message: []byte("x"), MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256}),
	).Mac
	grant := must[*kms.CreateGrantOutput](t)(
		root.kms.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &w.role, Operations: ops("Decrypt")}),
	)
	dry := aws.Bool(true)
	for name, do := range map[string]func(*kms.Client) error{
		"Encrypt": func(c *kms.Client) error {
			_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), DryRun: dry})
			return err
		},
		"Decrypt": func(c *kms.Client) error {
			_, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, DryRun: dry})
			return err
		},
		"GenerateDataKeyWithoutPlaintext": func(c *kms.Client) error {
			_, err := c.GenerateDataKeyWithoutPlaintext(ctx,
				&kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &w.key, KeySpec: kmstypes.DataKeySpecAes128, DryRun: dry})
			return err
		},
		"GenerateDataKeyPair": func(c *kms.Client) error {
			_, err := c.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{
				KeyId: &w.key, KeyPairSpec: kmstypes.DataKeyPairSpecEccNistP256, DryRun: dry,
			})
			return err
		},
		"Sign": func(c *kms.Client) error {
			_, err := c.Sign(ctx, &kms.SignInput{
				KeyId: &sign, Message: []byte("x"), SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256, DryRun: dry,
			})
			return err
		},
		"Verify": func(c *kms.Client) error {
			_, err := c.Verify(ctx, &kms.VerifyInput{
				KeyId: &sign, Message: []byte("x"), Signature: signature, SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256, DryRun: dry,
			})
			return err
		},
		"GenerateMac": func(c *kms.Client) error {
			_, err := c.GenerateMac(ctx, &kms.GenerateMacInput{
				KeyId: &mac, Message: []byte("x"), MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256, DryRun: dry,
			})
			return err
		},
		"VerifyMac": func(c *kms.Client) error {
			_, err := c.VerifyMac(ctx, &kms.VerifyMacInput{
				KeyId: &mac, Message: []byte("x"), Mac: sum, MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256, DryRun: dry,
			})
			return err
		},
		"RevokeGrant": func(c *kms.Client) error {
			_, err := c.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &w.key, GrantId: grant.GrantId, DryRun: dry})
			return err
		},
	} {
		if err := do(root.kms); codeAndText(err) != "DryRunOperationException: The request would have succeeded, but the DryRun option is set." {
			t.Errorf("%s that may: %v", name, err)
		}
		if err := do(stranger.kms); code(err) != "AccessDeniedException" {
			t.Errorf("%s that may not: %v", name, err)
		}
	}
	if l := must[*kms.ListGrantsOutput](t)(root.kms.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &w.key})); len(l.Grants) != 1 {
		t.Errorf("the dry run revoked: %+v", l.Grants)
	}
}
