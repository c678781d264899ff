package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

func (p *planner) bucketAt(b *Bucket) *BucketAt {
	if at, ok := p.snap.Buckets[b.Name]; ok {
		return at
	}
	return &BucketAt{Name: b.Name}
}

func bucketChange(b *Bucket, kind Kind) Change {
	return Change{Kind: kind, Account: b.Account, ARN: b.ARN, Destinations: b.Destinations, bucket: b}
}

// missing reports whether the bucket is not there and will not be made.
func (p *planner) missing(b *Bucket) bool {
	return p.bucketAt(b).Info.Presence == Absent && !b.Create
}

// bucketFirst plans the changes that come before the key policy: the bucket, its
// public-access block and the ownership of its objects.
func (p *planner) bucketFirst(b *Bucket) {
	if p.options.Remove {
		return // other writers of the bucket rely on them
	}
	at := p.bucketAt(b)
	switch {
	case p.missing(b):
		c := bucketChange(b, KindBucketMade)
		c.Op, c.Reason = OpUnknown, "there is no such bucket; make it, or set create_bucket: true under setup"
		p.add(c)
		return
	case at.Info.Is() && at.Info.Value.Region != "" && at.Info.Value.Region != b.Region:
		c := bucketChange(b, KindBucketMade)
		c.Op, c.Reason = OpUnknown, fmt.Sprintf("the bucket is in Region %s, the configuration says %s", at.Info.Value.Region, b.Region)
		p.add(c)
		return
	case at.Info.Presence == Absent:
		c := bucketChange(b, KindBucketMade)
		c.Op, c.After = OpCreate, compact(BucketInfo{Region: b.Region})
		p.add(c)
	case at.Info.Presence == Unread && b.Create:
		c := bucketChange(b, KindBucketMade)
		c.After = compact(BucketInfo{Region: b.Region})
		p.unreadOr(c, at.Info.Reason)
	}
	block := bucketChange(b, KindPublicBlock)
	if public(at.Policy.Value) && at.PublicAccess.Value != b.PublicAccess {
		block.Op, block.Before, block.After = OpKeep, before(at.PublicAccess), before(at.PublicAccess)
		block.Reason = "a public statement of the bucket policy would stop working: the owner of that statement has to decide"
		p.add(block)
	} else {
		setting(p, block, at.PublicAccess, b.PublicAccess)
	}
	setting(p, bucketChange(b, KindOwnership), at.Ownership, b.Ownership)
}

// bucketThen plans the rest of a bucket, its policy last: then everything that the
// policy lets in is configured.
func (p *planner) bucketThen(b *Bucket) error {
	at := p.bucketAt(b)
	if p.missing(b) || (p.options.Remove && at.Info.Presence == Absent) {
		return nil
	}
	if !p.options.Remove {
		p.encryption(b, at)
	}
	p.lifecycle(b, at)
	if b.Logging != nil && !p.options.Remove {
		p.logging(b, at)
	}
	want := Policy{}
	for _, w := range p.want.Buckets {
		if w.Name == b.Name {
			want = w.Policy
		}
	}
	return p.policy(bucketChange(b, KindBucket), at.Policy, want)
}

// logging plans access logs, unless the target cannot receive them, or is hidden: S3
// would refuse the change, after others were made.
func (p *planner) logging(b *Bucket, at *BucketAt) {
	c := bucketChange(b, KindLogging)
	if why := p.logTarget(b, at); why != "" && at.Logging.Value != *b.Logging {
		c.After = compact(*b.Logging)
		c.Op, c.Reason = OpUnknown, why
		p.add(c)
		return
	}
	setting(p, c, at.Logging, *b.Logging)
}

// logTarget returns the reason why the bucket for the access logs is not known to receive
// them; empty if there is none. A bucket of another account cannot be read with an owner
// that it does not have.
func (p *planner) logTarget(b *Bucket, at *BucketAt) string {
	target := p.snap.LogTargets[b.Logging.Bucket]
	source := BucketRef{Name: b.Name, Account: b.Account, Region: b.Region}
	if problems, _ := LogTargetProblems(source, *b.Logging, target); len(problems) > 0 {
		return "S3 cannot deliver access logs to " + b.Logging.Bucket + ": " + strings.Join(problems, "; ")
	}
	if target != nil && target.Info.Presence == Unread && at.Logging.Presence != Unread {
		return fmt.Sprintf("the bucket %s could not be read (%s). S3 delivers access logs only to a bucket of account %s",
			b.Logging.Bucket, orText(target.Info.Reason, "no reason was given"), b.Account)
	}
	return ""
}

// encryption sets the bucket's default encryption where S3's own is in force. A
// default that was chosen stays: other writers rely on it, and our uploads name
// their key.
func (p *planner) encryption(b *Bucket, at *BucketAt) {
	c := bucketChange(b, KindEncryption)
	is, want := at.Encryption.Value, b.Encryption
	if at.Encryption.Is() && is.Algorithm != "AES256" && is.KeyARN != want.KeyARN {
		c.Op, c.Before, c.After = OpKeep, compact(is), compact(is)
		c.Reason = "the bucket has another key as its default: it stays, and uploads of the destination name their own key"
		p.add(c)
		return
	}
	setting(p, c, at.Encryption, want)
}

