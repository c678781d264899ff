package kms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	symmetricDefault = "SYMMETRIC_DEFAULT"
	usageEncrypt     = "ENCRYPT_DECRYPT"
	usageSign        = "SIGN_VERIFY"
	usageMac         = "GENERATE_VERIFY_MAC"
	usageAgreement   = "KEY_AGREEMENT"
	originKMS        = "AWS_KMS"
	originExternal   = "EXTERNAL"
)

// spec describes a key spec.
type spec struct {
	rsaBits   int
	curve     func() elliptic.Curve
	macBytes  int // key length
	mac       string
	signing   []string
	symmetric bool
}

func (s spec) asymmetric() bool { return s.rsaBits != 0 || s.curve != nil }

func (s spec) usages() []string {
	switch {
	case s.rsaBits != 0:
		return []string{usageEncrypt, usageSign}
	case s.curve != nil:
		return []string{usageSign, usageAgreement}
	case s.mac != "":
		return []string{usageMac}
	}
	return []string{usageEncrypt}
}

// specs are the key specs that are modelled. ECC_SECG_P256K1, SM2, Edwards
// curves and ML-DSA are not.
var specs = map[string]spec{
	symmetricDefault: {symmetric: true},
	"RSA_2048":       {rsaBits: 2048, signing: rsaSigning},
	"RSA_3072":       {rsaBits: 3072, signing: rsaSigning},
	"RSA_4096":       {rsaBits: 4096, signing: rsaSigning},
	"ECC_NIST_P256":  {curve: elliptic.P256, signing: []string{"ECDSA_SHA_256"}},
	"ECC_NIST_P384":  {curve: elliptic.P384, signing: []string{"ECDSA_SHA_384"}},
	"ECC_NIST_P521":  {curve: elliptic.P521, signing: []string{"ECDSA_SHA_512"}},
	"HMAC_224":       {macBytes: 28, mac: "HMAC_SHA_224"},
	"HMAC_256":       {macBytes: 32, mac: "HMAC_SHA_256"},
	"HMAC_384":       {macBytes: 48, mac: "HMAC_SHA_384"},
	"HMAC_512":       {macBytes: 64, mac: "HMAC_SHA_512"},
}

var (
	rsaSigning = []string{
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
	}
	rsaEncryption = []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}
	// The value sets as KMS lists them in its errors.
	specNames = []string{
		"RSA_2048", "ECC_NIST_P384", "ECC_NIST_P256", "ECC_NIST_P521", "HMAC_384", "RSA_3072", "ECC_SECG_P256K1", "RSA_4096", symmetricDefault,
		"HMAC_256", "HMAC_224", "HMAC_512", "SM2", "ECC_NIST_EDWARDS25519", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87",
	}
	usageNames   = []string{usageEncrypt, usageSign, usageMac, usageAgreement}
	macNames     = []string{"HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"}
	signingNames = append(
		slices.Clone(rsaSigning),
		"ECDSA_SHA_256",
		"ECDSA_SHA_384",
		"ECDSA_SHA_512",
		"SM2DSA",
		"ML_DSA_SHAKE_256",
		"ED25519_SHA_512",
		"ED25519_PH_SHA_512",
	)
	encryptionNames = []string{symmetricDefault, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"}
	pairSpecNames   = []string{
		"RSA_2048",
		"RSA_3072",
		"RSA_4096",
		"ECC_NIST_P256",
		"ECC_NIST_P384",
		"ECC_NIST_P521",
		"ECC_SECG_P256K1",
		"SM2",
		"ECC_NIST_EDWARDS25519",
	}
)

// newPrivateKey makes a private key in PKCS #8 form.
func newPrivateKey(spec string) ([]byte, error) {
	if curve := specs[spec].curve; curve != nil {
		key, err := ecdsa.GenerateKey(curve(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	}
	key, err := rsa.GenerateKey(rand.Reader, specs[spec].rsaBits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// encryptionAlgorithms are those that the key can encrypt with.
func (k *key) encryptionAlgorithms() []string {
	switch {
	case k.Usage != usageEncrypt:
		return nil
	case specs[k.Spec].symmetric:
		return []string{symmetricDefault}
	}
	return rsaEncryption
}

func (k *key) signingAlgorithms() []string {
	if k.Usage != usageSign {
		return nil
	}
	return specs[k.Spec].signing
}

func (k *key) macAlgorithms() []string {
	if k.Usage != usageMac {
		return nil
	}
	return []string{specs[k.Spec].mac}
}

// usageOf is the key usage that a cryptographic operation needs; "" for the other operations.
func usageOf(operation string) string {
	switch operation {
	case "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
		"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext":
		return usageEncrypt
	case "Sign", "Verify":
		return usageSign
	case "GenerateMac", "VerifyMac":
		return usageMac
	case "DeriveSharedSecret":
		return usageAgreement
	}
	return ""
}

// takesContext reports whether an operation has an encryption context.
func takesContext(operation string) bool { return usageOf(operation) == usageEncrypt }

// fits refuses keys that are not made for an operation.
func (k *key) fits(operation string) *kernel.Error {
	need := usageOf(operation)
	switch {
	case need == "":
		return nil
	case k.Usage != need && (operation == "Decrypt" || operation == "ReEncryptFrom"):
		return incorrectKey()
	case k.Usage != need:
		return kernel.JSONFail("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.arn, k.Usage, operation)
	case len(operation) > 8 && operation[:8] == "Generate" && need == usageEncrypt && !specs[k.Spec].symmetric:
		return kernel.JSONFail("InvalidKeyUsageException", "You cannot generate a data key with an asymmetric CMK") // [unverified] wording
	}
	return nil
}

func incorrectKey() *kernel.Error {
	return kernel.JSONFail("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
}

// algorithmFits refuses an algorithm that the key does not support.
func (k *key) algorithmFits(algorithm string, can []string) *kernel.Error {
	if slices.Contains(can, algorithm) {
		return nil
	}
	return kernel.JSONFail("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, k.Spec)
}
