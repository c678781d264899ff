package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func cryptoRows() []Row {
	context := map[string]string{"a": "b"}
	sized := func(n int32) Step {
		return kmsDo((*kms.Client).GenerateRandom, kms.GenerateRandomInput{NumberOfBytes: num(n)})
	}
	mac := func(algorithm types.MacAlgorithmSpec) Step {
		return kmsDo((*kms.Client).GenerateMac, kms.GenerateMacInput{KeyId: str("$HMAC"), MacAlgorithm: algorithm, Message: []byte("hello")})
	}
	sign := func(key string, algorithm types.SigningAlgorithmSpec, kind types.MessageType, message string) Step {
		return kmsDo((*kms.Client).Sign, kms.SignInput{KeyId: str(key), SigningAlgorithm: algorithm, MessageType: kind, Message: []byte(message)})
	}
	encrypt := func(in kms.EncryptInput, opts ...Option) Step { return kmsDo((*kms.Client).Encrypt, in, opts...) }
	validation := func(text string) Want { return refused(400, "ValidationException", text) }
	usage := func(text string) Want { return refused(400, "InvalidKeyUsageException", text) }
	oaep1, oaep256 := types.EncryptionAlgorithmSpecRsaesOaepSha1, types.EncryptionAlgorithmSpecRsaesOaepSha256
	const invalidKeys = "LocalStack, test_error_messaging_for_invalid_keys"
	const macs = "[…]"
	return []Row{
		row("without a number", kmsDo((*kms.Client).GenerateRandom, kms.GenerateRandomInput{}), validation("NumberOfBytes is required."),
			suite("LocalStack, test_generate_random_invalid_number_of_bytes")),
		row("of 0 bytes", sized(0), validation("1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: "+
			"Member must have value greater than or equal to 1"), suite("LocalStack, test_generate_random_invalid_number_of_bytes")),
		row("of 1025 bytes", sized(1025),
			validation("1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value "+
				"less than or equal to 1024"), suite("LocalStack, test_generate_random_invalid_number_of_bytes")),
		row("of 12 bytes", sized(12), answers(200).field("Plaintext", "…"), suite("LocalStack, test_generate_random")),
		row("of 4097 bytes", encrypt(kms.EncryptInput{KeyId: str("$KEY"), Plaintext: make([]byte, 4097)}),
			validation("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than "+
				"or equal to 4096"), suite("LocalStack, test_plaintext_size_for_encrypt")),
		row("of too much for RSA and SHA-1",
			encrypt(kms.EncryptInput{KeyId: str("$RSA"), Plaintext: make([]byte, 215), EncryptionAlgorithm: oaep1}),
			validation("Algorithm RSAES_OAEP_SHA_1 and key spec RSA_2048 cannot encrypt data larger than 214 bytes."),
			suite("LocalStack, test_encrypt_validate_plaintext_size_per_key_type")),
		row("of too much for RSA and SHA-256",
			encrypt(kms.EncryptInput{KeyId: str("$RSA"), Plaintext: make([]byte, 191), EncryptionAlgorithm: oaep256}),
			validation("Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes."),
			suite("LocalStack, test_encrypt_validate_plaintext_size_per_key_type")),
		row("by its id", encrypt(kms.EncryptInput{KeyId: str("$KEYID"), Plaintext: []byte("x")}),
			answers(200).field("KeyId", "$KEY").field("EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
			suite("LocalStack, test_encrypt_decrypt_encryption_context")),
		row("under a key for signatures", encrypt(kms.EncryptInput{KeyId: str("$ECC"), Plaintext: []byte("x")}),
			usage("$ECC key usage is SIGN_VERIFY which is not valid for Encrypt."), suite(invalidKeys)),
		row("with another context", kmsDo((*kms.Client).Decrypt, kms.DecryptInput{CiphertextBlob: []byte("$CIPHERTEXT")}, ciphertext()),
			refused(400, "InvalidCiphertextException", "").without("Message"),
			suite("LocalStack, test_encrypt_decrypt_encryption_context"),
			encrypt(kms.EncryptInput{KeyId: str("$KEY"), Plaintext: []byte("x"), EncryptionContext: context},
				keep("CIPHERTEXT", "CiphertextBlob"))),
		row("of bytes that are none", kmsDo((*kms.Client).Decrypt, kms.DecryptInput{CiphertextBlob: []byte("none")}),
			refused(400, "InvalidCiphertextException", "").without("Message"), suite("LocalStack, test_kms.py, invalid ciphertext")),
		row("under another key", kmsDo((*kms.Client).Decrypt,
			kms.DecryptInput{CiphertextBlob: []byte("$CIPHERTEXT"), KeyId: str("$OWN")}, ciphertext()),
			refused(400, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation."),
			suite(invalidKeys),
			encrypt(kms.EncryptInput{KeyId: str("$KEY"), Plaintext: []byte("x")}, keep("CIPHERTEXT", "CiphertextBlob")),
			ownKey(kms.CreateKeyInput{})),
		row("with its context", kmsDo((*kms.Client).Decrypt,
			kms.DecryptInput{CiphertextBlob: []byte("$CIPHERTEXT"), EncryptionContext: context}, ciphertext()),
			answers(200).field("KeyId", "$KEY").field("Plaintext", "eA==").field("EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
			suite("LocalStack, test_encrypt_decrypt_encryption_context"),
			encrypt(kms.EncryptInput{KeyId: str("$KEY"), Plaintext: []byte("x"), EncryptionContext: context},
				keep("CIPHERTEXT", "CiphertextBlob"))),

		row("of a data key", kmsDo((*kms.Client).GenerateDataKey,
			kms.GenerateDataKeyInput{KeyId: str("$KEY"), KeySpec: types.DataKeySpecAes256}),
			answers(200).field("KeyId", "$KEY").field("Plaintext", "…").field("CiphertextBlob", "…"),
			suite("LocalStack, test_generate_data_key")),
		row("as a rehearsal", kmsDo((*kms.Client).GenerateDataKey,
			kms.GenerateDataKeyInput{KeyId: str("$KEY"), KeySpec: types.DataKeySpecAes256, DryRun: yes()}),
			refused(400, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set."),
			suite("LocalStack, test_generate_data_key_pair_dry_run")),
		row("without a size", kmsDo((*kms.Client).GenerateDataKey, kms.GenerateDataKeyInput{KeyId: str("$KEY")}),
			validation("Please specify either number of bytes or key spec."), suite("moto, aws_verified data keys")),
		row("of a key for signatures",
			kmsDo((*kms.Client).GenerateDataKey, kms.GenerateDataKeyInput{KeyId: str("$ECC"), KeySpec: types.DataKeySpecAes256}),
			usage("…"), reference("GenerateDataKey, Errors")),
		row("without its plaintext", kmsDo((*kms.Client).GenerateDataKeyWithoutPlaintext,
			kms.GenerateDataKeyWithoutPlaintextInput{KeyId: str("$KEY"), KeySpec: types.DataKeySpecAes256}),
			answers(200).field("KeyId", "$KEY").field("CiphertextBlob", "…").without("Plaintext"),
			suite("LocalStack, test_generate_data_key_without_plaintext")),
		row("of a pair", kmsDo((*kms.Client).GenerateDataKeyPair,
			kms.GenerateDataKeyPairInput{KeyId: str("$KEY"), KeyPairSpec: types.DataKeyPairSpecEccNistP256}),
			answers(200).field("KeyId", "$KEY").field("KeyPairSpec", "ECC_NIST_P256").field("PrivateKeyPlaintext", "…").
				field("PublicKey", "…"), suite("LocalStack, test_generate_data_key_pair")),

		row("under a key for encryption",
			kmsDo((*kms.Client).GenerateMac,
				kms.GenerateMacInput{KeyId: str("$KEY"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: []byte("x")}),
			usage("$KEY key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac."), suite(invalidKeys)),
		row("of an algorithm that does not fit", mac(types.MacAlgorithmSpecHmacSha512),
			usage("Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256."), suite("LocalStack, test_invalid_generate_mac")),
		row("of an algorithm that is none", mac("INVALID"),
			validation("1 validation error detected: Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy "+
				"enum value set: "+macs), suite("LocalStack, test_invalid_generate_mac")),
		row("under an id that is none",
			kmsDo((*kms.Client).GenerateMac,
				kms.GenerateMacInput{KeyId: str("key_id"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: []byte("x")}),
			refused(400, "NotFoundException", "Invalid keyId 'key_id'"), suite("LocalStack, test_generate_and_verify_mac")),
		row("of a message", mac(types.MacAlgorithmSpecHmacSha256),
			answers(200).field("KeyId", "$HMAC").field("MacAlgorithm", "HMAC_SHA_256").field("Mac", "…"),
			suite("LocalStack, test_generate_and_verify_mac")),
		row("of another message", kmsDo((*kms.Client).VerifyMac,
			kms.VerifyMacInput{KeyId: str("$HMAC"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: []byte("other"),
				Mac: make([]byte, 32)}), refused(400, "KMSInvalidMacException", "").without("Message"),
			suite("LocalStack, test_invalid_verify_mac")),

		row("under a key for MACs", sign("$HMAC", types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeRaw, "x"),
			usage("$HMAC key usage is GENERATE_VERIFY_MAC which is not valid for Sign."), suite(invalidKeys)),
		row("of a digest of a wrong length", sign("$ECC", types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeDigest, "x"),
			validation("Digest is invalid length for algorithm ECDSA_SHA_256."), suite("LocalStack, test_sign_verify")),
		row("of a message", sign("$ECC", types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeRaw, "x"),
			answers(200).field("KeyId", "$ECC").field("SigningAlgorithm", "ECDSA_SHA_256").field("Signature", "…"),
			suite("LocalStack, test_sign_verify")),
		row("of another message", kmsDo((*kms.Client).Verify,
			kms.VerifyInput{KeyId: str("$ECC"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, MessageType: types.MessageTypeRaw,
				Message: []byte("x"), Signature: make([]byte, 70)}), refused(400, "KMSInvalidSignatureException", "").without("Message"),
			suite("LocalStack, test_sign_verify")),
		row("under a key for encryption",
			kmsDo((*kms.Client).Verify, kms.VerifyInput{KeyId: str("$KEY"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
				MessageType: types.MessageTypeRaw, Message: []byte("x"), Signature: []byte("x")}),
			usage("$KEY key usage is ENCRYPT_DECRYPT which is not valid for Verify."), suite(invalidKeys)),
		row("of a symmetric key", kmsDo((*kms.Client).GetPublicKey, kms.GetPublicKeyInput{KeyId: str("$KEY")}),
			refused(400, "UnsupportedOperationException", ""), reference("GetPublicKey, Errors")),
		row("without an expiry that the model wants",
			kmsDo((*kms.Client).ImportKeyMaterial,
				kms.ImportKeyMaterialInput{KeyId: str("$EXTERNAL"), ImportToken: []byte("x"), EncryptedKeyMaterial: []byte("x"),
					ExpirationModel: types.ExpirationModelTypeKeyMaterialExpires}),
			validation("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
			suite("LocalStack, test_import_key_symmetric")),
	}
}

// yes is short for the pointer of SDK inputs.
func yes() *bool {
	v := true
	return &v
}

// ciphertext decodes the variable $CIPHERTEXT in CiphertextBlob, which is in base64 on the wire.
func ciphertext() Option { return func(q *request) { q.decode = true } }
