package kms

import (
	"crypto"
	"crypto/hmac"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// GenerateMac and VerifyMac.

func macHash(algorithm string) crypto.Hash {
	switch algorithm {
	case "HMAC_SHA_224":
		return crypto.SHA224
	case "HMAC_SHA_384":
		return crypto.SHA384
	case "HMAC_SHA_512":
		return crypto.SHA512
	}
	return crypto.SHA256
}

// mac decides and computes the MAC of the message.
func (s *Service) mac(cl *kernel.Request, in *input) (*key, []byte, error) {
	if in.MacAlgorithm == "" {
		return nil, nil, missing("macAlgorithm")
	}
	if err := first(sized(in.Message, "message", maxPlaintext), oneOf(in.MacAlgorithm, "macAlgorithm", macNames...)); err != nil {
		return nil, nil, err
	}
	k, err := s.readyKey(cl, in, map[string][]string{"kms:MacAlgorithm": {in.MacAlgorithm}})
	if err != nil {
		return nil, nil, err
	}
	if e := k.algorithmFits(in.MacAlgorithm, k.macAlgorithms()); e != nil {
		return nil, nil, e
	}
	h := hmac.New(macHash(in.MacAlgorithm).New, k.current().Secret)
	_, _ = h.Write(in.Message) // never fails, see hash.Hash
	return k, h.Sum(nil), nil
}

func generateMac(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, mac, err := s.mac(cl, in)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return map[string]any{"KeyId": k.arn, "Mac": mac, "MacAlgorithm": in.MacAlgorithm}, nil
}

func verifyMac(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := sized(in.Mac, "mac", maxCiphertext); e != nil {
		return nil, e
	}
	k, mac, err := s.mac(cl, in)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(mac, in.Mac) {
		return nil, kernel.JSONFail("KMSInvalidMacException", "")
	}
	if in.DryRun {
		return nil, dryRun()
	}
	return map[string]any{"KeyId": k.arn, "MacValid": true, "MacAlgorithm": in.MacAlgorithm}, nil
}
