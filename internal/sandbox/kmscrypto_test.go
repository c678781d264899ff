package sandbox_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestReEncryptNeedsBothKeys(t *testing.T) {
	w := newWorld(t)
	ctx, root := t.Context(), w.rootB
	from, to := newKey(t, root, &kms.CreateKeyInput{}), newKey(t, root, &kms.CreateKeyInput{})
	ec, other := map[string]string{"a": "1"}, map[string]string{"b": "2"}
	blob := must[*kms.EncryptOutput](t)(
		root.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &from, Plaintext: []byte("secret"), EncryptionContext: ec}),
	).CiphertextBlob
	in := func() *kms.ReEncryptInput {
		return &kms.ReEncryptInput{CiphertextBlob: blob, SourceEncryptionContext: ec, DestinationKeyId: &to, DestinationEncryptionContext: other}
	}
	out := must[*kms.ReEncryptOutput](t)(root.kms.ReEncrypt(ctx, in()))
	if *out.SourceKeyId != from || *out.KeyId != to {
		t.Errorf("from %s to %s", *out.SourceKeyId, *out.KeyId)
	}
	back := must[*kms.DecryptOutput](t)(root.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: other}))
	if string(back.Plaintext) != "secret" || *back.KeyId != to {
		t.Errorf("read back %q under %s", back.Plaintext, *back.KeyId)
	}
	allow := func(action, key, name string) string {
		return fmt.Sprintf(`{"Effect":"Allow","Action":"kms:%s","Resource":%q,"Condition":{"StringEquals":{"kms:EncryptionContext:%s"}}}`,
			action, key, name)
	}
	source, destination := allow("ReEncryptFrom", from, `a":"1`), allow("ReEncryptTo", to, `b":"2`)
	for i, tt := range []struct{ name, statement, want string }{
		{"both", source + "," + destination, ""},
		{"the source alone", source, "kms:ReEncryptTo on resource: " + to},
		{"the destination alone", destination, "kms:ReEncryptFrom on resource: " + from},
		{"the source with the destination's context", allow("ReEncryptFrom", from, `b":"2`) + "," + destination, "kms:ReEncryptFrom"},
	} {
		user, _ := userWith(t, root, fmt.Sprintf("u%d", i), tt.statement)
		_, err := user.kms.ReEncrypt(ctx, in())
		if tt.want == "" && err != nil || tt.want != "" && (code(err) != "AccessDeniedException" || !strings.Contains(message(err), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	dry := in()
	dry.DryRun = aws.Bool(true)
	if _, err := root.kms.ReEncrypt(ctx, dry); code(err) != "DryRunOperationException" {
		t.Errorf("a dry run: %v", err)
	}
	wrong := in()
	wrong.SourceKeyId = &to
	if _, err := root.kms.ReEncrypt(ctx, wrong); code(err) != "IncorrectKeyException" {
		t.Errorf("another source key: %v", err)
	}
}

func TestSignaturesAreReal(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	message := []byte("a message")
	digest := sha256.Sum256(message)
	ec := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistP256, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	public := must[*kms.GetPublicKeyOutput](t)(api.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &ec}))
	key, err := x509.ParsePKIXPublicKey(public.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(public.SigningAlgorithms) != 1 || public.EncryptionAlgorithms != nil {
		t.Errorf("algorithms of the key: %v, %v", public.SigningAlgorithms, public.EncryptionAlgorithms)
	}
	raw := must[*kms.SignOutput](t)(
		api.Sign(ctx, &kms.SignInput{KeyId: &ec, Message: message, SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256}),
	)
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), digest[:], raw.Signature) {
		t.Error("the public key does not verify the signature")
	}
	verify := func(message []byte, kind kmstypes.MessageType) error {
		_, err := api.Verify(ctx, &kms.VerifyInput{
			KeyId: &ec, Message: message, MessageType: kind, Signature: raw.Signature, SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256,
		})
		return err
	}
	if err := verify(digest[:], kmstypes.MessageTypeDigest); err != nil {
		t.Errorf("by its digest: %v", err)
	}
	if err := verify([]byte("another"), ""); code(err) != "KMSInvalidSignatureException" {
		t.Errorf("another message: %v", err)
	}
	if err := verify([]byte("short"), kmstypes.MessageTypeDigest); codeAndText(err) != "ValidationException: Digest is invalid length for "+
		"algorithm ECDSA_SHA_256." {
		t.Errorf("a short digest: %v", err)
	}

	for _, alg := range []kmstypes.SigningAlgorithmSpec{kmstypes.SigningAlgorithmSpecRsassaPssSha512,
		kmstypes.SigningAlgorithmSpecRsassaPkcs1V15Sha384} {
		key := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecRsa2048, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
		sig := must[*kms.SignOutput](t)(api.Sign(ctx, &kms.SignInput{KeyId: &key, Message: message, SigningAlgorithm: alg})).Signature
		must[*kms.VerifyOutput](t)(api.Verify(ctx, &kms.VerifyInput{KeyId: &key, Message: message, Signature: sig, SigningAlgorithm: alg}))
		sig[0] ^= 1
		if _, err := api.Verify(ctx, &kms.VerifyInput{
			KeyId: &key, Message: message, Signature: sig, SigningAlgorithm: alg,
		}); code(err) != "KMSInvalidSignatureException" {
			t.Errorf("%s, a changed signature: %v", alg, err)
		}
	}
}

