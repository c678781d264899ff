package kms

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// input holds the fields of all modelled operations. A number is a pointer where AWS
// distinguishes an absent one from zero.
type input struct {
	KeyID                          string `json:"KeyId"`
	Policy                         string
	PolicyName                     string
	Description                    string
	KeyUsage, KeySpec, Origin      string
	CustomerMasterKeySpec          string
	CustomKeyStoreID               string `json:"CustomKeyStoreId"`
	XksKeyID                       string `json:"XksKeyId"`
	MultiRegion                    bool
	BypassPolicyLockoutSafetyCheck bool
	Tags                           []tag
	TagKeys                        []string
	PendingWindowInDays            *int
	RotationPeriodInDays           *int
	IncludeKeyMaterial             string
	EncryptionContext              map[string]string
	NumberOfBytes                  *int
	DryRun                         bool
	Plaintext                      []byte
	CiphertextBlob                 []byte
	EncryptionAlgorithm            string
	AliasName                      string
	TargetKeyID                    string `json:"TargetKeyId"`
	GrantTokens                    []string
	Recipient                      json.RawMessage
	Limit                          *int
	Marker                         string

	GranteePrincipal, RetiringPrincipal string
	Operations                          []string
	Constraints                         *constraints
	Name                                string
	GrantID                             string `json:"GrantId"`
	GrantToken                          string

	SourceKeyID                    string `json:"SourceKeyId"`
	SourceEncryptionContext        map[string]string
	SourceEncryptionAlgorithm      string
	DestinationKeyID               string `json:"DestinationKeyId"`
	DestinationEncryptionContext   map[string]string
	DestinationEncryptionAlgorithm string

	KeyPairSpec           string
	Message               []byte
	MessageType           string
	SigningAlgorithm      string
	Signature             []byte
	MacAlgorithm          string
	Mac                   []byte
	KeyAgreementAlgorithm string
	PublicKey             []byte

	WrappingAlgorithm, WrappingKeySpec string
	ImportToken, EncryptedKeyMaterial  []byte
	ExpirationModel                    string
	ValidTo                            *float64
	ImportType                         string

	// prepared is key material that was made before the lock was taken.
	prepared []byte
}

func (in *input) keySpecText() string {
	if in.KeySpec != "" {
		return in.KeySpec
	}
	return in.CustomerMasterKeySpec
}

type handler func(*Service, *kernel.Request, *input) (any, error)

// handlers are the operations by name.
var handlers = map[string]handler{
	"CreateKey":                           createKey,
	"DescribeKey":                         describeKey,
	"UpdateKeyDescription":                updateKeyDescription,
	"GetKeyPolicy":                        getKeyPolicy,
	"PutKeyPolicy":                        putKeyPolicy,
	"ListKeyPolicies":                     listKeyPolicies,
	"EnableKey":                           enableKey,
	"DisableKey":                          disableKey,
	"ScheduleKeyDeletion":                 scheduleKeyDeletion,
	"CancelKeyDeletion":                   cancelKeyDeletion,
	"GenerateDataKey":                     generateDataKey,
	"GenerateDataKeyWithoutPlaintext":     generateDataKey,
	"GenerateDataKeyPair":                 generateDataKeyPair,
	"GenerateDataKeyPairWithoutPlaintext": generateDataKeyPair,
	"GenerateRandom":                      generateRandom,
	"Encrypt":                             encrypt,
	"Decrypt":                             decrypt,
	"ReEncrypt":                           reEncrypt,
	"Sign":                                sign,
	"Verify":                              verify,
	"GetPublicKey":                        getPublicKey,
	"DeriveSharedSecret":                  deriveSharedSecret,
	"GenerateMac":                         generateMac,
	"VerifyMac":                           verifyMac,
	"CreateAlias":                         createAlias,
	"UpdateAlias":                         updateAlias,
	"DeleteAlias":                         deleteAlias,
	"ListAliases":                         listAliases,
	"ListKeys":                            listKeys,
	"CreateGrant":                         createGrant,
	"ListGrants":                          listGrants,
	"ListRetirableGrants":                 listRetirableGrants,
	"RevokeGrant":                         revokeGrant,
	"RetireGrant":                         retireGrant,
	"TagResource":                         tagResource,
	"UntagResource":                       untagResource,
	"ListResourceTags":                    listResourceTags,
	"GetKeyRotationStatus":                getKeyRotationStatus,
	"EnableKeyRotation":                   enableKeyRotation,
	"DisableKeyRotation":                  disableKeyRotation,
	"ListKeyRotations":                    listKeyRotations,
	"RotateKeyOnDemand":                   rotateKeyOnDemand,
	"GetParametersForImport":              getParametersForImport,
	"ImportKeyMaterial":                   importKeyMaterial,
	"DeleteImportedKeyMaterial":           deleteImportedKeyMaterial,
}

