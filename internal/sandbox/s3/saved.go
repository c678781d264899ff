package s3

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// S3's part of state.json: the buckets without their objects and uploads. A test fills every
// field of a bucket and fails when a field is not restored.

type savedS3 struct {
	Accounts []savedAccountBlock
	Buckets  []savedBucket
}

// savedAccountBlock is the public-access block of an account.
type savedAccountBlock struct {
	ID    string
	Block *iampolicy.PublicAccessBlock `json:",omitempty"`
}

type savedBucket struct {
	Name, Region, Account string
	Created               time.Time
	Policy                *iam.SavedPolicy `json:",omitempty"`
	Encryption            savedEncryption
	Ownership, Versioning string
	Block                 *iampolicy.PublicAccessBlock `json:",omitempty"`
	Lock                  *bucketLock                  `json:",omitempty"`
	Config                bucketConfig
}

type savedEncryption struct {
	Algorithm, KeyRef, Blocked string
	BucketKey                  bool
	Set                        bool `json:",omitempty"`
}

func (b *bucket) save() savedBucket {
	out := savedBucket{
		Name: b.name, Region: b.region, Account: b.account, Created: b.created, Ownership: b.ownership, Versioning: b.versioning,
		Encryption: savedEncryption{
			b.encryption.algorithm,
			b.encryption.keyRef,
			b.encryption.blocked,
			b.encryption.bucketKey,
			b.encryption.set,
		},
		Block: b.block, Lock: b.lock, Config: b.conf,
	}
	if b.policy != nil {
		p := iam.SavePolicy(b.policy)
		out.Policy = &p
	}
	return out
}

// Snapshot renders all buckets and the accounts' public-access blocks.
func (s *Service) Snapshot() (json.RawMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := savedS3{Buckets: kernel.Sorted(s.buckets, (*bucket).save)}
	for _, id := range slices.Sorted(maps.Keys(s.blocks)) {
		out.Accounts = append(out.Accounts, savedAccountBlock{id, s.blocks[id]})
	}
	return json.Marshal(out)
}

// Restore replaces the buckets with those of a snapshot, and reads their objects
// and uploads from the data directory.
func (s *Service) Restore(data json.RawMessage) error {
	var saved savedS3
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the buckets: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range saved.Accounts {
		if a.Block != nil {
			s.blocks[a.ID] = a.Block
		}
	}
	for i := range saved.Buckets {
		if err := s.restoreBucket(&saved.Buckets[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) restoreBucket(saved *savedBucket) error {
	b := &bucket{
		s: s, name: saved.Name, region: saved.Region, account: saved.Account, created: saved.Created, ownership: saved.Ownership,
		versioning: saved.Versioning,
		encryption: bucketEncryption{
			algorithm: saved.Encryption.Algorithm,
			keyRef:    saved.Encryption.KeyRef,
			bucketKey: saved.Encryption.BucketKey,
			blocked:   saved.Encryption.Blocked,
			set:       saved.Encryption.Set,
		},
		block: saved.Block, lock: saved.Lock, conf: saved.Config, versions: map[string][]*object{}, uploads: map[string]*multipart{},
	}
	if saved.Policy != nil {
		var err error
		if b.policy, err = s.iam.RestorePolicy(*saved.Policy); err != nil {
			return fmt.Errorf("bucket %s: %w", saved.Name, err)
		}
	}
	s.buckets[b.name] = b
	return nil
}
