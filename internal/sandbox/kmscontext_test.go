package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Each row: a user who may do everything with keys on one condition; one call
// that meets it and one that does not.
func TestKMSConditionKeys(t *testing.T) {
	w := newWorld(t)
	ctx, root := t.Context(), w.rootB
	sym := newKey(t, root, &kms.CreateKeyInput{Tags: []kmstypes.Tag{{TagKey: aws.String("team"), TagValue: aws.String("data")}}})
	plain := newKey(t, root, &kms.CreateKeyInput{})
	multi := newKey(t, root, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	sign := newKey(t, root, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecRsa2048, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	rsa := newKey(t, root, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecRsa2048, KeyUsage: kmstypes.KeyUsageTypeEncryptDecrypt})
	mac := newKey(t, root, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	must[*kms.CreateAliasOutput](t)(root.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/one"), TargetKeyId: &sym}))
	must[*kms.CreateAliasOutput](t)(root.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/two"), TargetKeyId: &sym}))
	_, grantee := userWith(t, root, "grantee", "")
	blob := must[*kms.EncryptOutput](t)(root.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &sym, Plaintext: []byte("x")})).CiphertextBlob

	encrypt := func(key string, ec map[string]string) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionContext: ec})
			return err
		}
	}
	describe := func(key string) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
			return err
		}
	}
	create := func(in kms.CreateKeyInput) func(*kms.Client) error {
		return func(c *kms.Client) error { _, err := c.CreateKey(ctx, &in); return err }
	}
	signWith := func(alg kmstypes.SigningAlgorithmSpec, kind kmstypes.MessageType) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.Sign(ctx, &kms.SignInput{KeyId: &sign, Message: make([]byte, 32), SigningAlgorithm: alg, MessageType: kind})
			return err
		}
	}
	grant := func(in kms.CreateGrantInput) func(*kms.Client) error {
		in.KeyId = &plain
		if in.GranteePrincipal == nil {
			in.GranteePrincipal = &grantee
		}
		if in.Operations == nil {
			in.Operations = ops("Decrypt")
		}
		return func(c *kms.Client) error { _, err := c.CreateGrant(ctx, &in); return err }
	}
	tag := func(key, value string) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.TagResource(ctx, &kms.TagResourceInput{KeyId: &plain, Tags: []kmstypes.Tag{{TagKey: &key, TagValue: &value}}})
			return err
		}
	}
	pair := func(spec kmstypes.DataKeyPairSpec) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: &plain, KeyPairSpec: spec})
			return err
		}
	}
	reEncrypt := func(to string) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &to})
			return err
		}
	}
	schedule := func(days int32) func(*kms.Client) error {
		key := newKey(t, root, &kms.CreateKeyInput{})
		return func(c *kms.Client) error {
			_, err := c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: &days})
			return err
		}
	}
	rotate := func(days int32) func(*kms.Client) error {
		return func(c *kms.Client) error {
			_, err := c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &plain, RotationPeriodInDays: &days})
			return err
		}
	}
	policy := func(bypass bool) func(*kms.Client) error {
		return func(c *kms.Client) error {
			doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"kms:*",`+
				`"Resource":"*"}]}`, accountB)
			_, err := c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &plain, Policy: &doc, BypassPolicyLockoutSafetyCheck: bypass})
			return err
		}
	}
	generateMac := func(c *kms.Client) error {
		_, err := c.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &mac, Message: []byte("x"), MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256})
		return err
	}
	encryptRSA := func(c *kms.Client) error {
		_, err := c.Encrypt(ctx, &kms.EncryptInput{
			KeyId: &rsa, Plaintext: []byte("x"), EncryptionAlgorithm: kmstypes.EncryptionAlgorithmSpecRsaesOaepSha256,
		})
		return err
	}
	equals := func(key, value string) string { return fmt.Sprintf(`{"StringEquals":{%q:%q}}`, key, value) }

	tests := []struct {
		condition string
		meets     func(*kms.Client) error
		fails     func(*kms.Client) error
	}{
		{equals("kms:EncryptionContext:dept", "7"), encrypt(sym, map[string]string{"dept": "7"}), encrypt(sym, map[string]string{"dept": "8"})},
		{`{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"dept"}}`, encrypt(sym, map[string]string{"dept": "7"}),
			encrypt(sym, map[string]string{"unit": "7"})},
		{equals("kms:RequestAlias", "alias/one"), encrypt("alias/one", nil), encrypt("alias/two", nil)},
		{equals("kms:RequestAlias", "alias/two"), encrypt("arn:aws:kms:"+region+":"+accountB+":alias/two", nil), encrypt(sym, nil)},
		{`{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/two"}}`, encrypt(sym, nil), encrypt(plain, nil)},
		{equals("kms:KeySpec", "RSA_2048"), describe(sign), describe(sym)},
		{equals("kms:KeySpec", "HMAC_256"), describe(mac), describe(sign)},
		{equals("kms:KeyUsage", "SIGN_VERIFY"), describe(sign), describe(rsa)},
		{`{"Bool":{"kms:MultiRegion":"true"}}`, describe(multi), describe(sym)},
		{equals("kms:MultiRegionKeyType", "PRIMARY"), describe(multi), describe(sym)},
		{`{"Bool":{"kms:MultiRegion":"true"}}`, create(kms.CreateKeyInput{MultiRegion: aws.Bool(true)}), create(kms.CreateKeyInput{})},
		{
			equals("kms:KeySpec", "ECC_NIST_P256"),
			create(kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistP256, KeyUsage: kmstypes.KeyUsageTypeSignVerify}),
			create(kms.CreateKeyInput{}),
		},
		{equals("kms:KeyOrigin", "EXTERNAL"), create(kms.CreateKeyInput{Origin: kmstypes.OriginTypeExternal}), create(kms.CreateKeyInput{})},
		{equals("kms:SigningAlgorithm", "RSASSA_PSS_SHA_256"), signWith(kmstypes.SigningAlgorithmSpecRsassaPssSha256, kmstypes.MessageTypeRaw),
			signWith(kmstypes.SigningAlgorithmSpecRsassaPkcs1V15Sha256, kmstypes.MessageTypeRaw)},
		{equals("kms:MessageType", "DIGEST"), signWith(kmstypes.SigningAlgorithmSpecRsassaPssSha256, kmstypes.MessageTypeDigest),
			signWith(kmstypes.SigningAlgorithmSpecRsassaPssSha256, "")},
		{equals("kms:MacAlgorithm", "HMAC_SHA_256"), generateMac, encrypt(sym, nil)},
		{equals("kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256"), encryptRSA, encrypt(sym, nil)},
		{equals("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"), encrypt(sym, nil), encryptRSA},
		{`{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"false"}}`, policy(false), policy(true)},
		{`{"NumericGreaterThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"20"}}`, schedule(21), schedule(20)},
		{`{"NumericLessThan":{"kms:RotationPeriodInDays":"100"}}`, rotate(99), rotate(100)},
		{equals("kms:DataKeyPairSpec", "ECC_NIST_P256"), pair(kmstypes.DataKeyPairSpecEccNistP256), pair(kmstypes.DataKeyPairSpecEccNistP384)},
		{`{"Bool":{"kms:ReEncryptOnSameKey":"true"}}`, reEncrypt(sym), reEncrypt(plain)},
		{equals("aws:ResourceTag/team", "data"), encrypt(sym, nil), encrypt(plain, nil)},
		{equals("aws:RequestTag/cost", "1"), tag("cost", "1"), tag("cost", "2")},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":"cost"}}`, tag("cost", "1"), tag("other", "1")},
		{`{"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt","DescribeKey"]}}`, grant(kms.CreateGrantInput{}),
			grant(kms.CreateGrantInput{Operations: ops("Decrypt", "Encrypt")})},
		{equals("kms:GranteePrincipal", grantee), grant(kms.CreateGrantInput{}), grant(kms.CreateGrantInput{GranteePrincipal: &w.role})},
		{equals("kms:RetiringPrincipal", grantee), grant(kms.CreateGrantInput{RetiringPrincipal: &grantee}), grant(kms.CreateGrantInput{})},
		{equals("kms:GrantConstraintType", "EncryptionContextEquals"),
			grant(kms.CreateGrantInput{Constraints: &kmstypes.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}}),
			grant(kms.CreateGrantInput{Constraints: &kmstypes.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}})},
		{`{"Bool":{"kms:GrantIsForAWSResource":"false"}}`, grant(kms.CreateGrantInput{}), encrypt(sym, nil)},
		{`{"Null":{"kms:ViaService":"true"}}`, encrypt(sym, nil), nil},
		{equals("kms:CallerAccount", accountB), encrypt(sym, nil), nil},
		{equals("kms:CallerAccount", accountA), nil, encrypt(sym, nil)},
		{equals("kms:ViaService", "s3."+region+".amazonaws.com"), nil, encrypt(sym, nil)},
	}
	for i, tt := range tests {
		user, _ := userWith(t, root, fmt.Sprintf("u%d", i), `{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":`+tt.condition+`}`)
		if tt.meets != nil {
			if err := tt.meets(user.kms); err != nil {
				t.Errorf("row %d, %s is met: %v", i, tt.condition, err)
			}
		}
		if tt.fails != nil {
			if err := tt.fails(user.kms); code(err) != "AccessDeniedException" {
				t.Errorf("row %d, %s is not met: %v", i, tt.condition, err)
			}
		}
	}
}

func TestTaggingANewKeyNeedsTagResource(t *testing.T) {
	w := newWorld(t)
	user, _ := userWith(t, w.rootB, "u", `{"Effect":"Allow","Action":["kms:CreateKey","kms:PutKeyPolicy"],"Resource":"*"}`)
	tags := []kmstypes.Tag{{TagKey: aws.String("a"), TagValue: aws.String("b")}}
	must[*kms.CreateKeyOutput](t)(user.kms.CreateKey(t.Context(), &kms.CreateKeyInput{}))
	if _, err := user.kms.CreateKey(t.Context(), &kms.CreateKeyInput{Tags: tags}); code(err) != "AccessDeniedException" {
		t.Errorf("with tags: %v", err)
	}
}