// Service is KMS of all accounts. mu guards keys, aliases and grants.
type Service struct {
	k   *kernel.Kernel
	iam *iam.Service

	mu      sync.Mutex
	keys    map[string]*key      // by ARN
	aliases map[string]*keyAlias // by alias ARN
	grants  map[string]*grant    // by grant id
}

// New makes KMS without keys.
func New(k *kernel.Kernel, iam *iam.Service) *Service {
	return &Service{k: k, iam: iam, keys: map[string]*key{}, aliases: map[string]*keyAlias{}, grants: map[string]*grant{}}
}

// Serve answers a call to KMS with its body.
func (s *Service) Serve(cl *kernel.Request, data []byte) error {
	handler := handlers[cl.Record.Operation]
	if handler == nil {
		return kernel.NotImplemented("kms:" + cl.Record.Operation)
	}
	var in input
	if err := json.Unmarshal(data, &in); err != nil {
		return kernel.JSONFail("SerializationException", "The request body is not the JSON that %s takes.", cl.Record.Operation)
	}
	if in.Recipient != nil {
		return kernel.NotImplemented("attested recipients of KMS")
	}
	if err := in.prepare(cl.Record.Operation); err != nil {
		return err
	}
	body, err := s.run(cl, &in, handler)
	if err != nil {
		return err
	}
	cl.Out.Header().Set("Content-Type", kernel.JSONContentType)
	cl.Reply(http.StatusOK)
	_, err = cl.Out.Write(body)
	return err
}

// run runs an operation and renders its answer with mu held; the answer is empty for
// operations that have none.
func (s *Service) run(cl *kernel.Request, in *input, handler handler) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleKeys(cl.Now)
	result, err := handler(s, cl, in)
	if err != nil || result == nil {
		return nil, err
	}
	body, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("rendering the answer: %w", err)
	}
	return body, nil
}

// prepare makes key material that takes long, before the lock is taken.
func (in *input) prepare(operation string) error {
	spec := ""
	switch operation {
	case "CreateKey":
		if spec = in.keySpecText(); in.Origin == originExternal {
			return nil
		}
	case "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext":
		spec = in.KeyPairSpec
	case "GetParametersForImport":
		spec = in.WrappingKeySpec
	}
	if !specs[spec].asymmetric() {
		return nil
	}
	var err error
	if in.prepared, err = newPrivateKey(spec); err != nil {
		return fmt.Errorf("making a key of %s: %w", spec, err)
	}
	return nil
}

// use is one use of a key.
type use struct {
	ref        string // KeyId as the caller gave it
	operation  string // of the IAM action
	encryption map[string]string
	context    map[string][]string // condition keys of this operation
	grant      *grant              // the new grant of CreateGrant, the old one of RetireGrant
}

// namedKey decides the use of the key that the request names.
func (s *Service) namedKey(cl *kernel.Request, in *input, context map[string][]string) (*key, error) {
	return s.useKey(cl, in, use{ref: in.KeyID, operation: cl.Record.Operation, encryption: in.EncryptionContext, context: context})
}