// codeAndText is "CODE: text".
func codeAndText(err error) string { return code(err) + ": " + message(err) }

func TestMessageAuthentication(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	key := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac384, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	mac := must[*kms.GenerateMacOutput](t)(
		api.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &key, Message: []byte("m"), MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha384}),
	).Mac
	if len(mac) != 48 {
		t.Errorf("%d bytes", len(mac))
	}
	must[*kms.VerifyMacOutput](t)(
		api.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &key, Message: []byte("m"), Mac: mac, MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha384}),
	)
	if _, err := api.VerifyMac(ctx, &kms.VerifyMacInput{
		KeyId: &key, Message: []byte("n"), Mac: mac, MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha384,
	}); code(err) != "KMSInvalidMacException" {
		t.Errorf("another message: %v", err)
	}
	_, err := api.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &key, Message: []byte("m"), MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256})
	if codeAndText(err) != "InvalidKeyUsageException: Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_384." {
		t.Errorf("another algorithm: %v", err)
	}
}

func TestKeysAreUsedForWhatTheyAreMadeFor(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	sym := newKey(t, w.rootB, &kms.CreateKeyInput{})
	sign := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistP256, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	mac := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})
	rsa := newKey(t, w.rootB, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecRsa2048, KeyUsage: kmstypes.KeyUsageTypeEncryptDecrypt})
	blob := must[*kms.EncryptOutput](t)(api.Encrypt(ctx, &kms.EncryptInput{KeyId: &sym, Plaintext: []byte("x")})).CiphertextBlob
	sealed := must[*kms.EncryptOutput](t)(
		api.Encrypt(ctx, &kms.EncryptInput{
			KeyId: &rsa, Plaintext: []byte("x"), EncryptionAlgorithm: kmstypes.EncryptionAlgorithmSpecRsaesOaepSha1,
		}),
	).CiphertextBlob
	open := must[*kms.DecryptOutput](t)(
		api.Decrypt(ctx, &kms.DecryptInput{
			KeyId: &rsa, CiphertextBlob: sealed, EncryptionAlgorithm: kmstypes.EncryptionAlgorithmSpecRsaesOaepSha1,
		}),
	)
	if string(open.Plaintext) != "x" {
		t.Errorf("RSA gave %q back", open.Plaintext)
	}
	for _, tt := range []struct {
		name, want string
		do         func() error
	}{
		{"encrypting with a signing key", "InvalidKeyUsageException: " + sign + " key usage is SIGN_VERIFY which is not valid for Encrypt.",
			func() error {
				_, err := api.Encrypt(ctx, &kms.EncryptInput{KeyId: &sign, Plaintext: []byte("x")})
				return err
			}},
		{"signing with a MAC key", "InvalidKeyUsageException: " + mac + " key usage is GENERATE_VERIFY_MAC which is not valid for Sign.",
			func() error {
				_, err := api.Sign(ctx, &kms.SignInput{KeyId: &mac, Message: []byte("x"), SigningAlgorithm: kmstypes.SigningAlgorithmSpecEcdsaSha256})
				return err
			}},
		{"a MAC with an encryption key", "InvalidKeyUsageException: " +
			sym + " key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.", func() error {
			_, err := api.GenerateMac(ctx, &kms.GenerateMacInput{
				KeyId: &sym, Message: []byte("x"), MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256,
			})
			return err
		}},
		{"decrypting with a MAC key", "IncorrectKeyException: The key ID in the request does not identify a CMK that can perform " +
			"this operation.", func() error {
			_, err := api.Decrypt(ctx, &kms.DecryptInput{KeyId: &mac, CiphertextBlob: blob})
			return err
		}},
		{"too much for RSA", "ValidationException: Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger " +
			"than 190 bytes.", func() error {
			_, err := api.Encrypt(ctx, &kms.EncryptInput{
				KeyId: &rsa, Plaintext: make([]byte, 191), EncryptionAlgorithm: kmstypes.EncryptionAlgorithmSpecRsaesOaepSha256,
			})
			return err
		}},
		{"a MAC key without a usage", "ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric " +
			"encryption keys.", func() error {
			_, err := api.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256})
			return err
		}},
		{"a symmetric key for signing", "ValidationException: KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT",
			func() error {
				_, err := api.CreateKey(ctx, &kms.CreateKeyInput{KeyUsage: kmstypes.KeyUsageTypeSignVerify})
				return err
			}},
		{"a data key without a size", "ValidationException: Please specify either number of bytes or key spec.", func() error {
			_, err := api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &sym})
			return err
		}},
	} {
		if got := codeAndText(tt.do()); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	put := w.put("logs/x", []byte("x"))
	put.SSEKMSKeyId = &mac
	_, err := w.rootB.s3.PutObject(ctx, put)
	if want := "KMS.InvalidKeyUsageException: " +
		mac + " key usage is GENERATE_VERIFY_MAC which is not valid for GenerateDataKey."; codeAndText(err) != want {
		t.Errorf("S3 with a MAC key:\n got %v\nwant %s", err, want)
	}
}

