package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestRotationKeepsOldCiphertextsReadable(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	old := must[*kms.EncryptOutput](t)(api.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("old")})).CiphertextBlob
	before := *must[*kms.DescribeKeyOutput](t)(api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &w.key})).KeyMetadata.CurrentKeyMaterialId
	must[*kms.RotateKeyOnDemandOutput](t)(api.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &w.key}))
	after := *must[*kms.DescribeKeyOutput](t)(api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &w.key})).KeyMetadata.CurrentKeyMaterialId
	if before == after {
		t.Error("the key material is the same")
	}
	back := must[*kms.DecryptOutput](t)(api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: old}))
	if string(back.Plaintext) != "old" || *back.KeyMaterialId != before {
		t.Errorf("%q under %s", back.Plaintext, *back.KeyMaterialId)
	}
	list := must[*kms.ListKeyRotationsOutput](t)(api.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &w.key}))
	if len(list.Rotations) != 1 || list.Rotations[0].RotationType != kmstypes.RotationTypeOnDemand || list.Rotations[0].RotationDate == nil {
		t.Errorf("rotations: %+v", list.Rotations)
	}

	status := func() *kms.GetKeyRotationStatusOutput {
		return must[*kms.GetKeyRotationStatusOutput](t)(api.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &w.key}))
	}
	if s := status(); s.KeyRotationEnabled || s.NextRotationDate != nil {
		t.Errorf("a new key: %+v", s)
	}
	must[*kms.EnableKeyRotationOutput](t)(
		api.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &w.key, RotationPeriodInDays: aws.Int32(100)}),
	)
	if s := status(); !s.KeyRotationEnabled || *s.RotationPeriodInDays != 100 || time.Until(*s.NextRotationDate).Hours() < 99*24 {
		t.Errorf("switched on: %+v", s)
	}
	must[*kms.DisableKeyRotationOutput](t)(api.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &w.key}))
	if s := status(); s.KeyRotationEnabled {
		t.Errorf("switched off: %+v", s)
	}
	mac := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	if _, err := api.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &mac}); code(err) != "UnsupportedOperationException" {
		t.Errorf("a MAC key: %v", err)
	}
	if _, err := api.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{
		KeyId: &w.key, RotationPeriodInDays: aws.Int32(89),
	}); code(err) != "ValidationException" {
		t.Errorf("too often: %v", err)
	}
}

func TestAliasesMove(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	other := newKey(t, w.rootB, &kms.CreateKeyInput{})
	name := aws.String("alias/delivery")
	must[*kms.CreateAliasOutput](t)(api.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: name, TargetKeyId: &w.key}))
	must[*kms.UpdateAliasOutput](t)(api.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &other}))
	if d := must[*kms.DescribeKeyOutput](t)(api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: name})); *d.KeyMetadata.Arn != other {
		t.Errorf("the alias is of %s", *d.KeyMetadata.Arn)
	}
	list := must[*kms.ListAliasesOutput](t)(api.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &other}))
	if len(list.Aliases) != 1 || list.Aliases[0].CreationDate == nil || list.Aliases[0].LastUpdatedDate == nil ||
		!strings.HasSuffix(other, *list.Aliases[0].TargetKeyId) {
		t.Errorf("aliases of the key: %+v", list.Aliases)
	}
	if l := must[*kms.ListAliasesOutput](t)(api.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &w.key})); len(l.Aliases) != 0 {
		t.Errorf("aliases of the old key: %+v", l.Aliases)
	}
	half, _ := userWith(
		t, w.rootB, "half", fmt.Sprintf(`{"Effect":"Allow","Action":"kms:UpdateAlias","Resource":["arn:aws:kms:*:*:alias/delivery",%q]}`, w.key),
	)
	mac := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	for _, tt := range []struct {
		what, name, target, want string
		by                       *clients
	}{
		{"no prefix", "delivery", other, `ValidationException: Alias must start with the prefix "alias/". Please see ` +
			`https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`, w.rootB},
		{"AWS's own names", "alias/aws/mine", other, "NotAuthorizedException: UnknownError", w.rootB},
		{"a colon", "alias/a:b", other, "ValidationException: alias/a:b contains invalid characters for an alias", w.rootB},
		{"an alias of an alias", "alias/b", "alias/delivery", "ValidationException: Aliases must refer to keys. Not aliases", w.rootB},
		{"a name that is taken", "alias/delivery", w.key,
			"AlreadyExistsException: An alias with the name arn:aws:kms:" + region + ":" + accountB + ":alias/delivery already exists", w.rootB},
	} {
		_, err := tt.by.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &tt.name, TargetKeyId: &tt.target})
		if codeAndText(err) != tt.want {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
	if _, err := half.kms.UpdateAlias(ctx, &kms.UpdateAliasInput{
		AliasName: name, TargetKeyId: &w.key,
	}); code(err) != "AccessDeniedException" || !strings.Contains(message(err), other) {
		t.Errorf("without permission on the key that loses the alias: %v", err)
	}
	if _, err := api.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &mac}); code(err) != "ValidationException" {
		t.Errorf("a key of another usage: %v", err)
	}
	if _, err := api.UpdateAlias(ctx, &kms.UpdateAliasInput{
		AliasName: aws.String("alias/none"), TargetKeyId: &mac,
	}); code(err) != "NotFoundException" {
		t.Errorf("an alias that is not there: %v", err)
	}
}