// readyKey decides the use of the key that the request names, which must be enabled for it.
func (s *Service) readyKey(cl *kernel.Request, in *input, context map[string][]string) (*key, error) {
	k, err := s.namedKey(cl, in, context)
	if err != nil {
		return nil, err
	}
	if e := k.ready(cl.Record.Operation); e != nil {
		return nil, e
	}
	return k, nil
}

// useKey resolves the key, decides, and checks that a key of another account
// is used only where KMS allows that.
func (s *Service) useKey(cl *kernel.Request, in *input, u use) (*key, error) {

	if err := s.checkGrantTokens(in.GrantTokens); err != nil {
		return nil, err
	}
	if e := aliasTaken(u.ref, cl.Record.Operation); e != nil {
		return nil, e
	}
	k, e := s.resolveKey(u.ref, cl.Region(), cl.Caller.Account)
	if e != nil {
		// A caller must not find keys of other accounts by guessing.
		if arn, ok := awsarn.Split(u.ref); ok && arn.Account != cl.Caller.Account && !strings.HasPrefix(e.Message, "Invalid") {
			return nil, opaqueDenial(cl, u.operation, u.ref)
		}
		return nil, e
	}
	q := request{operation: u.operation, key: k, encryption: u.encryption, ref: u.ref, extra: u.context, grant: u.grant}
	if e := s.authorize(cl, q); e != nil {
		return nil, e
	}
	if k.account != cl.Caller.Account && !crossAccount[cl.Record.Operation] {
		cl.Record.Decision = "denied"
		return nil, opaqueDenial(cl, u.operation, k.arn)
	}
	return k, nil
}

func opaqueDenial(cl *kernel.Request, operation, resource string) *kernel.Error {
	e := kernel.JSONFail(
		"AccessDeniedException",
		"User: %s is not authorized to perform: kms:%s on resource: %s %s",
		cl.Caller.ARN,
		operation,
		resource,
		opaqueTail,
	)
	e.Denied = true
	return e
}

// crossAccount are the operations that work on keys of other accounts ("Cross-account use: Yes").
var crossAccount = map[string]bool{
	"CreateGrant": true, "ListGrants": true, "RevokeGrant": true, "RetireGrant": true, "DescribeKey": true, "GetPublicKey": true,
	"GetKeyRotationStatus": true, "Encrypt": true, "Decrypt": true, "ReEncrypt": true, "Sign": true, "Verify": true, "GenerateMac": true,
	"VerifyMac": true, "DeriveSharedSecret": true, "GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true,
	"GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
}

// takesAlias are the operations whose KeyId may be an alias.
var takesAlias = map[string]bool{
	"DescribeKey": true, "GetPublicKey": true, "Encrypt": true, "Decrypt": true, "ReEncrypt": true, "Sign": true, "Verify": true,
	"GenerateMac": true, "VerifyMac": true, "DeriveSharedSecret": true,
	"GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
}

// aliasTaken refuses aliases where KMS wants a key id or key ARN.
func aliasTaken(ref, operation string) *kernel.Error {
	if takesAlias[operation] {
		return nil
	}
	switch {
	case strings.HasPrefix(ref, "alias/"):
		return kernel.JSONFail("NotFoundException", "Invalid keyId '%s'", ref)
	case strings.HasPrefix(ref, "arn:") && strings.Contains(ref, ":alias/"):
		return kernel.JSONFail("InvalidArnException", "Invalid arn %s", ref) // [unverified] wording
	}
	return nil
}

// allow decides a call that is not about one key: by the caller's own policies.
func (s *Service) allow(cl *kernel.Request, action, resource string, context map[string][]string) error {
	ctx := cl.Conditions(cl.Region())
	for k, v := range context {
		ctx[k] = v
	}
	ctx["kms:CallerAccount"] = []string{cl.Caller.Account}
	e := s.k.Authorize(cl, kernel.Access{Caller: cl.Caller, Action: action, Resource: resource, Owner: cl.Caller.Account, Context: ctx})
	if e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return e
	}
	return nil
}

// Operations returns the names of the modelled operations in order.
func Operations() []string { return slices.Sorted(maps.Keys(handlers)) }
