package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// kmsInput holds the fields of all modelled operations. Numbers are pointers
// where AWS tells an absent one from zero.
type kmsInput struct {
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
	Tags                           []kmsTag
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
	Constraints                         *kmsConstraints
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

	// prepared is key material that was made before the world was locked.
	prepared []byte
}

func (in *kmsInput) keySpecText() string {
	if in.KeySpec != "" {
		return in.KeySpec
	}
	return in.CustomerMasterKeySpec
}

type kmsHandler func(*kmsService, *call, *kmsInput) (any, error)

// kmsHandlers are the operations by name.
var kmsHandlers = map[string]kmsHandler{
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
	"Encrypt":                             kmsEncrypt,
	"Decrypt":                             kmsDecrypt,
	"ReEncrypt":                           reEncrypt,
	"Sign":                                kmsSign,
	"Verify":                              kmsVerify,
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
	"TagResource":                         kmsTagResource,
	"UntagResource":                       kmsUntagResource,
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

// kmsService is KMS of all accounts. mu guards keys, aliases and grants.
type kmsService struct {
	k   *kernel
	iam *iamService

	mu      sync.Mutex
	keys    map[string]*kmsKey   // by ARN
	aliases map[string]*kmsAlias // by alias ARN
	grants  map[string]*kmsGrant // by grant id
}

func newKMS(k *kernel, iam *iamService) *kmsService {
	return &kmsService{k: k, iam: iam, keys: map[string]*kmsKey{}, aliases: map[string]*kmsAlias{}, grants: map[string]*kmsGrant{}}
}

// serve answers a call to KMS with its body.
func (s *kmsService) serve(cl *call, data []byte) error {
	handler := kmsHandlers[cl.record.Operation]
	if handler == nil {
		return notImplemented("kms:" + cl.record.Operation)
	}
	var in kmsInput
	if err := json.Unmarshal(data, &in); err != nil {
		return jsonFail("SerializationException", "The request body is not the JSON that %s takes.", cl.record.Operation)
	}
	if in.Recipient != nil {
		return notImplemented("attested recipients of KMS")
	}
	if err := in.prepare(cl.record.Operation); err != nil {
		return err
	}
	body, err := s.run(cl, &in, handler)
	if err != nil {
		return err
	}
	cl.w.Header().Set("Content-Type", jsonContentType)
	cl.reply(http.StatusOK)
	_, err = cl.w.Write(body)
	return err
}

// run runs an operation and renders its answer with mu held; the answer is empty for
// operations that have none.
func (s *kmsService) run(cl *call, in *kmsInput, handler kmsHandler) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleKeys(cl.now)
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

// prepare makes key material that takes long before the world is locked.
func (in *kmsInput) prepare(operation string) error {
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
	if !kmsSpecs[spec].asymmetric() {
		return nil
	}
	var err error
	if in.prepared, err = newPrivateKey(spec); err != nil {
		return fmt.Errorf("making a key of %s: %w", spec, err)
	}
	return nil
}

// kmsUse is the use of one key that a call asks for.
type kmsUse struct {
	ref        string // KeyId as the caller gave it
	operation  string // of the IAM action
	encryption map[string]string
	context    map[string][]string // condition keys of this operation
	grant      *kmsGrant           // CreateGrant: what is to be granted; RetireGrant: what ends
}

// kmsCall decides the use of the key that the request names.
func (s *kmsService) kmsCall(cl *call, in *kmsInput, context map[string][]string) (*kmsKey, error) {
	return s.kmsUseKey(cl, in, kmsUse{ref: in.KeyID, operation: cl.record.Operation, encryption: in.EncryptionContext, context: context})
}

// kmsUseKey resolves the key, decides, and checks that a key of another account
// is used only where KMS allows that.
func (s *kmsService) kmsUseKey(cl *call, in *kmsInput, u kmsUse) (*kmsKey, error) {

	if err := s.checkGrantTokens(in.GrantTokens); err != nil {
		return nil, err
	}
	if e := aliasTaken(u.ref, cl.record.Operation); e != nil {
		return nil, e
	}
	k, e := s.resolveKey(u.ref, cl.region(), cl.caller.account)
	if e != nil {
		// Keys of other accounts are not to be found out by guessing.
		if arn, ok := awsarn.Split(u.ref); ok && arn.Account != cl.caller.account && !strings.HasPrefix(e.Message, "Invalid") {
			return nil, opaqueDenial(cl, u.operation, u.ref)
		}
		return nil, e
	}
	q := kmsRequest{operation: u.operation, key: k, encryption: u.encryption, ref: u.ref, extra: u.context, grant: u.grant}
	if e := s.allowKMS(cl, q); e != nil {
		return nil, e
	}
	if k.account != cl.caller.account && !kmsCrossAccount[cl.record.Operation] {
		cl.record.Decision = "denied"
		return nil, opaqueDenial(cl, u.operation, k.arn)
	}
	return k, nil
}

func opaqueDenial(cl *call, operation, resource string) *apiError {
	e := jsonFail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s %s", cl.caller.arn, operation, resource, opaqueTail)
	e.denied = true
	return e
}

// kmsCrossAccount are the operations that work on keys of other accounts ("Cross-account use: Yes").
var kmsCrossAccount = map[string]bool{
	"CreateGrant": true, "ListGrants": true, "RevokeGrant": true, "RetireGrant": true, "DescribeKey": true, "GetPublicKey": true, "GetKeyRotationStatus": true,
	"Encrypt": true, "Decrypt": true, "ReEncrypt": true, "Sign": true, "Verify": true, "GenerateMac": true, "VerifyMac": true, "DeriveSharedSecret": true,
	"GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
}

// kmsTakesAlias are the operations whose KeyId may be an alias.
var kmsTakesAlias = map[string]bool{
	"DescribeKey": true, "GetPublicKey": true, "Encrypt": true, "Decrypt": true, "ReEncrypt": true, "Sign": true, "Verify": true,
	"GenerateMac": true, "VerifyMac": true, "DeriveSharedSecret": true,
	"GenerateDataKey": true, "GenerateDataKeyWithoutPlaintext": true, "GenerateDataKeyPair": true, "GenerateDataKeyPairWithoutPlaintext": true,
}

// aliasTaken refuses aliases where KMS wants a key id or key ARN.
func aliasTaken(ref, operation string) *apiError {
	if kmsTakesAlias[operation] {
		return nil
	}
	switch {
	case strings.HasPrefix(ref, "alias/"):
		return jsonFail("NotFoundException", "Invalid keyId '%s'", ref)
	case strings.HasPrefix(ref, "arn:") && strings.Contains(ref, ":alias/"):
		return jsonFail("InvalidArnException", "Invalid arn %s", ref) // [unverified] wording
	}
	return nil
}

// kmsAllow decides a call that is not about one key: by the caller's own policies.
func (s *kmsService) kmsAllow(cl *call, action, resource string, context map[string][]string) error {
	ctx := cl.requestContext(cl.region())
	for k, v := range context {
		ctx[k] = v
	}
	ctx["kms:CallerAccount"] = []string{cl.caller.account}
	e := s.k.authorize(cl, access{caller: cl.caller, action: action, resource: resource, owner: cl.caller.account, context: ctx})
	if e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return e
	}
	return nil
}