func TestKMSListsComeInPages(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	want := []string{w.key}
	for i := range 4 {
		want = append(
			want, newKey(t, w.rootB, &kms.CreateKeyInput{Tags: []kmstypes.Tag{{TagKey: aws.String(fmt.Sprint("k", i)), TagValue: aws.String("v")}}}),
		)
	}
	var got []string
	pages, n := kms.NewListKeysPaginator(api, &kms.ListKeysInput{Limit: aws.Int32(2)}), 0
	for ; pages.HasMorePages(); n++ {
		for _, k := range must[*kms.ListKeysOutput](t)(pages.NextPage(ctx)).Keys {
			got = append(got, *k.KeyArn)
		}
	}
	slices.Sort(want)
	if n != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages gave %v, want %v", n, got, want)
	}
	if _, err := api.ListKeys(ctx, &kms.ListKeysInput{Marker: aws.String("nonsense")}); code(err) != "InvalidMarkerException" {
		t.Errorf("a made-up marker: %v", err)
	}
	if _, err := api.ListKeys(ctx, &kms.ListKeysInput{Limit: aws.Int32(1001)}); codeAndText(err) != "ValidationException: 1 validation error "+
		"detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000" {
		t.Errorf("too long a page: %v", err)
	}
}

func TestTagsOfKeys(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	tag := func(pairs ...string) error {
		var tags []kmstypes.Tag
		for i := 0; i < len(pairs); i += 2 {
			tags = append(tags, kmstypes.Tag{TagKey: &pairs[i], TagValue: &pairs[i+1]})
		}
		_, err := api.TagResource(ctx, &kms.TagResourceInput{KeyId: &w.key, Tags: tags})
		return err
	}
	if err := tag("a", "1", "b", "2"); err != nil {
		t.Fatal(err)
	}
	if err := tag("a", "3"); err != nil {
		t.Fatal(err)
	}
	must[*kms.UntagResourceOutput](t)(api.UntagResource(ctx, &kms.UntagResourceInput{KeyId: &w.key, TagKeys: []string{"b", "none"}}))
	list := must[*kms.ListResourceTagsOutput](t)(api.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &w.key}))
	if len(list.Tags) != 1 || *list.Tags[0].TagKey != "a" || *list.Tags[0].TagValue != "3" {
		t.Errorf("tags: %+v", list.Tags)
	}
	for _, tt := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"AWS's own", []string{"aws:x", "1"}, "TagException: Tags beginning with aws: are reserved"},
		{"twice one key", []string{"x", "1", "x", "2"}, "TagException: Duplicate tag keys"},
	} {
		if err := tag(tt.pairs...); codeAndText(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestKeyPoliciesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	admin := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + accountB + `:root"},"Action":"kms:*","Resource":"*"}`
	for _, tt := range []struct{ name, policy, want string }{
		{"no JSON", "{", "MalformedPolicyDocumentException"},
		{"no statement", `{"Version":"2012-10-17","Statement":[]}`, "MalformedPolicyDocumentException"},
		{"a statement without a principal", `{"Version":"2012-10-17","Statement":[` + admin + `,{"Effect":"Allow","Action":"kms:Decrypt",` +
			`"Resource":"*"}]}`, "MalformedPolicyDocumentException"},
		{"a principal that is not there", `{"Version":"2012-10-17","Statement":[` + admin + `,{"Effect":"Allow",` +
			`"Principal":{"AWS":"arn:aws:iam::` + accountB + `:role/none"},"Action":"kms:Decrypt","Resource":"*"}]}`,
			"MalformedPolicyDocumentException: Policy contains a statement with one or more invalid principals."},
		{"the caller locks itself out", strings.Replace(`{"Version":"2012-10-17","Statement":[`+admin+`]}`, "kms:*", "kms:Decrypt", 1),
			"MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future."},
		{"too long", `{"Version":"2012-10-17","Statement":[` + admin + `]}` + strings.Repeat(" ", 32768), "LimitExceededException"},
	} {
		if _, err := w.rootB.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{
			KeyId: &w.key, Policy: &tt.policy,
		}); !strings.HasPrefix(codeAndText(err), tt.want) {
			t.Errorf("PutKeyPolicy, %s: %v", tt.name, err)
		}
		if _, err := w.rootB.kms.CreateKey(ctx, &kms.CreateKeyInput{Policy: &tt.policy}); !strings.HasPrefix(codeAndText(err), tt.want) {
			t.Errorf("CreateKey, %s: %v", tt.name, err)
		}
	}
	locked := strings.Replace(`{"Version":"2012-10-17","Statement":[`+admin+`]}`, "kms:*", "kms:Decrypt", 1)
	must[*kms.PutKeyPolicyOutput](t)(
		w.rootB.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &w.key, Policy: &locked, BypassPolicyLockoutSafetyCheck: true}),
	)
	if _, err := w.rootB.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &w.key}); code(err) != "AccessDeniedException" {
		t.Errorf("after the check was bypassed: %v", err)
	}
}

