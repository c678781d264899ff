package setup

import (
	"maps"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// Current returns the document or setting of a change as the snapshot has it, in
// the form of Before and After: "" when there is none. ok is false when it was not read.
func (c *Change) Current(s *Snapshot) (text string, ok bool) {
	id, b, k, t := s.Identities[c.ARN], (*BucketAt)(nil), s.Keys[c.ARN], s.Trails[c.ARN]
	if c.bucket != nil {
		b = s.Buckets[c.bucket.Name]
	}
	switch c.Kind {
	case KindTrust, KindRole, KindIdentity, KindBoundary, KindMaxSession:
		if id == nil {
			return "", false
		}
		return c.identity(id)
	case KindKey:
		if k == nil {
			return "", false
		}
		return k.Policy.Value, k.Policy.Presence != Unread
	case KindTrail:
		if t == nil {
			return "", false
		}
		return listText(t.Ours), t.Objects.Presence != Unread
	}
	if b == nil {
		return "", false
	}
	switch c.Kind {
	case KindBucketMade:
		return textOf(b.Info)
	case KindPublicBlock:
		return textOf(b.PublicAccess)
	case KindOwnership:
		return textOf(b.Ownership)
	case KindEncryption:
		return textOf(b.Encryption)
	case KindLogging:
		return textOf(b.Logging)
	case KindLifecycle:
		return lifecycleText(b.Lifecycle.Value), b.Lifecycle.Presence != Unread
	case KindBucket:
		return b.Policy.Value, b.Policy.Presence != Unread
	}
	return "", false
}

func (c *Change) identity(id *Identity) (string, bool) {
	switch c.Kind {
	case KindIdentity:
		p := inlineOf(id)
		return p.Value, p.Presence != Unread
	case KindBoundary:
		return id.Boundary.Value.ARN, id.Boundary.Presence != Unread
	case KindMaxSession:
		return compact(id.Info.Value.MaxSession / time.Second), id.Info.Presence != Unread
	}
	return id.Trust.Value, id.Trust.Presence != Unread
}

func textOf[T any](p Part[T]) (string, bool) { return before(p), p.Presence != Unread }

// Same reports whether two states of the document or setting mean the same. AWS
// may write a policy's lists in another order each time it is read.
func (c *Change) Same(a, b string) bool {
	if a == b {
		return true
	}
	switch c.Kind {
	case KindTrust, KindRole, KindIdentity, KindKey, KindBucket:
	default:
		return false
	}
	x, err := policytext.ReadDocument(a)
	y, yerr := policytext.ReadDocument(b)
	return err == nil && yerr == nil && maps.Equal(x.Rest(), y.Rest()) &&
		slices.EqualFunc(x.Statements(), y.Statements(), func(i, j policytext.Statement) bool {
			return i.Sid == j.Sid && policytext.ReadElements(a[i.Start:i.End]).Equal(policytext.ReadElements(b[j.Start:j.End]))
		})
}

// Scope is what there is to read around the change alone.
func (c *Change) Scope() Scope {
	switch {
	case c.bucket != nil:
		return Scope{Buckets: []BucketRef{{c.bucket.Name, c.bucket.Account, c.bucket.Region}}}
	case c.Kind == KindKey:
		return Scope{Keys: []string{c.ARN}}
	case c.Kind == KindTrail:
		return Scope{Trails: []string{c.ARN}}
	}
	return Scope{Identities: []string{c.ARN}}
}