// lifecycle adds our rules to other people's, or takes them out.
func (p *planner) lifecycle(b *Bucket, at *BucketAt) {
	c := bucketChange(b, KindLifecycle)
	var want []LifecycleRule
	for _, w := range p.want.Buckets {
		if w.Name == b.Name {
			want = w.Lifecycle
		}
	}
	var ours []LifecycleRule
	for _, r := range b.Lifecycle {
		if !slices.Contains(p.apart, strings.TrimPrefix(r.legacyID(), LifecycleID)) {
			ours = append(ours, r)
		}
	}
	after := []LifecycleRule{}
	for _, r := range at.Lifecycle.Value {
		switch {
		case !slices.ContainsFunc(ours, r.isOld):
			after = append(after, r)
		case p.options.Remove && at.mayHoldUnfinished(r.Prefix):
			after = append(after, r)
			c.Reason = at.whyTheRuleStays(r.Prefix)
		}
	}
	for _, r := range want {
		if !slices.ContainsFunc(after, func(o LifecycleRule) bool { return o.covers(r) }) {
			after = append(after, r)
		}
	}
	if at.Lifecycle.Presence == Unread {
		c.After = lifecycleText(want)
		p.unreadOr(c, at.Lifecycle.Reason)
		return
	}
	c.Before, c.After = lifecycleText(at.Lifecycle.Value), lifecycleText(after)
	switch {
	case c.Before == c.After:
		c.Op = OpKeep
	case c.Before == "":
		c.Op = OpCreate
	case c.After == "":
		c.Op = OpDelete
	default:
		c.Op = OpUpdate
	}
	if c.Op == OpKeep && c.After == "" {
		return
	}
	p.add(c)
}

// legacyID is the id of a rule of ours before ids carried a hash.
func (r LifecycleRule) legacyID() string { return r.ID[:max(0, len(r.ID)-hashLen-1)] }

// isOld reports whether a rule of the bucket is an earlier state of ours.
func (r LifecycleRule) isOld(ours LifecycleRule) bool {
	return r.ID == ours.ID || r.ID == ours.legacyID() && r.Prefix == ours.Prefix
}

// covers reports whether another rule does already what ours would.
func (r LifecycleRule) covers(ours LifecycleRule) bool {
	return r.Enabled && r.Whole && r.AbortIncompleteDays > 0 && r.AbortIncompleteDays <= ours.AbortIncompleteDays &&
		len(r.Prefix) <= len(ours.Prefix) &&
		ours.Prefix[:len(r.Prefix)] == r.Prefix
}

// lifecycleText is the rules as JSON, our own and those kept, in one form; "" for none.
func lifecycleText(rules []LifecycleRule) string {
	if len(rules) == 0 {
		return ""
	}
	type line struct {
		LifecycleRule
		As string `json:"as,omitempty"` // the whole rule, when it is not ours
	}
	out := make([]line, len(rules))
	for i, r := range rules {
		out[i] = line{LifecycleRule: r}
		if !r.plain() {
			out[i].As = string(r.Raw)
		}
	}
	return compact(out)
}

// plain reports whether a rule says nothing but what LifecycleRule has a field for.
func (r LifecycleRule) plain() bool { return len(r.Raw) == 0 || (r.Whole && r.Only) }

// setting plans a part of which there is one value.
func setting[T comparable](p *planner, c Change, is Part[T], want T) {
	c.After = compact(want)
	switch {
	case is.Presence == Unread:
		p.unreadOr(c, is.Reason)
		return
	case is.Presence == Absent:
		c.Op = OpCreate
	case is.Value == want:
		c.Op, c.Before = OpKeep, compact(is.Value)
	default:
		c.Op, c.Before = OpUpdate, compact(is.Value)
	}
	p.add(c)
}

// unreadOr adds a part that was not read. It is handed over when there are no
// credentials for the account.
func (p *planner) unreadOr(c Change, reason string) {
	c.Op, c.Reason = OpUnknown, orText(reason, "it was not read")
	if _, reached := p.snap.Callers[c.Account]; !reached {
		c.Op, c.Reason = OpHandOver, ""
	}
	p.add(c)
}

func before[T any](part Part[T]) string {
	if part.Is() {
		return compact(part.Value)
	}
	return ""
}

func public(policy string) bool {
	if policy == "" {
		return false
	}
	doc, err := iampolicy.Parse([]byte(policy))
	return err == nil && doc.Public()
}

func (p *planner) trail(t *Trail) {
	c := Change{Kind: KindTrail, Account: t.Account, ARN: t.ARN, Destinations: t.Destinations}
	at, ok := p.snap.Trails[t.ARN]
	if !ok {
		at = &TrailAt{ARN: t.ARN}
	}
	var want []string
	for _, w := range p.want.Trails {
		if w.ARN == t.ARN {
			want = w.Objects
		}
	}
	if p.options.Remove && at.Objects.Presence == Absent {
		return
	}
	switch at.Objects.Presence {
	case Unread:
		c.After = compact(want)
		p.unreadOr(c, at.Objects.Reason)
		return
	case Absent:
		c.Op, c.Reason = OpUnknown, "there is no such trail; setup adds to trails, and makes none"
		p.add(c)
		return
	}
	after := slices.Clone(at.Ours)
	after = slices.DeleteFunc(after, func(o string) bool { return slices.Contains(t.Objects, o) })
	for _, o := range want {
		if !slices.ContainsFunc(at.Objects.Value, func(prefix string) bool {
			return !slices.Contains(at.Ours, prefix) && len(prefix) <= len(o) && o[:len(prefix)] == prefix
		}) {
			after = append(after, o)
		}
	}
	slices.Sort(after)
	c.Before, c.After = listText(at.Ours), listText(after)
	switch {
	case c.Before == c.After:
		c.Op = OpKeep
	case c.After == "":
		c.Op = OpDelete
	case c.Before == "":
		c.Op = OpCreate
	default:
		c.Op = OpUpdate
	}
	p.add(c)
}

func listText(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return compact(list)
}
