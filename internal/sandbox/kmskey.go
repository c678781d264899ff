package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

type kmsKey struct {
	arn, id, region, account string
	description              string
	secret                   [32]byte
	policy                   *storedPolicy
	managed                  bool // aws/s3
	disabled                 bool
	deletion                 time.Time // zero: not scheduled
	created                  time.Time
	tags                     []tag
}

func (k *kmsKey) state() string {
	switch {
	case !k.deletion.IsZero():
		return "PendingDeletion"
	case k.disabled:
		return "Disabled"
	}
	return "Enabled"
}

func kmsFail(code, format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, code, format, args...)
}

// usable refuses keys that are disabled or about to be deleted.
func (k *kmsKey) usable() *apiError {
	switch k.state() {
	case "Disabled":
		return kmsFail("DisabledException", "%s is disabled.", k.arn)
	case "PendingDeletion":
		return kmsFail("KMSInvalidStateException", "%s is pending deletion.", k.arn)
	}
	return nil
}

func keyARN(region, account, id string) string {
	return "arn:aws:kms:" + region + ":" + account + ":key/" + id
}

func aliasARN(region, account, name string) string {
	return "arn:aws:kms:" + region + ":" + account + ":" + name
}

// resolveKey finds a key by id, ARN, alias or alias ARN as seen from an
// account and region. The caller holds mu.
func (w *world) resolveKey(ref, region, account string) (*kmsKey, *apiError) {
	arn := ref
	switch {
	case ref == "":
		return nil, kmsFail("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	case strings.HasPrefix(ref, "arn:"):
		parts := strings.SplitN(ref, ":", 6)
		if len(parts) != 6 || parts[2] != "kms" || parts[1] != "aws" {
			return nil, kmsFail("NotFoundException", "Invalid keyId '%s'", ref)
		}
		if parts[3] != region {
			return nil, kmsFail("NotFoundException", "Invalid arn %s", parts[3])
		}
	case strings.HasPrefix(ref, "alias/"):
		arn = aliasARN(region, account, ref)
	case isKeyID(ref):
		arn = keyARN(region, account, ref)
	default:
		return nil, kmsFail("NotFoundException", "Invalid keyId '%s'", ref)
	}
	if strings.Contains(arn, ":alias/") {
		target, ok := w.kmsAliases[arn]
		if !ok {
			return nil, kmsFail("NotFoundException", "Alias %s is not found.", arn)
		}
		arn = target
	}
	k := w.kmsKeys[arn]
	if k == nil {
		return nil, kmsFail("NotFoundException", "Key '%s' does not exist", arn)
	}
	return k, nil
}

func isKeyID(s string) bool {
	if rest, ok := strings.CutPrefix(s, "mrk-"); ok {
		return len(rest) == 32
	}
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// kmsRequest is one use of a key, by a caller or by S3 on a caller's behalf.
type kmsRequest struct {
	operation  string
	key        *kmsKey
	encryption map[string]string // encryption context
	via        string            // "s3.REGION.amazonaws.com" for forward access
	context    map[string][]string
}

const opaqueTail = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"

// allowKMS decides a KMS request. The caller holds mu.
func (w *world) allowKMS(cl *call, q kmsRequest) *apiError {
	ctx := q.context
	if ctx == nil {
		if q.via == "" {
			ctx = cl.requestContext(q.key.region)
		} else {
			// Forward access comes from AWS's own network: no source address, no
			// user agent of the client's.
			ctx = map[string][]string{
				"aws:CurrentTime":     {cl.now.UTC().Format(time.RFC3339)},
				"aws:EpochTime":       {formatUnix(cl.now)},
				"aws:SecureTransport": {"true"},
				"aws:ViaAWSService":   {"true"},
				"aws:RequestedRegion": {q.key.region},
			}
		}
	}
	if q.via != "" {
		ctx["kms:ViaService"] = []string{q.via}
	}
	ctx["kms:CallerAccount"] = []string{cl.caller.account}
	ctx["kms:KeySpec"] = []string{"SYMMETRIC_DEFAULT"}
	ctx["kms:KeyUsage"] = []string{"ENCRYPT_DECRYPT"}
	ctx["kms:KeyOrigin"] = []string{"AWS_KMS"}
	ctx["kms:MultiRegion"] = []string{"false"}
	switch q.operation {
	case "Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		ctx["kms:EncryptionAlgorithm"] = []string{"SYMMETRIC_DEFAULT"}
	}
	for name, value := range q.encryption {
		ctx["kms:EncryptionContext:"+name] = []string{value}
	}
	if len(q.encryption) > 0 {
		ctx["kms:EncryptionContextKeys"] = slices.Sorted(maps.Keys(q.encryption))
	}
	var aliases []string
	for alias, target := range w.kmsAliases {
		if target == q.key.arn {
			aliases = append(aliases, alias[strings.Index(alias, ":alias/")+1:])
		}
	}
	if aliases != nil {
		slices.Sort(aliases)
		ctx["kms:ResourceAliases"] = aliases
	}
	_, policy := w.policyNow(q.key.policy)
	a := access{caller: cl.caller, action: "kms:" + q.operation, resource: q.key.arn, owner: q.key.account, context: ctx, policy: policy}
	sc, res := w.decide(a)
	var e *apiError
	if res.Decision != iampolicy.Allowed {
		e = kmsFail("AccessDeniedException", "%s", iampolicy.AccessDeniedText(sc, res))
		e.denied = true
	}
	if q.via == "" {
		cl.decided(a, res)
	} else {
		sub := Call{
			Time: cl.now, Service: "kms", Operation: q.operation, Principal: cl.caller.arn, Account: cl.caller.account, AccessKey: cl.caller.key,
			Resource: q.key.arn, Via: "s3.amazonaws.com", Decision: "allowed", RequestID: newUUID(), Owner: q.key.account, Region: q.key.region, EncryptionContext: q.encryption,
		}
		if e != nil {
			sub.Decision, sub.ErrorCode, sub.Message = "denied", e.Code, e.Message
		} else if bad := q.key.usable(); bad != nil {
			sub.ErrorCode, sub.Message = bad.Code, bad.Message
		}
		cl.forward = append(cl.forward, sub)
	}
	return e
}

var errCiphertext = errors.New("not a ciphertext of this sandbox")

// seal encrypts under the key; the encryption context is authenticated.
func (k *kmsKey) seal(plaintext []byte, encryption map[string]string) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	out := append([]byte{1}, binary.BigEndian.AppendUint16(nil, uint16(len(k.arn)))...)
	out = append(out, k.arn...)
	out = append(out, nonce...)
	return aead.Seal(out, nonce, plaintext, contextBytes(encryption)), nil
}

func (k *kmsKey) unseal(ciphertext []byte, encryption map[string]string) ([]byte, error) {
	_, rest, err := ciphertextKey(ciphertext)
	if err != nil {
		return nil, err
	}
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	if len(rest) < aead.NonceSize() {
		return nil, errCiphertext
	}
	return aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], contextBytes(encryption))
}