func TestDataKeyPairs(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	pair := must[*kms.GenerateDataKeyPairOutput](t)(
		api.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: &w.key, KeyPairSpec: kmstypes.DataKeyPairSpecRsa2048}),
	)
	private, err := x509.ParsePKCS8PrivateKey(pair.PrivateKeyPlaintext)
	if err != nil {
		t.Fatal(err)
	}
	if public, err := x509.MarshalPKIXPublicKey(&private.(*rsa.PrivateKey).PublicKey); err != nil || !bytes.Equal(public, pair.PublicKey) {
		t.Errorf("the halves do not fit: %v", err)
	}
	back := must[*kms.DecryptOutput](t)(api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: pair.PrivateKeyCiphertextBlob}))
	if !bytes.Equal(back.Plaintext, pair.PrivateKeyPlaintext) {
		t.Error("the sealed private key is another one")
	}
	if a, b := must[*kms.GenerateRandomOutput](t)(api.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(32)})),
		must[*kms.GenerateRandomOutput](t)(api.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(32)})); len(a.Plaintext) !=
		32 || bytes.Equal(a.Plaintext, b.Plaintext) {
		t.Error("not random")
	}
}

func TestImportedMaterial(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	key := newKey(t, w.rootB, &kms.CreateKeyInput{Origin: kmstypes.OriginTypeExternal})
	pending := "KMSInvalidStateException: " + key + " is pending import."
	encrypt := func() (*kms.EncryptOutput, error) {
		return api.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	}
	if _, err := encrypt(); codeAndText(err) != pending {
		t.Errorf("before the import: %v", err)
	}
	if _, err := w.rootB.s3.PutObject(
		ctx, func() *s3.PutObjectInput { p := w.put("logs/x", nil); p.SSEKMSKeyId = &key; return p }(),
	); code(err) != "KMS.KMSInvalidStateException" {
		t.Errorf("S3 before the import: %v", err)
	}
	imported := func(material []byte) error {
		p := must[*kms.GetParametersForImportOutput](t)(api.GetParametersForImport(ctx, &kms.GetParametersForImportInput{
			KeyId: &key, WrappingAlgorithm: kmstypes.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: kmstypes.WrappingKeySpecRsa2048,
		}))
		public, err := x509.ParsePKIXPublicKey(p.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.ImportKeyMaterial(ctx, &kms.ImportKeyMaterialInput{
			KeyId: &key, ImportToken: p.ImportToken, EncryptedKeyMaterial: wrapped,
			ExpirationModel: kmstypes.ExpirationModelTypeKeyMaterialDoesNotExpire,
		})
		return err
	}
	if err := imported([]byte("short")); code(err) != "InvalidCiphertextException" {
		t.Errorf("material of another length: %v", err)
	}
	material := bytes.Repeat([]byte("k"), 32)
	if err := imported(material); err != nil {
		t.Fatal(err)
	}
	sealed := must[*kms.EncryptOutput](t)(encrypt()).CiphertextBlob
	must[*kms.DeleteImportedKeyMaterialOutput](t)(api.DeleteImportedKeyMaterial(ctx, &kms.DeleteImportedKeyMaterialInput{KeyId: &key}))
	if _, err := api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed}); codeAndText(err) != pending {
		t.Errorf("after the material is gone: %v", err)
	}
	if err := imported(bytes.Repeat([]byte("j"), 32)); code(err) != "IncorrectKeyMaterialException" {
		t.Errorf("other material: %v", err)
	}
	if err := imported(material); err != nil {
		t.Fatal(err)
	}
	must[*kms.DecryptOutput](t)(api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed}))
	_, err := api.GetParametersForImport(ctx, &kms.GetParametersForImportInput{
		KeyId: &w.key, WrappingAlgorithm: kmstypes.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: kmstypes.WrappingKeySpecRsa2048,
	})
	if want := "UnsupportedOperationException: " +
		w.key + " origin is AWS_KMS which is not valid for this operation."; codeAndText(err) != want {
		t.Errorf("a key of KMS's own material: %v", err)
	}
}
