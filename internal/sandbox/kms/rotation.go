package kms

import (
	"fmt"
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Rotation adds new material to a symmetric key. Old ciphertexts stay readable; ids,
// policies and grants do not change.

const (
	defaultRotation     = 365 // days
	maxOnDemandRotation = 25  // of one key in its life
)

// rotateDue does the automatic rotations whose dates have come. Keys that
// cannot be used are rotated when they can again.
func (k *key) rotateDue(now time.Time) {
	if k.RotationPeriod == 0 || k.state() != "Enabled" {
		return
	}
	for !now.Before(k.NextRotation) {
		k.Materials = append(k.Materials, newMaterial(random(32), "AUTOMATIC", k.NextRotation))
		k.NextRotation = k.NextRotation.AddDate(0, 0, k.RotationPeriod)
	}
}

// rotatable refuses keys that KMS cannot rotate.
func (k *key) rotatable() *kernel.Error {
	switch {
	case k.Origin != originKMS:
		return kernel.JSONFail("UnsupportedOperationException", "%s origin is %s which is not valid for this operation.", k.arn, k.Origin)
	case !specs[k.Spec].symmetric:
		return kernel.JSONFail(
			"UnsupportedOperationException",
			"%s key spec is %s which is not valid for this operation.",
			k.arn,
			k.Spec,
		) // [unverified] wording
	}
	return k.usable()
}

func enableKeyRotation(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := within(in.RotationPeriodInDays, "rotationPeriodInDays", 90, 2560); e != nil {
		return nil, e
	}
	days := defaultRotation
	if in.RotationPeriodInDays != nil {
		days = *in.RotationPeriodInDays
	}
	k, err := s.namedKey(cl, in, map[string][]string{"kms:RotationPeriodInDays": {strconv.Itoa(days)}})
	if err != nil {
		return nil, err
	}
	if e := k.rotatable(); e != nil {
		return nil, e
	}
	if in.RotationPeriodInDays == nil && k.RotationPeriod != 0 {
		return nil, nil // already enabled, with no other period asked for
	}
	k.RotationPeriod, k.NextRotation = days, cl.Now.AddDate(0, 0, days)
	return nil, nil
}

func disableKeyRotation(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if e := k.rotatable(); e != nil {
		return nil, e
	}
	k.RotationPeriod, k.NextRotation = 0, time.Time{}
	return nil, nil
}

func getKeyRotationStatus(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if k.Origin != originKMS {
		return nil, k.rotatable()
	}
	// "The key rotation status of asymmetric and HMAC keys is always false";
	// the status of a key that is about to be deleted is false, too.
	on := k.RotationPeriod != 0 && k.deletion.IsZero()
	out := map[string]any{"KeyId": k.id, "KeyRotationEnabled": on}
	if on {
		out["RotationPeriodInDays"], out["NextRotationDate"] = k.RotationPeriod, epoch(k.NextRotation)
	}
	return out, nil
}

func rotateKeyOnDemand(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if e := k.usable(); e != nil { // KMS checks the state before the kind of key
		return nil, e
	}
	if e := k.rotatable(); e != nil {
		return nil, e
	}
	n := 0
	for _, m := range k.Materials {
		if m.Type == "ON_DEMAND" {
			n++
		}
	}
	if n >= maxOnDemandRotation {
		return nil, kernel.JSONFail(
			"LimitExceededException",
			"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: %s",
			k.arn,
		)
	}
	k.Materials = append(k.Materials, newMaterial(random(32), "ON_DEMAND", cl.Now))
	return map[string]string{"KeyId": k.arn}, nil
}

type rotationEntry struct {
	KeyID            string   `json:"KeyId"`
	KeyMaterialID    string   `json:"KeyMaterialId,omitempty"`
	KeyMaterialState string   `json:",omitempty"`
	RotationDate     *float64 `json:",omitempty"`
	RotationType     string   `json:",omitempty"`
	at               int
}

func listKeyRotations(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := oneOf(in.IncludeKeyMaterial, "includeKeyMaterial", "ALL_KEY_MATERIAL", "ROTATIONS_ONLY"); e != nil {
		return nil, e
	}
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if !specs[k.Spec].symmetric {
		return nil, k.rotatable()
	}
	var out []rotationEntry
	for i, m := range k.Materials {
		if m.Type == "" && in.IncludeKeyMaterial != "ALL_KEY_MATERIAL" {
			continue
		}
		e := rotationEntry{KeyID: k.id, KeyMaterialID: m.ID, RotationType: m.Type, KeyMaterialState: "NON_CURRENT", at: i}
		if i == len(k.Materials)-1 {
			e.KeyMaterialState = "CURRENT"
		}
		if m.Type != "" {
			d := epoch(m.Created)
			e.RotationDate = &d
		}
		out = append(out, e)
	}
	page, end, err := page(in, out, func(e rotationEntry) string { return fmt.Sprintf("%08d", e.at) }, 100, 1000)
	if err != nil {
		return nil, err
	}
	end["Rotations"] = page
	return end, nil
}
