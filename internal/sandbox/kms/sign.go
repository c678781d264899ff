package kms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"

	_ "crypto/sha512"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
)

// signatures over SHA-384 and SHA-512

// Sign, Verify, GetPublicKey and DeriveSharedSecret.

var errWrongKind = errors.New("the key material is of another kind than the key spec says")

func (k *key) privateKey() (any, error) { return x509.ParsePKCS8PrivateKey(k.current().Secret) }

func (k *key) rsaKey() (*rsa.PrivateKey, error) {
	key, err := k.privateKey()
	if err != nil {
		return nil, err
	}
	if r, ok := key.(*rsa.PrivateKey); ok {
		return r, nil
	}
	return nil, errWrongKind
}

func (k *key) ecKey() (*ecdsa.PrivateKey, error) {
	key, err := k.privateKey()
	if err != nil {
		return nil, err
	}
	if e, ok := key.(*ecdsa.PrivateKey); ok {
		return e, nil
	}
	return nil, errWrongKind
}

// signingHash is the hash at the end of a signing algorithm's name.
func signingHash(algorithm string) crypto.Hash {
	switch {
	case strings.HasSuffix(algorithm, "_384"):
		return crypto.SHA384
	case strings.HasSuffix(algorithm, "_512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

// signedDigest checks the fields that Sign and Verify share, decides the call, and returns
// the key and the digest that is signed.
func (s *Service) signedDigest(cl *kernel.Request, in *input) (*key, []byte, error) {
	kind := in.MessageType
	if kind == "" {
		kind = "RAW"
	}
	if in.SigningAlgorithm == "" {
		return nil, nil, missing("signingAlgorithm")
	}
	if err := first(
		sized(in.Message, "message", maxPlaintext), oneOf(kind, "messageType", "RAW", "DIGEST", "EXTERNAL_MU"),
		oneOf(in.SigningAlgorithm, "signingAlgorithm", signingNames...),
	); err != nil {
		return nil, nil, err
	}
	k, err := s.readyKey(cl, in, map[string][]string{"kms:SigningAlgorithm": {in.SigningAlgorithm}, "kms:MessageType": {kind}})
	if err != nil {
		return nil, nil, err
	}
	if e := k.algorithmFits(in.SigningAlgorithm, k.signingAlgorithms()); e != nil {
		return nil, nil, e
	}
	hash := signingHash(in.SigningAlgorithm)
	switch kind {
	case "EXTERNAL_MU":
		return nil, nil, kernel.JSONFail(
			"ValidationException",
			"Message type EXTERNAL_MU is not valid for algorithm %s.",
			in.SigningAlgorithm,
		) // [unverified] wording
	case "DIGEST":
		if len(in.Message) != hash.Size() {
			return nil, nil, kernel.JSONFail("ValidationException", "Digest is invalid length for algorithm %s.", in.SigningAlgorithm)
		}
		return k, in.Message, nil
	}
	h := hash.New()
	_, _ = h.Write(in.Message) // never fails, see hash.Hash
	return k, h.Sum(nil), nil
}

func sign(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, digest, err := s.signedDigest(cl, in)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	hash := signingHash(in.SigningAlgorithm)
	var signature []byte
	if strings.HasPrefix(in.SigningAlgorithm, "ECDSA") {
		key, err := k.ecKey()
		if err != nil {
			return nil, err
		}
		if signature, err = ecdsa.SignASN1(rand.Reader, key, digest); err != nil {
			return nil, err
		}
	} else {
		key, err := k.rsaKey()
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(in.SigningAlgorithm, "RSASSA_PSS") {
			signature, err = rsa.SignPSS(rand.Reader, key, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, key, hash, digest)
		}
		if err != nil {
			return nil, err
		}
	}
	return map[string]any{"KeyId": k.arn, "Signature": signature, "SigningAlgorithm": in.SigningAlgorithm}, nil
}

func verify(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := sized(in.Signature, "signature", maxCiphertext); e != nil {
		return nil, e
	}
	k, digest, err := s.signedDigest(cl, in)
	if err != nil {
		return nil, err
	}
	hash := signingHash(in.SigningAlgorithm)
	valid := false
	if strings.HasPrefix(in.SigningAlgorithm, "ECDSA") {
		key, err := k.ecKey()
		if err != nil {
			return nil, err
		}
		valid = ecdsa.VerifyASN1(&key.PublicKey, digest, in.Signature)
	} else {
		key, err := k.rsaKey()
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(in.SigningAlgorithm, "RSASSA_PSS") {
			valid = rsa.VerifyPSS(&key.PublicKey, hash, digest, in.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		} else {
			valid = rsa.VerifyPKCS1v15(&key.PublicKey, hash, digest, in.Signature) == nil
		}
	}
	if !valid {
		return nil, kernel.JSONFail("KMSInvalidSignatureException", "")
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return map[string]any{"KeyId": k.arn, "SignatureValid": true, "SigningAlgorithm": in.SigningAlgorithm}, nil
}

func getPublicKey(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if !specs[k.Spec].asymmetric() {
		return nil, kernel.JSONFail(
			"UnsupportedOperationException",
			"%s key spec is %s which is not valid for GetPublicKey.",
			k.arn,
			k.Spec,
		) // [unverified] wording
	}
	if e := k.usable(); e != nil {
		return nil, e
	}
	public, err := publicOf(k.current().Secret)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"KeyId": k.arn, "PublicKey": public, "CustomerMasterKeySpec": k.Spec, "KeySpec": k.Spec, "KeyUsage": k.Usage}
	switch k.Usage {
	case usageSign:
		out["SigningAlgorithms"] = k.signingAlgorithms()
	case usageEncrypt:
		out["EncryptionAlgorithms"] = k.encryptionAlgorithms()
	case usageAgreement:
		out["KeyAgreementAlgorithms"] = []string{"ECDH"}
	}
	return out, nil
}

func deriveSharedSecret(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.KeyAgreementAlgorithm == "" {
		return nil, missing("keyAgreementAlgorithm")
	}
	if err := first(oneOf(in.KeyAgreementAlgorithm, "keyAgreementAlgorithm", "ECDH"), sized(in.PublicKey, "publicKey", 8192)); err != nil {
		return nil, err
	}
	k, err := s.namedKey(cl, in, map[string][]string{"kms:KeyAgreementAlgorithm": {in.KeyAgreementAlgorithm}})
	if err != nil {
		return nil, err
	}
	if e := k.ready("DeriveSharedSecret"); e != nil {
		return nil, e
	}
	own, err := k.ecKey()
	if err != nil {
		return nil, err
	}
	private, err := own.ECDH()
	if err != nil {
		return nil, err
	}
	bad := kernel.JSONFail("ValidationException", "The public key is not a valid %s public key.", k.Spec) // [unverified] wording
	parsed, err := x509.ParsePKIXPublicKey(in.PublicKey)
	if err != nil {
		return nil, bad
	}
	their, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, bad
	}
	public, err := their.ECDH()
	if err != nil {
		return nil, bad
	}
	secret, err := private.ECDH(public)
	if err != nil {
		return nil, bad
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return map[string]any{"KeyId": k.arn, "SharedSecret": slices.Clone(secret), "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": k.Origin}, nil
}
