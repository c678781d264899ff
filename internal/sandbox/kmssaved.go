package sandbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// The form in which keys are kept. A test fills every field of a key and fails
// when a field is lost on the way.

type savedKMS struct {
	KMSKeys []savedKMSKey
	Aliases map[string]*kmsAlias
	Grants  map[string]*kmsGrant
}

type savedKMSKey struct {
	ARN, ID, Region, Account, Description string
	Policy                                savedPolicy
	Managed, Disabled                     bool
	Deletion, Created                     time.Time
	Tags                                  []tag `json:",omitempty"`
	Facts                                 kmsKeyFacts
}

func (k *kmsKey) save() savedKMSKey {
	return savedKMSKey{
		ARN: k.arn, ID: k.id, Region: k.region, Account: k.account, Description: k.description, Policy: savePolicy(k.policy),
		Managed: k.managed, Disabled: k.disabled, Deletion: k.deletion, Created: k.created, Tags: k.tags, Facts: k.kmsKeyFacts,
	}
}

// snapshot renders all keys, aliases and grants.
func (s *kmsService) snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(savedKMS{KMSKeys: sorted(s.keys, (*kmsKey).save), Aliases: s.aliases, Grants: s.grants})
}

// restore replaces the keys with those of a snapshot.
func (s *kmsService) restore(data json.RawMessage) error {
	var saved savedKMS
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if saved.Aliases != nil {
		s.aliases = saved.Aliases
	}
	if saved.Grants != nil {
		s.grants = saved.Grants
	}
	for i := range saved.KMSKeys {
		k := &saved.KMSKeys[i]
		policy, err := s.iam.restorePolicy(k.Policy)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.ARN, err)
		}
		s.keys[k.ARN] = &kmsKey{
			arn: k.ARN, id: k.ID, region: k.Region, account: k.Account, description: k.Description, policy: policy, managed: k.Managed, disabled: k.Disabled,
			deletion: k.Deletion, created: k.Created, tags: k.Tags, kmsKeyFacts: k.Facts,
		}
	}
	return nil
}