func TestHowKeysAreNamed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := w.key[strings.LastIndex(w.key, "/")+1:]
	must[*kms.CreateAliasOutput](t)(w.rootB.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/x"), TargetKeyId: &w.key}))
	ghost := "arn:aws:kms:" + region + ":" + accountB + ":key/11111111-2222-4333-8444-555555555555"
	for _, tt := range []struct {
		name, ref, want string
		by              *clients
	}{
		{"not an id", "fake-key-id", "NotFoundException: Invalid keyId 'fake-key-id'", w.rootB},
		{"an id that is not there", ghost[strings.LastIndex(ghost, "/")+1:], "NotFoundException: Key '" + ghost + "' does not exist", w.rootB},
		{"another Region", strings.Replace(w.key, region, "us-east-1", 1), "NotFoundException: Invalid arn us-east-1", w.rootB},
		{"the id of another account's key", id, "NotFoundException: Key 'arn:aws:kms:" + region + ":" + accountA + ":key/" +
			id + "' does not exist", w.rootA},
		{"the alias of another account's key", "alias/x",
			"NotFoundException: Alias arn:aws:kms:" + region + ":" + accountA + ":alias/x is not found.", w.rootA},
		{"another account's key that is not there", ghost,
			"AccessDeniedException: User: arn:aws:iam::" + accountA + ":root is not authorized to perform: kms:DescribeKey on resource: " +
				ghost + " " + opaque, w.rootA},
	} {
		if _, err := tt.by.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &tt.ref}); codeAndText(err) != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, codeAndText(err), tt.want)
		}
	}
	if _, err := w.rootB.kms.EnableKey(ctx, &kms.EnableKeyInput{
		KeyId: aws.String("alias/x"),
	}); codeAndText(err) != "NotFoundException: Invalid keyId 'alias/x'" {
		t.Errorf("an alias where an id has to be: %v", err)
	}
	multi := newKey(t, w.rootB, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	d := must[*kms.DescribeKeyOutput](t)(w.rootB.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &multi})).KeyMetadata
	if !strings.HasPrefix(*d.KeyId, "mrk-") || !*d.MultiRegion || *d.MultiRegionConfiguration.PrimaryKey.Arn != multi {
		t.Errorf("a multi-Region key: %+v", d)
	}
	if _, err := w.rootB.kms.ReplicateKey(ctx, &kms.ReplicateKeyInput{
		KeyId: &multi, ReplicaRegion: aws.String("us-east-1"),
	}); code(err) != "NotImplemented" || status(err) != 501 {
		t.Errorf("ReplicateKey: %v", err)
	}
}

func TestSharedSecrets(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	var keys [2]string
	var public [2][]byte
	for i := range keys {
		keys[i] = newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistP384, KeyUsage: kmstypes.KeyUsageTypeKeyAgreement})
		public[i] = must[*kms.GetPublicKeyOutput](t)(api.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &keys[i]})).PublicKey
	}
	derive := func(own, their int) string {
		out := must[*kms.DeriveSharedSecretOutput](t)(
			api.DeriveSharedSecret(ctx, &kms.DeriveSharedSecretInput{
				KeyId: &keys[own], PublicKey: public[their], KeyAgreementAlgorithm: kmstypes.KeyAgreementAlgorithmSpecEcdh,
			}),
		)
		return string(out.SharedSecret)
	}
	if a, b := derive(0, 1), derive(1, 0); a != b || len(a) != 48 {
		t.Errorf("%x and %x", a, b)
	}
}

// An object is as readable as the key that it was sealed under.
func TestObjectsFollowTheStateOfTheirKey(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must[*s3.PutObjectOutput](t)(w.rootB.s3.PutObject(ctx, w.put("logs/x", []byte("x"))))
	get := func() error {
		_, err := w.rootB.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketB), Key: aws.String("logs/x")})
		return err
	}
	must[*kms.RotateKeyOnDemandOutput](t)(w.rootB.kms.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &w.key}))
	if err := get(); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	must[*kms.ScheduleKeyDeletionOutput](t)(w.rootB.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &w.key}))
	if err := get(); codeAndText(err) != "KMS.KMSInvalidStateException: "+w.key+" is pending deletion." {
		t.Errorf("pending deletion: %v", err)
	}
}
