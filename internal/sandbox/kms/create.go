package kms

import (
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

type keyMetadata struct {
	AWSAccountID                string   `json:"AWSAccountId"`
	KeyID                       string   `json:"KeyId"`
	Arn                         string   `json:"Arn"`
	CreationDate                float64  `json:"CreationDate"`
	Enabled                     bool     `json:"Enabled"`
	Description                 string   `json:"Description"`
	KeyUsage                    string   `json:"KeyUsage"`
	KeyState                    string   `json:"KeyState"`
	DeletionDate                *float64 `json:"DeletionDate,omitempty"`
	PendingDeletionWindowInDays int      `json:"PendingDeletionWindowInDays,omitempty"`
	ValidTo                     *float64 `json:"ValidTo,omitempty"`
	Origin                      string   `json:"Origin"`
	ExpirationModel             string   `json:"ExpirationModel,omitempty"`
	KeyManager                  string   `json:"KeyManager"`
	CustomerMasterKeySpec       string   `json:"CustomerMasterKeySpec"`
	KeySpec                     string   `json:"KeySpec"`
	EncryptionAlgorithms        []string `json:"EncryptionAlgorithms,omitempty"`
	SigningAlgorithms           []string `json:"SigningAlgorithms,omitempty"`
	KeyAgreementAlgorithms      []string `json:"KeyAgreementAlgorithms,omitempty"`
	MacAlgorithms               []string `json:"MacAlgorithms,omitempty"`
	MultiRegion                 bool     `json:"MultiRegion"`
	MultiRegionConfiguration    any      `json:"MultiRegionConfiguration,omitempty"`
	CurrentKeyMaterialID        string   `json:"CurrentKeyMaterialId,omitempty"`
}

// epoch is a point in time in KMS's JSON: seconds with milliseconds.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (k *key) metadata() keyMetadata {
	m := keyMetadata{
		AWSAccountID: k.account, KeyID: k.id, Arn: k.arn, CreationDate: epoch(k.created),
		Enabled: k.state() == "Enabled", Description: k.description, KeyUsage: k.Usage, KeyState: k.state(),
		Origin: k.Origin, KeyManager: "CUSTOMER", CustomerMasterKeySpec: k.Spec, KeySpec: k.Spec, MultiRegion: k.MultiRegion,
		EncryptionAlgorithms: k.encryptionAlgorithms(), SigningAlgorithms: k.signingAlgorithms(), MacAlgorithms: k.macAlgorithms(),
	}
	if k.managed {
		m.KeyManager = "AWS"
	}
	if k.Usage == usageAgreement {
		m.KeyAgreementAlgorithms = []string{"ECDH"}
	}
	if specs[k.Spec].symmetric && len(k.Materials) > 0 {
		m.CurrentKeyMaterialID = k.current().ID
	}
	if k.MultiRegion {
		type place struct{ Arn, Region string }
		m.MultiRegionConfiguration = struct {
			MultiRegionKeyType string
			PrimaryKey         place
			ReplicaKeys        []place
		}{"PRIMARY", place{k.arn, k.region}, []place{}}
	}
	if !k.deletion.IsZero() {
		d := epoch(k.deletion)
		m.DeletionDate = &d
		if k.MultiRegion {
			m.PendingDeletionWindowInDays = k.PendingWindow
		}
	}
	if i := k.Import; i != nil && len(k.Materials) > 0 {
		m.ExpirationModel = i.Model
		if !i.ValidTo.IsZero() {
			d := epoch(i.ValidTo)
			m.ValidTo = &d
		}
	}
	return m
}

