package kms

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// key is a KMS key.
type key struct {
	arn, id, region, account string
	description              string
	policy                   *iam.StoredPolicy
	managed                  bool // aws/s3
	disabled                 bool
	deletion                 time.Time // zero: not scheduled
	created                  time.Time
	tags                     []kernel.Tag
	keyFacts
}

// keyFacts are the kind and the material of a key.
type keyFacts struct {
	Spec, Usage, Origin string
	MultiRegion         bool
	// Materials are all generations of key material, the current one last. Each rotation of a
	// symmetric key adds one; old ones still decrypt.
	Materials      []material
	RotationPeriod int       // days; 0: not rotated by itself
	NextRotation   time.Time // when RotationPeriod is set
	PendingWindow  int       // days that ScheduleKeyDeletion was given
	Import         *importState
}

// material is one generation of key material: 32 bytes, a MAC key, or a
// private key in PKCS #8 form.
type material struct {
	ID      string // 64 hex digits
	Secret  []byte
	Created time.Time
	Type    string // AUTOMATIC, ON_DEMAND; empty for the first
}

func newMaterial(secret []byte, kind string, now time.Time) material {
	return material{ID: kernel.NewHex(32), Secret: secret, Created: now, Type: kind}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return b
}

// current is the material in use. The key must be usable.
func (k *key) current() material { return k.Materials[len(k.Materials)-1] }

// material finds a generation by the raw form of its id.
func (k *key) material(raw []byte) (material, bool) {
	id := hex.EncodeToString(raw)
	for _, m := range k.Materials {
		if m.ID == id {
			return m, true
		}
	}
	return material{}, false
}

func (k *key) state() string {
	switch {
	case !k.deletion.IsZero():
		return "PendingDeletion"
	case len(k.Materials) == 0:
		return "PendingImport"
	case k.disabled:
		return "Disabled"
	}
	return "Enabled"
}

// usable refuses keys that are disabled, about to be deleted or without material.
func (k *key) usable() *kernel.Error {
	switch k.state() {
	case "Disabled":
		return kernel.JSONFail("DisabledException", "%s is disabled.", k.arn)
	case "PendingDeletion":
		return kernel.JSONFail("KMSInvalidStateException", "%s is pending deletion.", k.arn)
	case "PendingImport":
		return kernel.JSONFail("KMSInvalidStateException", "%s is pending import.", k.arn)
	}
	return nil
}

// notLeaving refuses keys that are about to be deleted.
func (k *key) notLeaving() *kernel.Error {
	if k.state() == "PendingDeletion" {
		return k.usable()
	}
	return nil
}

// ready refuses keys that are not usable, or not made for the operation.
func (k *key) ready(operation string) *kernel.Error {
	if e := k.usable(); e != nil {
		return e
	}
	return k.fits(operation)
}

func keyARN(region, account, id string) string {
	return "arn:aws:kms:" + region + ":" + account + ":key/" + id
}

func aliasARN(region, account, name string) string {
	return "arn:aws:kms:" + region + ":" + account + ":" + name
}

// resolveKey finds a key by id, ARN, alias or alias ARN as seen from an
// account and region. The caller holds mu.
func (s *Service) resolveKey(ref, region, account string) (*key, *kernel.Error) {
	arn := ref
	switch {
	case ref == "":
		return nil, missing("keyId")
	case strings.HasPrefix(ref, "arn:"):
		a, ok := awsarn.Split(ref)
		if !ok || a.Service != "kms" || a.Partition != "aws" {
			return nil, kernel.JSONFail("NotFoundException", "Invalid keyId '%s'", ref)
		}
		if a.Region != region {
			return nil, kernel.JSONFail("NotFoundException", "Invalid arn %s", a.Region)
		}
	case strings.HasPrefix(ref, "alias/"):
		arn = aliasARN(region, account, ref)
	case isKeyID(ref):
		arn = keyARN(region, account, ref)
	default:
		return nil, kernel.JSONFail("NotFoundException", "Invalid keyId '%s'", ref)
	}
	if strings.Contains(arn, ":alias/") {
		alias, ok := s.aliases[arn]
		if !ok {
			return nil, kernel.JSONFail("NotFoundException", "Alias %s is not found.", arn)
		}
		arn = alias.Target
	}
	k := s.keys[arn]
	if k == nil {
		return nil, kernel.JSONFail("NotFoundException", "Key '%s' does not exist", arn)
	}
	return k, nil
}

