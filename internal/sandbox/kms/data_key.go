package kms

import (
	"crypto"
	"crypto/x509"
	"errors"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Data keys, data key pairs and random bytes.

func generateDataKey(s *Service, cl *kernel.Request, in *input) (any, error) {
	if err := first(within(in.NumberOfBytes, "numberOfBytes", 1, 1024), oneOf(in.KeySpec, "keySpec", "AES_256", "AES_128")); err != nil {
		return nil, err
	}
	if (in.NumberOfBytes == nil) == (in.KeySpec == "") {
		return nil, kernel.JSONFail("ValidationException", "Please specify either number of bytes or key spec.")
	}
	size := 32
	switch {
	case in.NumberOfBytes != nil:
		size = *in.NumberOfBytes
	case in.KeySpec == "AES_128":
		size = 16
	}
	k, err := s.readyKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	plaintext := random(size)
	blob, err := k.seal(plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"KeyId": k.arn, "CiphertextBlob": blob, "KeyMaterialId": k.current().ID}
	if cl.Record.Operation == "GenerateDataKey" {
		out["Plaintext"] = plaintext
	}
	return out, nil
}

func generateDataKeyPair(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.KeyPairSpec == "" {
		return nil, missing("keyPairSpec")
	}
	if e := oneOf(in.KeyPairSpec, "keyPairSpec", pairSpecNames...); e != nil {
		return nil, e
	}
	if in.prepared == nil {
		return nil, kernel.NotImplemented("data key pairs of the spec " + in.KeyPairSpec)
	}
	k, err := s.readyKey(cl, in, map[string][]string{"kms:DataKeyPairSpec": {in.KeyPairSpec}})
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	public, err := publicOf(in.prepared)
	if err != nil {
		return nil, err
	}
	blob, err := k.seal(in.prepared, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"KeyId":                    k.arn,
		"KeyPairSpec":              in.KeyPairSpec,
		"PublicKey":                public,
		"PrivateKeyCiphertextBlob": blob,
		"KeyMaterialId":            k.current().ID,
	}
	if cl.Record.Operation == "GenerateDataKeyPair" {
		out["PrivateKeyPlaintext"] = in.prepared
	}
	return out, nil
}

var errNoPublicKey = errors.New("the private key has no public half")

// publicOf is the public half of a private key in PKCS #8 form, as SubjectPublicKeyInfo.
func publicOf(private []byte) ([]byte, error) {
	key, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errNoPublicKey
	}
	return x509.MarshalPKIXPublicKey(signer.Public())
}

func generateRandom(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := within(in.NumberOfBytes, "numberOfBytes", 1, 1024); e != nil {
		return nil, e
	}
	if in.CustomKeyStoreID != "" {
		return nil, kernel.NotImplemented("custom key stores of KMS")
	}
	if in.NumberOfBytes == nil {
		return nil, kernel.JSONFail("ValidationException", "NumberOfBytes is required.")
	}
	if err := s.allow(cl, "kms:GenerateRandom", "*", nil); err != nil {
		return nil, err
	}
	return map[string][]byte{"Plaintext": random(*in.NumberOfBytes)}, nil
}
