package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const maxKeyPolicy = 32 << 10

// kmsInput holds the fields of all modelled operations.
type kmsInput struct {
	KeyID                          string `json:"KeyId"`
	Policy                         string
	PolicyName                     string
	Description                    string
	KeyUsage, KeySpec, Origin      string
	CustomerMasterKeySpec          string
	MultiRegion                    bool
	BypassPolicyLockoutSafetyCheck bool
	Tags                           []struct{ TagKey, TagValue string }
	PendingWindowInDays            int
	EncryptionContext              map[string]string
	NumberOfBytes                  int
	DryRun                         bool
	Plaintext                      []byte
	CiphertextBlob                 []byte
	EncryptionAlgorithm            string
	AliasName, TargetKeyID         string
	GrantTokens                    []string
	Recipient                      json.RawMessage
}

func (in *kmsInput) keySpecText() string {
	if in.KeySpec != "" {
		return in.KeySpec
	}
	return in.CustomerMasterKeySpec
}

type kmsHandler func(*Sandbox, *call, *kmsInput) (any, error)

// kmsHandlers are the operations by name.
var kmsHandlers = map[string]kmsHandler{
	"CreateKey":                       createKey,
	"DescribeKey":                     describeKey,
	"GetKeyPolicy":                    getKeyPolicy,
	"PutKeyPolicy":                    putKeyPolicy,
	"EnableKey":                       enableKey,
	"DisableKey":                      disableKey,
	"ScheduleKeyDeletion":             scheduleKeyDeletion,
	"CancelKeyDeletion":               cancelKeyDeletion,
	"GenerateDataKey":                 generateDataKey,
	"GenerateDataKeyWithoutPlaintext": generateDataKey,
	"Encrypt":                         kmsEncrypt,
	"Decrypt":                         kmsDecrypt,
	"CreateAlias":                     createAlias,
	"DeleteAlias":                     deleteAlias,
	"ListAliases":                     listAliases,
	"ListKeys":                        listKeys,
}

func (s *Sandbox) handleKMS(cl *call, data []byte) error {
	handler := kmsHandlers[cl.record.Operation]
	if handler == nil {
		return notImplemented("kms:" + cl.record.Operation)
	}
	var in kmsInput
	if err := json.Unmarshal(data, &in); err != nil {
		return kmsFail("SerializationException", "The request body is not the JSON that %s takes.", cl.record.Operation)
	}
	if in.GrantTokens != nil || in.Recipient != nil {
		return notImplemented("grants and attested recipients of KMS")
	}
	s.world.mu.Lock()
	result, err := handler(s, cl, &in)
	s.world.mu.Unlock()
	if err != nil {
		return err
	}
	body := []byte("{}")
	if result != nil {
		if body, err = json.Marshal(result); err != nil {
			return fmt.Errorf("rendering the answer: %w", err)
		}
	}
	cl.w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	s.reply(cl, http.StatusOK)
	_, err = cl.w.Write(body)
	return err
}

// kmsCall resolves the key, decides and checks that a key of another account
// is used only where KMS allows that.
func (s *Sandbox) kmsCall(cl *call, in *kmsInput, cross bool) (*kmsKey, error) {
	k, e := s.world.resolveKey(in.KeyID, s.region(cl), cl.caller.account)
	if e != nil {
		// Keys of other accounts are not to be found out by guessing.
		if parts := strings.SplitN(in.KeyID, ":", 6); len(parts) == 6 && parts[4] != cl.caller.account && !strings.HasPrefix(e.Message, "Invalid") {
			denied := kmsFail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s %s", cl.caller.arn, cl.record.Operation, in.KeyID, opaqueTail)
			denied.denied = true
			return nil, denied
		}
		return nil, e
	}
	q := kmsRequest{operation: cl.record.Operation, key: k, encryption: in.EncryptionContext}
	if e := s.world.allowKMS(cl, q); e != nil {
		return nil, e
	}
	if !cross && k.account != cl.caller.account {
		denied := kmsFail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s %s", cl.caller.arn, cl.record.Operation, k.arn, opaqueTail)
		denied.denied = true
		cl.record.Decision = "denied"
		return nil, denied
	}
	return k, nil
}

type keyMetadata struct {
	AWSAccountID          string   `json:"AWSAccountId"`
	KeyID                 string   `json:"KeyId"`
	Arn                   string   `json:"Arn"`
	CreationDate          float64  `json:"CreationDate"`
	Enabled               bool     `json:"Enabled"`
	Description           string   `json:"Description"`
	KeyUsage              string   `json:"KeyUsage"`
	KeyState              string   `json:"KeyState"`
	DeletionDate          *float64 `json:"DeletionDate,omitempty"`
	Origin                string   `json:"Origin"`
	KeyManager            string   `json:"KeyManager"`
	CustomerMasterKeySpec string   `json:"CustomerMasterKeySpec"`
	KeySpec               string   `json:"KeySpec"`
	EncryptionAlgorithms  []string `json:"EncryptionAlgorithms"`
	MultiRegion           bool     `json:"MultiRegion"`
}