func (k *kmsKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// ciphertextKey reads the ARN of the key that a ciphertext was made with.
func ciphertextKey(ciphertext []byte) (arn string, rest []byte, err error) {
	if len(ciphertext) < 3 || ciphertext[0] != 1 {
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

// managedS3Key is the account's aws/s3 key, made on first use.
func (w *world) managedS3Key(region, account string, now time.Time) (*kmsKey, error) {
	alias := aliasARN(region, account, "alias/aws/s3")
	if arn, ok := w.kmsAliases[alias]; ok {
		return w.kmsKeys[arn], nil
	}
	text := fmt.Sprintf(`{"Version":"2012-10-17","Id":"auto-s3-2","Statement":[`+
		`{"Sid":"Allow access through S3 for all principals in the account that are authorized to use S3","Effect":"Allow","Principal":{"AWS":"*"},`+
		`"Action":["kms:Encrypt","kms:Decrypt","kms:ReEncrypt*","kms:GenerateDataKey*","kms:DescribeKey"],"Resource":"*",`+
		`"Condition":{"StringEquals":{"kms:ViaService":"s3.%s.amazonaws.com","kms:CallerAccount":"%s"}}},`+
		`{"Sid":"Allow direct access to key metadata to the account","Effect":"Allow","Principal":{"AWS":"%s"},`+
		`"Action":["kms:Describe*","kms:Get*","kms:List*","kms:RevokeGrant"],"Resource":"*"}]}`, region, account, rootARN(account))
	policy, err := w.storePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("making aws/s3: %w", err)
	}
	k := w.newKMSKey(region, account, policy, now)
	k.managed, k.description = true, "Default key that protects my S3 objects when no other key is defined"
	w.kmsAliases[alias] = k.arn
	return k, nil
}

func (w *world) newKMSKey(region, account string, policy *storedPolicy, now time.Time) *kmsKey {
	k := &kmsKey{id: newUUID(), region: region, account: account, policy: policy, created: now}
	k.arn = keyARN(region, account, k.id)
	_, _ = rand.Read(k.secret[:])
	w.kmsKeys[k.arn] = k
	return k
}
