package kms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Imported key material: a key with the origin EXTERNAL waits for its owner to
// bring the material, wrapped under a key that KMS made for that.

const (
	materialExpires = "KEY_MATERIAL_EXPIRES"
	materialStays   = "KEY_MATERIAL_DOES_NOT_EXPIRE"
	importWindow    = 24 * time.Hour
	longestImport   = 365 * 24 * time.Hour
)

// importState is the state of a key whose material is imported.
type importState struct {
	WrappingKey  []byte // PKCS #8; of the last GetParametersForImport
	Algorithm    string
	Token        []byte
	TokenExpires time.Time
	Digest       []byte // SHA-256 of the first imported material: KMS takes no other
	MaterialID   string // the id of the material, which a second import keeps
	Model        string
	ValidTo      time.Time // zero: does not expire
}

// expireImport removes material whose time is over.
func (k *key) expireImport(now time.Time) {
	if i := k.Import; i != nil && !i.ValidTo.IsZero() && !now.Before(i.ValidTo) {
		k.forgetMaterial()
	}
}

func (k *key) forgetMaterial() {
	k.Materials, k.Import.Model, k.Import.ValidTo = nil, "", time.Time{}
}

// importable refuses keys whose material KMS made.
func (k *key) importable() *kernel.Error {
	if k.Origin != originExternal {
		return kernel.JSONFail("UnsupportedOperationException", "%s origin is %s which is not valid for this operation.", k.arn, k.Origin)
	}
	return k.notLeaving()
}

func getParametersForImport(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.WrappingAlgorithm == "" {
		return nil, missing("wrappingAlgorithm")
	}
	if in.WrappingKeySpec == "" {
		return nil, missing("wrappingKeySpec")
	}
	if err := first(
		oneOf(in.WrappingAlgorithm, "wrappingAlgorithm", "RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
			"RSA_AES_KEY_WRAP_SHA_256", "SM2PKE"),
		oneOf(in.WrappingKeySpec, "wrappingKeySpec", "RSA_2048", "RSA_3072", "RSA_4096", "SM2"),
	); err != nil {
		return nil, err
	}
	if in.WrappingAlgorithm != "RSAES_OAEP_SHA_1" && in.WrappingAlgorithm != "RSAES_OAEP_SHA_256" {
		return nil, kernel.NotImplemented("the wrapping algorithm " + in.WrappingAlgorithm)
	}
	if in.prepared == nil {
		return nil, kernel.NotImplemented("the wrapping key spec " + in.WrappingKeySpec)
	}
	k, err := s.namedKey(
		cl,
		in,
		map[string][]string{"kms:WrappingAlgorithm": {in.WrappingAlgorithm}, "kms:WrappingKeySpec": {in.WrappingKeySpec}},
	)
	if err != nil {
		return nil, err
	}
	if e := k.importable(); e != nil {
		return nil, e
	}
	public, err := publicOf(in.prepared)
	if err != nil {
		return nil, err
	}
	i := k.Import
	i.WrappingKey, i.Algorithm, i.Token, i.TokenExpires = in.prepared, in.WrappingAlgorithm, random(64), cl.Now.Add(importWindow)
	return map[string]any{"KeyId": k.arn, "ImportToken": i.Token, "PublicKey": public, "ParametersValidTo": epoch(i.TokenExpires)}, nil
}

func importKeyMaterial(s *Service, cl *kernel.Request, in *input) (any, error) {
	if err := first(
		sized(in.ImportToken, "importToken", maxCiphertext), sized(in.EncryptedKeyMaterial, "encryptedKeyMaterial", maxCiphertext),
		oneOf(in.ExpirationModel, "expirationModel", materialExpires, materialStays),
	); err != nil {
		return nil, err
	}
	if in.ImportType != "" && in.ImportType != "EXISTING_KEY_MATERIAL" {
		return nil, kernel.NotImplemented("the rotation of imported key material")
	}
	model, until := in.ExpirationModel, time.Time{}
	if model == "" {
		model = materialExpires
	}
	ctx := map[string][]string{"kms:ExpirationModel": {model}}
	if in.ValidTo != nil {
		until = time.UnixMilli(int64(*in.ValidTo * 1000))
		ctx["kms:ValidTo"] = []string{kernel.FormatUnix(until)}
	}
	k, err := s.namedKey(cl, in, ctx)
	if err != nil {
		return nil, err
	}
	if e := k.importable(); e != nil {
		return nil, e
	}
	switch {
	case model == materialExpires && in.ValidTo == nil:
		return nil, kernel.JSONFail("ValidationException", "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case model == materialStays && in.ValidTo != nil:
		return nil, kernel.JSONFail(
			"ValidationException",
			"A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
		) // [unverified] wording
	case in.ValidTo != nil && (!until.After(cl.Now) || until.After(cl.Now.Add(longestImport))):
		return nil, kernel.JSONFail(
			"ValidationException",
			"The validTo date must be in the future and not more than 365 days away.",
		) // [unverified] wording
	}
	i := k.Import
	if i.Token == nil || subtle.ConstantTimeCompare(i.Token, in.ImportToken) != 1 {
		return nil, kernel.JSONFail("InvalidImportTokenException", "")
	}
	if !cl.Now.Before(i.TokenExpires) {
		return nil, kernel.JSONFail("ExpiredImportTokenException", "")
	}
	secret, err := i.unwrap(in.EncryptedKeyMaterial)
	if err != nil {
		return nil, err
	}
	if !materialFits(k.Spec, secret) {
		return nil, kernel.JSONFail("InvalidCiphertextException", "")
	}
	digest := sha256.Sum256(secret)
	if i.Digest == nil {
		i.Digest, i.MaterialID = digest[:], kernel.NewHex(32)
	} else if !bytes.Equal(i.Digest, digest[:]) {
		return nil, kernel.JSONFail("IncorrectKeyMaterialException", "")
	}
	i.Model, i.ValidTo = model, until
	k.Materials = []material{{ID: i.MaterialID, Secret: secret, Created: cl.Now}}
	return map[string]string{"KeyId": k.arn, "KeyMaterialId": i.MaterialID}, nil
}

// unwrap opens material that was wrapped under the key of GetParametersForImport.
func (i *importState) unwrap(wrapped []byte) ([]byte, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(i.WrappingKey)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errWrongKind
	}
	secret, err := rsa.DecryptOAEP(oaepHash(i.Algorithm).New(), nil, key, wrapped, nil)
	if err != nil {
		return nil, invalidCiphertext()
	}
	return secret, nil
}

// materialFits reports whether material has the form of a key spec.
func materialFits(name string, secret []byte) bool {
	spec := specs[name]
	switch {
	case spec.symmetric:
		return len(secret) == 32
	case spec.mac != "":
		return len(secret) == spec.macBytes
	}
	key, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return false
	}
	if r, ok := key.(*rsa.PrivateKey); ok {
		return r.N.BitLen() == spec.rsaBits
	}
	e, ok := key.(*ecdsa.PrivateKey)
	return ok && spec.curve != nil && e.Curve == spec.curve()
}

func deleteImportedKeyMaterial(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if e := k.importable(); e != nil {
		return nil, e
	}
	out := map[string]string{"KeyId": k.arn, "KeyMaterialId": k.Import.MaterialID}
	k.forgetMaterial()
	return out, nil
}