// newKeyFacts checks what CreateKey asks for.
func (in *input) newKeyFacts(now time.Time) (keyFacts, error) {
	var f keyFacts
	if err := first(
		oneOf(in.KeySpec, "keySpec", specNames...), oneOf(in.CustomerMasterKeySpec, "customerMasterKeySpec", specNames...),
		oneOf(in.KeyUsage, "keyUsage", usageNames...),
		oneOf(in.Origin, "origin", originKMS, originExternal, "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"),
		tooLong(in.Description, "description", 8192), tooLong(in.Policy, "policy", 131072),
	); err != nil {
		return f, err
	}
	if in.KeySpec != "" && in.CustomerMasterKeySpec != "" {
		return f, kernel.JSONFail(
			"ValidationException",
			"You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
		)
	}
	if in.CustomKeyStoreID != "" || in.XksKeyID != "" || in.Origin == "AWS_CLOUDHSM" || in.Origin == "EXTERNAL_KEY_STORE" {
		return f, kernel.NotImplemented("custom key stores of KMS")
	}
	f = keyFacts{Spec: in.keySpecText(), Usage: in.KeyUsage, Origin: in.Origin, MultiRegion: in.MultiRegion}
	if f.Spec == "" {
		f.Spec = symmetricDefault
	}
	if f.Origin == "" {
		f.Origin = originKMS
	}
	spec, ok := specs[f.Spec]
	if !ok {
		return f, kernel.NotImplemented("KMS keys of the spec " + f.Spec)
	}
	if f.Usage == "" {
		if !spec.symmetric {
			return f, kernel.JSONFail(
				"ValidationException",
				"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
			)
		}
		f.Usage = usageEncrypt
	}
	if !slices.Contains(spec.usages(), f.Usage) {
		return f, kernel.JSONFail("ValidationException", "KeyUsage %s is not compatible with KeySpec %s", f.Usage, f.Spec)
	}
	switch {
	case f.Origin == originExternal:
		f.Import = &importState{}
	case spec.symmetric:
		f.Materials = []material{newMaterial(random(32), "", now)}
	case spec.mac != "":
		f.Materials = []material{newMaterial(random(spec.macBytes), "", now)}
	default:
		f.Materials = []material{newMaterial(in.prepared, "", now)}
	}
	return f, nil
}

func createKey(s *Service, cl *kernel.Request, in *input) (any, error) {
	facts, err := in.newKeyFacts(cl.Now)
	if err != nil {
		return nil, err
	}
	tags, err := checkTags(in.Tags)
	if err != nil {
		return nil, err
	}
	account := cl.Caller.Account
	ctx := tagContext(in.Tags, nil)
	// A key that is not there yet has the properties it is asked for with.
	(&key{keyFacts: facts, region: cl.Region()}).addContext(ctx)
	ctx["kms:BypassPolicyLockoutSafetyCheck"] = []string{kernel.BoolText(in.BypassPolicyLockoutSafetyCheck)}
	if err := s.allow(cl, "kms:CreateKey", "*", ctx); err != nil {
		return nil, err
	}
	arn := keyARN(cl.Region(), account, "*")
	if len(tags) > 0 {
		// "To use this parameter, you must have kms:TagResource permission in an IAM policy."
		if err := s.allow(cl, "kms:TagResource", "*", ctx); err != nil {
			return nil, err
		}
	}
	for _, t := range tags {
		ctx["aws:ResourceTag/"+t.Key] = []string{t.Value} // for the question whether the policy can be changed later
	}
	text := in.Policy
	if text == "" {
		text = defaultKeyPolicy(account)
	}
	policy, err := s.checkKeyPolicy(cl, text, arn, ctx, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	k := s.newKey(cl.Region(), account, policy, cl.Now, facts)
	k.description, k.tags = in.Description, tags
	cl.Record.Resource = k.arn
	return map[string]any{"KeyMetadata": k.metadata()}, nil
}

func describeKey(s *Service, cl *kernel.Request, in *input) (any, error) {
	if alias := aliasARN(cl.Region(), cl.Caller.Account, "alias/aws/s3"); in.KeyID == "alias/aws/s3" || in.KeyID == alias {
		if _, err := s.managedS3Key(cl.Region(), cl.Caller.Account, cl.Now); err != nil {
			return nil, err
		}
	}
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyMetadata": k.metadata()}, nil
}

func updateKeyDescription(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := tooLong(in.Description, "description", 8192); e != nil {
		return nil, e
	}
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	k.description = in.Description
	return nil, nil
}