func (k *kmsKey) metadata() keyMetadata {
	m := keyMetadata{
		AWSAccountID: k.account, KeyID: k.id, Arn: k.arn, CreationDate: float64(k.created.UnixMilli()) / 1000,
		Enabled: k.state() == "Enabled", Description: k.description, KeyUsage: "ENCRYPT_DECRYPT", KeyState: k.state(),
		Origin: "AWS_KMS", KeyManager: "CUSTOMER", CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", KeySpec: "SYMMETRIC_DEFAULT",
		EncryptionAlgorithms: []string{"SYMMETRIC_DEFAULT"},
	}
	if k.managed {
		m.KeyManager = "AWS"
	}
	if !k.deletion.IsZero() {
		d := float64(k.deletion.Unix())
		m.DeletionDate = &d
	}
	return m
}

func defaultKeyPolicy(account string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"}]}`, rootARN(account))
}

func createKey(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	if spec := in.keySpecText(); (spec != "" && spec != "SYMMETRIC_DEFAULT") || (in.KeyUsage != "" && in.KeyUsage != "ENCRYPT_DECRYPT") ||
		(in.Origin != "" && in.Origin != "AWS_KMS") || in.MultiRegion {
		return nil, notImplemented("any but single-Region symmetric KMS keys")
	}
	w, account := s.world, cl.caller.account
	if e := w.authorize(cl, access{caller: cl.caller, action: "kms:CreateKey", resource: "*", owner: account, context: cl.requestContext(s.region(cl))}); e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return nil, e
	}
	text := in.Policy
	if text == "" {
		text = defaultKeyPolicy(account)
	}
	policy, err := s.checkKeyPolicy(cl, text, "arn:aws:kms:"+s.region(cl)+":"+account+":key/*", in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	k := w.newKMSKey(s.region(cl), account, policy, cl.now)
	k.description = in.Description
	for _, t := range in.Tags {
		k.tags = append(k.tags, tag{t.TagKey, t.TagValue})
	}
	cl.record.Resource = k.arn
	return map[string]any{"KeyMetadata": k.metadata()}, nil
}

// checkKeyPolicy stores a key policy. Unless told otherwise it refuses one
// under which the caller could not change it again.
func (s *Sandbox) checkKeyPolicy(cl *call, text, arn string, bypass bool) (*storedPolicy, error) {
	w := s.world
	if len(text) > maxKeyPolicy {
		return nil, kmsFail("LimitExceededException", "The key policy exceeds %d bytes.", maxKeyPolicy)
	}
	policy, err := w.storePolicy(text)
	if errors.Is(err, errInvalidPrincipal) {
		return nil, kmsFail("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")
	}
	if err != nil {
		return nil, kmsFail("MalformedPolicyDocumentException", "%v", err)
	}
	if bypass {
		return policy, nil
	}
	a := access{caller: cl.caller, action: "kms:PutKeyPolicy", resource: arn, owner: cl.caller.account, context: cl.requestContext(s.region(cl)), policy: policy.doc}
	a.context["kms:CallerAccount"] = []string{cl.caller.account}
	if _, res := w.decide(a); res.Decision != iampolicy.Allowed {
		return nil, kmsFail("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return policy, nil
}

func describeKey(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	if strings.HasSuffix(in.KeyID, "alias/aws/s3") {
		if _, err := s.world.managedS3Key(s.region(cl), cl.caller.account, cl.now); err != nil {
			return nil, err
		}
	}
	k, err := s.kmsCall(cl, in, true)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyMetadata": k.metadata()}, nil
}

func getKeyPolicy(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, false)
	if err != nil {
		return nil, err
	}
	if in.PolicyName != "" && in.PolicyName != "default" {
		return nil, kmsFail("NotFoundException", "No such policy exists")
	}
	text, _ := s.world.policyNow(k.policy)
	return map[string]string{"Policy": text, "PolicyName": "default"}, nil
}

func putKeyPolicy(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, false)
	if err != nil {
		return nil, err
	}
	if k.managed {
		return nil, kmsFail("AccessDeniedException", "The policy of an AWS managed key cannot be changed.")
	}
	if k.state() == "PendingDeletion" {
		return nil, k.usable()
	}
	policy, err := s.checkKeyPolicy(cl, in.Policy, k.arn, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	k.policy = policy
	return nil, nil
}

func enableKey(s *Sandbox, cl *call, in *kmsInput) (any, error)  { return setKeyState(s, cl, in, false) }
func disableKey(s *Sandbox, cl *call, in *kmsInput) (any, error) { return setKeyState(s, cl, in, true) }

func setKeyState(s *Sandbox, cl *call, in *kmsInput, disabled bool) (any, error) {
	k, err := s.kmsCall(cl, in, false)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, k.usable()
	}
	k.disabled = disabled
	return nil, nil
}

func scheduleKeyDeletion(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, false)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, k.usable()
	}
	days := in.PendingWindowInDays
	if days == 0 {
		days = 30
	}
	if days < 7 || days > 30 {
		return nil, kmsFail("ValidationException", "PendingWindowInDays must be between 7 and 30.")
	}
	k.deletion = cl.now.Add(time.Duration(days) * 24 * time.Hour)
	return map[string]any{"KeyId": k.arn, "DeletionDate": k.deletion.Unix(), "KeyState": "PendingDeletion", "PendingWindowInDays": days}, nil
}

func cancelKeyDeletion(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, false)
	if err != nil {
		return nil, err
	}
	if k.deletion.IsZero() {
		return nil, kmsFail("KMSInvalidStateException", "%s is not pending deletion.", k.arn)
	}
	k.deletion, k.disabled = time.Time{}, true // comes back disabled, as AWS does
	return map[string]string{"KeyId": k.arn}, nil
}
