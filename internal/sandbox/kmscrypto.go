package sandbox

import (
	"crypto/rand"
	"encoding/base64"
)

// Data keys, Encrypt and Decrypt.

func dryRun() *apiError {
	return kmsFail("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

func generateDataKey(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	size := in.NumberOfBytes
	switch {
	case size == 0 && in.KeySpec == "AES_128":
		size = 16
	case size == 0 && in.KeySpec == "AES_256":
		size = 32
	case size < 1 || size > 1024 || in.KeySpec != "":
		return nil, kmsFail("ValidationException", "Please specify either number of bytes or key spec.")
	}
	k, err := s.kmsCall(cl, in, true)
	if err != nil {
		return nil, err
	}
	if e := k.usable(); e != nil {
		return nil, e
	}
	if in.DryRun {
		return nil, dryRun()
	}
	plaintext := make([]byte, size)
	_, _ = rand.Read(plaintext)
	blob, err := k.seal(plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	out := map[string]string{"KeyId": k.arn, "CiphertextBlob": base64.StdEncoding.EncodeToString(blob)}
	if cl.record.Operation == "GenerateDataKey" {
		out["Plaintext"] = base64.StdEncoding.EncodeToString(plaintext)
	}
	return out, nil
}

func kmsEncrypt(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	if len(in.Plaintext) < 1 || len(in.Plaintext) > 4096 {
		return nil, kmsFail("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and 4096")
	}
	if in.EncryptionAlgorithm != "" && in.EncryptionAlgorithm != "SYMMETRIC_DEFAULT" {
		return nil, kmsFail("InvalidKeyUsageException", "%s does not fit a symmetric key.", in.EncryptionAlgorithm)
	}
	k, err := s.kmsCall(cl, in, true)
	if err != nil {
		return nil, err
	}
	if e := k.usable(); e != nil {
		return nil, e
	}
	if in.DryRun {
		return nil, dryRun()
	}
	blob, err := k.seal(in.Plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]string{"KeyId": k.arn, "CiphertextBlob": base64.StdEncoding.EncodeToString(blob), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
}

func kmsDecrypt(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	arn, _, err := ciphertextKey(in.CiphertextBlob)
	if err != nil {
		return nil, kmsFail("InvalidCiphertextException", "")
	}
	named := in.KeyID
	if named == "" {
		in.KeyID = arn
	}
	k, err := s.kmsCall(cl, in, true)
	if err != nil {
		return nil, err
	}
	if k.arn != arn {
		return nil, kmsFail("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	if e := k.usable(); e != nil {
		return nil, e
	}
	plaintext, err := k.unseal(in.CiphertextBlob, in.EncryptionContext)
	if err != nil {
		return nil, kmsFail("InvalidCiphertextException", "")
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return map[string]string{"KeyId": k.arn, "Plaintext": base64.StdEncoding.EncodeToString(plaintext), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
}
