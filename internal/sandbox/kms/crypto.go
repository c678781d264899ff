package kms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"

	_ "crypto/sha1"

	// RSAES_OAEP_SHA_1
	_ "crypto/sha256"
)

// RSAES_OAEP_SHA_256

// Encrypt, Decrypt and ReEncrypt.

const (
	maxPlaintext  = 4096
	maxCiphertext = 6144
)

func dryRun() *kernel.Error {
	return kernel.JSONFail("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

func invalidCiphertext() *kernel.Error { return kernel.JSONFail("InvalidCiphertextException", "") }

// algorithmOr is the requested algorithm, or the default.
func algorithmOr(name string) string {
	if name == "" {
		return symmetricDefault
	}
	return name
}

// algorithmContext is the condition key of an encryption algorithm.
func algorithmContext(name string) map[string][]string {
	return map[string][]string{"kms:EncryptionAlgorithm": {name}}
}

// oaepHash is the hash of RSAES_OAEP_SHA_1 and RSAES_OAEP_SHA_256.
func oaepHash(algorithm string) crypto.Hash {
	if algorithm == "RSAES_OAEP_SHA_1" {
		return crypto.SHA1
	}
	return crypto.SHA256
}

// noContext refuses an encryption context where there is no way to bind it.
func noContext(encryption map[string]string, algorithm string) *kernel.Error {
	if len(encryption) == 0 || algorithm == symmetricDefault {
		return nil
	}
	return kernel.JSONFail(
		"ValidationException",
		"Encryption context is not supported for encryption algorithm %s.",
		algorithm,
	) // [unverified] wording
}

// encrypt makes a ciphertext with the key's current material.
func (k *key) encrypt(plaintext []byte, algorithm string, encryption map[string]string) ([]byte, error) {
	if e := k.algorithmFits(algorithm, k.encryptionAlgorithms()); e != nil {
		return nil, e
	}
	if algorithm == symmetricDefault {
		return k.seal(plaintext, encryption)
	}
	key, err := k.rsaKey()
	if err != nil {
		return nil, err
	}
	hash := oaepHash(algorithm)
	if most := key.Size() - 2*hash.Size() - 2; len(plaintext) > most {
		return nil, kernel.JSONFail(
			"ValidationException",
			"Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.",
			algorithm,
			k.Spec,
			most,
		)
	}
	return rsa.EncryptOAEP(hash.New(), rand.Reader, &key.PublicKey, plaintext, nil)
}

// decrypt opens a ciphertext; material is the id of what opened a symmetric one.
func (k *key) decrypt(ciphertext []byte, algorithm string, encryption map[string]string) (plaintext []byte, material string, err error) {
	if e := k.algorithmFits(algorithm, k.encryptionAlgorithms()); e != nil {
		return nil, "", e
	}
	if algorithm == symmetricDefault {
		if plaintext, material, err = k.unseal(ciphertext, encryption); err != nil {
			return nil, "", invalidCiphertext()
		}
		return plaintext, material, nil
	}
	key, err := k.rsaKey()
	if err != nil {
		return nil, "", err
	}
	if plaintext, err = rsa.DecryptOAEP(oaepHash(algorithm).New(), nil, key, ciphertext, nil); err != nil {
		return nil, "", invalidCiphertext()
	}
	return plaintext, "", nil
}

func encrypt(s *Service, cl *kernel.Request, in *input) (any, error) {
	algorithm := algorithmOr(in.EncryptionAlgorithm)
	if err := first(
		sized(in.Plaintext, "plaintext", maxPlaintext), oneOf(algorithm, "encryptionAlgorithm", encryptionNames...),
		noContext(in.EncryptionContext, algorithm),
	); err != nil {
		return nil, err
	}
	k, err := s.namedKey(cl, in, algorithmContext(algorithm))
	if err != nil {
		return nil, err
	}
	if e := k.ready("Encrypt"); e != nil {
		return nil, e
	}
	blob, err := k.encrypt(in.Plaintext, algorithm, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return map[string]any{"KeyId": k.arn, "CiphertextBlob": blob, "EncryptionAlgorithm": algorithm}, nil
}

// openWith finds the key that opens a ciphertext and decides its use. A
// symmetric ciphertext says which key made it; the name that the caller gives
// must then be of that key.
func (s *Service) openWith(cl *kernel.Request, in *input, u use, algorithm string) (*key, error) {
	arn := ""
	if algorithm == symmetricDefault {
		var err error
		if arn, _, err = ciphertextKey(in.CiphertextBlob); err != nil {
			return nil, invalidCiphertext()
		}
		if u.ref == "" {
			if s.keys[arn] == nil || s.keys[arn].region != cl.Region() {
				return nil, ciphertextDenied()
			}
			u.ref = arn
		}
	} else if u.ref == "" {
		return nil, kernel.JSONFail("ValidationException", "KeyId is required for encryption algorithm %s.", algorithm) // [unverified] wording
	}
	k, err := s.useKey(cl, in, u)
	if err != nil {
		return nil, err
	}
	if arn != "" && k.arn != arn {
		return nil, incorrectKey()
	}
	if e := k.ready(u.operation); e != nil {
		return nil, e
	}
	return k, nil
}

func decrypt(s *Service, cl *kernel.Request, in *input) (any, error) {
	algorithm := algorithmOr(in.EncryptionAlgorithm)
	if err := first(
		sized(in.CiphertextBlob, "ciphertextBlob", maxCiphertext), oneOf(algorithm, "encryptionAlgorithm", encryptionNames...),
		noContext(in.EncryptionContext, algorithm),
	); err != nil {
		return nil, err
	}
	k, err := s.openWith(
		cl,
		in,
		use{ref: in.KeyID, operation: "Decrypt", encryption: in.EncryptionContext, context: algorithmContext(algorithm)},
		algorithm,
	)
	if err != nil {
		return nil, err
	}
	plaintext, material, err := k.decrypt(in.CiphertextBlob, algorithm, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	out := map[string]any{"KeyId": k.arn, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm}
	if material != "" {
		out["KeyMaterialId"] = material
	}
	return out, nil
}

// reEncrypt is two uses of keys: the source opens, the destination seals.
func reEncrypt(s *Service, cl *kernel.Request, in *input) (any, error) {
	from, to := algorithmOr(in.SourceEncryptionAlgorithm), algorithmOr(in.DestinationEncryptionAlgorithm)
	if in.DestinationKeyID == "" {
		return nil, missing("destinationKeyId")
	}
	if err := first(
		sized(in.CiphertextBlob, "ciphertextBlob", maxCiphertext),
		oneOf(from, "sourceEncryptionAlgorithm", encryptionNames...), oneOf(to, "destinationEncryptionAlgorithm", encryptionNames...),
		noContext(in.SourceEncryptionContext, from), noContext(in.DestinationEncryptionContext, to),
	); err != nil {
		return nil, err
	}
	same := s.sameKey(cl, in, from)
	use := func(ref, operation, algorithm string, encryption map[string]string) use {
		ctx := algorithmContext(algorithm)
		ctx["kms:ReEncryptOnSameKey"] = []string{kernel.BoolText(same)}
		return use{ref: ref, operation: operation, encryption: encryption, context: ctx}
	}
	source, err := s.openWith(cl, in, use(in.SourceKeyID, "ReEncryptFrom", from, in.SourceEncryptionContext), from)
	if err != nil {
		return nil, err
	}
	destination, err := s.useKey(cl, in, use(in.DestinationKeyID, "ReEncryptTo", to, in.DestinationEncryptionContext))
	if err != nil {
		return nil, err
	}
	if e := destination.ready("ReEncryptTo"); e != nil {
		return nil, e
	}
	plaintext, old, err := source.decrypt(in.CiphertextBlob, from, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	blob, err := destination.encrypt(plaintext, to, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	out := map[string]any{
		"CiphertextBlob": blob, "SourceKeyId": source.arn, "KeyId": destination.arn,
		"SourceEncryptionAlgorithm": from, "DestinationEncryptionAlgorithm": to,
	}
	if old != "" {
		out["SourceKeyMaterialId"] = old
	}
	if to == symmetricDefault {
		out["DestinationKeyMaterialId"] = destination.current().ID
	}
	return out, nil
}

// sameKey says whether a ReEncrypt stays with one key.
func (s *Service) sameKey(cl *kernel.Request, in *input, from string) bool {
	destination, e := s.resolveKey(in.DestinationKeyID, cl.Region(), cl.Caller.Account)
	if e != nil {
		return false
	}
	if from == symmetricDefault {
		arn, _, err := ciphertextKey(in.CiphertextBlob)
		return err == nil && arn == destination.arn
	}
	source, e := s.resolveKey(in.SourceKeyID, cl.Region(), cl.Caller.Account)
	return e == nil && source == destination
}