func isKeyID(s string) bool {
	if rest, ok := strings.CutPrefix(s, "mrk-"); ok {
		return len(rest) == 32 && isHex(rest)
	}
	return len(s) == 36 && strings.Count(s, "-") == 4 && isHex(strings.ReplaceAll(s, "-", ""))
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// settleKeys deletes and rotates the keys whose date has come, and removes imported material
// that has expired. The caller holds mu.
func (s *Service) settleKeys(now time.Time) {
	for _, k := range s.keys {
		if !k.deletion.IsZero() && !now.Before(k.deletion) {
			s.dropKey(k)
			continue
		}
		k.expireImport(now)
		k.rotateDue(now)
	}
}

// dropKey ends a key with its aliases and grants.
func (s *Service) dropKey(k *key) {
	delete(s.keys, k.arn)
	for arn, alias := range s.aliases {
		if alias.Target == k.arn {
			delete(s.aliases, arn)
		}
	}
	for id, g := range s.grants {
		if g.KeyARN == k.arn {
			delete(s.grants, id)
		}
	}
}

// ciphertextDenied is the answer to ciphertexts of keys that are not there.
func ciphertextDenied() *kernel.Error {
	return kernel.JSONFail(
		"AccessDeniedException",
		"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
	)
}

// managedS3Key is the account's aws/s3 key, made on first use.
func (s *Service) managedS3Key(region, account string, now time.Time) (*key, error) {
	alias := aliasARN(region, account, "alias/aws/s3")
	if a, ok := s.aliases[alias]; ok {
		return s.keys[a.Target], nil
	}
	s.k.MarkDirty()
	text := fmt.Sprintf(`{"Version":"2012-10-17","Id":"auto-s3-2","Statement":[`+
		`{"Sid":"Allow access through S3 for all principals in the account that are authorized to use S3","Effect":"Allow",`+
		`"Principal":{"AWS":"*"},`+
		`"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*",`+
		`"Condition":{"StringEquals":{"kms:ViaService":"s3.%s.amazonaws.com","kms:CallerAccount":"%s"}}},`+
		`{"Sid":"Allow direct access to key metadata to the account","Effect":"Allow","Principal":{"AWS":"%s"},`+
		`"Action":["kms:Describe*","kms:Get*","kms:List*","kms:RevokeGrant"],"Resource":"*"}]}`, region, account, kernel.RootARN(account))
	policy, err := s.iam.StorePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("making aws/s3: %w", err)
	}
	k := s.newKey(region, account, policy, now, keyFacts{
		Spec: symmetricDefault, Usage: usageEncrypt, Origin: originKMS, Materials: []material{newMaterial(random(32), "", now)},
		RotationPeriod: defaultRotation, NextRotation: now.AddDate(0, 0, defaultRotation), // AWS rotates its own keys every year
	})
	k.managed, k.description = true, "Default key that protects my S3 objects when no other key is defined"
	s.aliases[alias] = &keyAlias{Target: k.arn, Created: now, Updated: now}
	return k, nil
}

func (s *Service) newKey(region, account string, policy *iam.StoredPolicy, now time.Time, facts keyFacts) *key {
	k := &key{id: kernel.NewUUID(), region: region, account: account, policy: policy, created: now, keyFacts: facts}
	if facts.MultiRegion {
		k.id = "mrk-" + kernel.NewHex(16)
	}
	k.arn = keyARN(region, account, k.id)
	s.keys[k.arn] = k
	return k
}
