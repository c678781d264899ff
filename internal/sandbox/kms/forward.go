package kms

import (
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// KMS as S3 uses it on behalf of a caller.

// ForwardedKey finds the key that an upload is to be encrypted under, and returns its ARN.
// ref is how the caller names it. An empty ref means the aws/s3 key of the bucket's
// owner, which no other account can use.
func (s *Service) ForwardedKey(ref, region, owner, account string, now time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleKeys(now)
	if ref == "" || ref == "alias/aws/s3" {
		if ref != "" {
			owner = account
		}
		k, err := s.managedS3Key(region, owner, now)
		if err != nil {
			return "", err
		}
		return k.arn, nil
	}
	k, e := s.resolveKey(ref, region, account)
	if e != nil {
		return "", e
	}
	return k.arn, nil
}

// Forward decides and checks one use of a key that S3 makes under the caller's identity.
// It is recorded with the call that it is made for.
func (s *Service) Forward(cl *kernel.Request, operation, keyARN, region string, encryption map[string]string) *kernel.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleKeys(cl.Now)
	k := s.keys[keyARN]
	if k == nil {
		return ciphertextDenied()
	}
	if f, ok := s.k.NextFault("kms", operation); ok && f.Code != "" {
		return f.AsError("kms") // of a fault in KMS, S3's callers see the error only
	}
	q := request{operation: operation, key: k, encryption: encryption, via: "s3." + region + ".amazonaws.com"}
	if e := s.authorize(cl, q); e != nil {
		return e
	}
	return k.ready(operation)
}
