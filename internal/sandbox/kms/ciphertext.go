package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
)

// A symmetric ciphertext names its key and the generation of the key material:
// version, length of the ARN, ARN, material id, nonce, AES-GCM.
const (
	ciphertextVersion = 2
	materialIDBytes   = 32
)

var errCiphertext = errors.New("not a ciphertext of this sandbox")

// seal encrypts under the key; the encryption context is authenticated.
func (k *key) seal(plaintext []byte, encryption map[string]string) ([]byte, error) {
	m := k.current()
	aead, err := m.aead()
	if err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(m.ID)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	out := append([]byte{ciphertextVersion}, binary.BigEndian.AppendUint16(nil, uint16(len(k.arn)))...)
	out = append(out, k.arn...)
	out = append(out, id...)
	out = append(out, nonce...)
	return aead.Seal(out, nonce, plaintext, contextBytes(encryption)), nil
}

// unseal opens a ciphertext of the key and says which material made it.
func (k *key) unseal(ciphertext []byte, encryption map[string]string) (plaintext []byte, material string, err error) {
	arn, rest, err := ciphertextKey(ciphertext)
	if err != nil || arn != k.arn || len(rest) < materialIDBytes {
		return nil, "", errCiphertext
	}
	m, ok := k.material(rest[:materialIDBytes])
	rest = rest[materialIDBytes:]
	if !ok {
		return nil, "", errCiphertext
	}
	aead, err := m.aead()
	if err != nil {
		return nil, "", err
	}
	if len(rest) < aead.NonceSize() {
		return nil, "", errCiphertext
	}
	plaintext, err = aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], contextBytes(encryption))
	return plaintext, m.ID, err
}

func (m material) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(m.Secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// ciphertextKey reads the ARN of the key that a ciphertext was made with.
func ciphertextKey(ciphertext []byte) (arn string, rest []byte, err error) {
	if len(ciphertext) < 3 || ciphertext[0] != ciphertextVersion {
		return "", nil, errCiphertext
	}
	n := int(binary.BigEndian.Uint16(ciphertext[1:]))
	if len(ciphertext) < 3+n {
		return "", nil, errCiphertext
	}
	return string(ciphertext[3 : 3+n]), ciphertext[3+n:], nil
}

func contextBytes(encryption map[string]string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(encryption)) {
		for _, s := range []string{name, encryption[name]} {
			b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
			b = append(b, s...)
		}
	}
	return b
}
