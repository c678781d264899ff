package kms

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// KMS's part of state.json. A test fills every field of a key and fails when a field is
// not restored.

type savedKMS struct {
	KMSKeys []savedKMSKey
	Aliases map[string]*keyAlias
	Grants  map[string]*grant
}

type savedKMSKey struct {
	ARN, ID, Region, Account, Description string
	Policy                                iam.SavedPolicy
	Managed, Disabled                     bool
	Deletion, Created                     time.Time
	Tags                                  []kernel.Tag `json:",omitempty"`
	Facts                                 keyFacts
}

func (k *key) save() savedKMSKey {
	return savedKMSKey{
		ARN: k.arn, ID: k.id, Region: k.region, Account: k.account, Description: k.description, Policy: iam.SavePolicy(k.policy),
		Managed: k.managed, Disabled: k.disabled, Deletion: k.deletion, Created: k.created, Tags: k.tags, Facts: k.keyFacts,
	}
}

// Snapshot renders all keys, aliases and grants.
func (s *Service) Snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(savedKMS{KMSKeys: kernel.Sorted(s.keys, (*key).save), Aliases: s.aliases, Grants: s.grants})
}

// Restore replaces the keys with those of a snapshot.
func (s *Service) Restore(data json.RawMessage) error {
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
		policy, err := s.iam.RestorePolicy(k.Policy)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.ARN, err)
		}
		s.keys[k.ARN] = &key{
			arn: k.ARN, id: k.ID, region: k.Region, account: k.Account, description: k.Description, policy: policy, managed: k.Managed,
			disabled: k.Disabled, deletion: k.Deletion, created: k.Created, tags: k.Tags, keyFacts: k.Facts,
		}
	}
	return nil
}
