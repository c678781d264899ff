package s3

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// LifecycleResult lists the actions of one run of the lifecycle rules, by bucket in the order of names.
type LifecycleResult struct {
	Done []LifecycleAction `json:"done"`
}

// LifecycleAction is one action of a rule.
type LifecycleAction struct {
	Bucket string `json:"bucket"`
	Rule   string `json:"rule"`
	// Action is "abort-upload", "delete-version", "add-delete-marker" or "remove-delete-marker".
	Action    string `json:"action"`
	Key       string `json:"key"`
	VersionID string `json:"version_id,omitempty"`
	UploadID  string `json:"upload_id,omitempty"`
}

// ApplyLifecycle runs the lifecycle rules of every bucket as of a time.
func (w *Service) ApplyLifecycle(now time.Time) LifecycleResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	run := lifecycleRun{now: now, result: LifecycleResult{Done: []LifecycleAction{}}}
	for _, name := range slices.Sorted(maps.Keys(w.buckets)) {
		run.bucket = w.buckets[name]
		run.apply()
	}
	return run.result
}

type lifecycleRun struct {
	now    time.Time
	bucket *bucket
	rule   *lifecycleRule
	result LifecycleResult
}

func (l *lifecycleRun) note(action, key, version, upload string) {
	l.result.Done = append(l.result.Done, LifecycleAction{
		Bucket: l.bucket.name, Rule: l.rule.ID, Action: action, Key: key, VersionID: version, UploadID: upload,
	})
}

func (l *lifecycleRun) apply() {
	b := l.bucket
	if b.conf.Lifecycle == nil {
		return
	}
	for _, u := range b.sortedUploads() {
		if r, when := b.abortRule(u); r != nil && !l.now.Before(when) {
			l.rule = r
			b.endUpload(u)
			l.note("abort-upload", u.key, "", u.id)
		}
	}
	for i := range b.conf.Lifecycle.Rules {
		if l.rule = &b.conf.Lifecycle.Rules[i]; l.rule.Status != "Enabled" {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(b.versions)) {
			l.expireNoncurrent(key)
			l.expireCurrent(key)
		}
	}
}

// due returns the time at which an object of the given age expires; ok is false for a rule that only
// removes delete markers.
func (e *lifecycleExpiration) due(since time.Time) (when time.Time, ok bool) {
	switch {
	case e.Days != nil:
		return dueAfter(since, *e.Days), true
	case e.Date != nil:
		t, err := time.Parse(time.RFC3339, *e.Date)
		if err != nil {
			t, err = time.Parse("2006-01-02", *e.Date)
		}
		return t, err == nil
	}
	return when, false
}

// expired reports whether that time has come.
func (l *lifecycleRun) expired(e *lifecycleExpiration, since time.Time) bool {
	when, ok := e.due(since)
	return ok && !l.now.Before(when)
}

func (l *lifecycleRun) expireCurrent(key string) {
	b, e, scope := l.bucket, l.rule.Expiration, l.rule.scope()
	versions := b.versions[key]
	if e == nil || len(versions) == 0 {
		return
	}
	o := versions[len(versions)-1]
	if o.deleteMarker {
		alone := len(versions) == 1 && scope.Tags == nil && scope.covers(o)
		if alone && (e.DeleteMarker != nil && *e.DeleteMarker || e.Days != nil && l.expired(e, o.modified)) {
			b.drop(key, o.version)
			l.note("remove-delete-marker", key, o.version, "")
		}
		return
	}
	if !scope.covers(o) || !l.expired(e, o.modified) {
		return
	}
	if b.versioning == "" {
		b.drop(key, o.version)
		l.note("delete-version", key, "", "")
		return
	}
	marker := &object{key: key, deleteMarker: true, owner: b.account, writer: "s3.amazonaws.com", modified: l.now}
	b.add(marker)
	l.note("add-delete-marker", key, marker.version, "")
}

// expireNoncurrent removes versions by the time since they became noncurrent.
func (l *lifecycleRun) expireNoncurrent(key string) {
	b, e, scope := l.bucket, l.rule.NoncurrentExpiration, l.rule.scope()
	if e == nil {
		return
	}
	keep := 0
	if e.Newer != nil {
		keep = *e.Newer
	}
	versions := slices.Clone(b.versions[key])
	// From the newest noncurrent one down: rules keep the newest ones.
	for i := len(versions) - 2; i >= 0; i-- {
		o := versions[i]
		if keep > 0 {
			keep--
			continue
		}
		locked := o.lock.Hold || o.lock.Mode != "" && l.now.Before(o.lock.Until)
		if locked || !scope.covers(o) || l.now.Before(dueAfter(versions[i+1].modified, *e.Days)) {
			continue
		}
		b.drop(key, o.version)
		l.note("delete-version", key, o.version, "")
	}
}

// writeExpiration tells when the rules will expire an object that is current. The caller holds mu.
func (b *bucket) writeExpiration(h http.Header, o *object) {
	if b.conf.Lifecycle == nil || b.current(o.key) != o {
		return
	}
	var when time.Time
	rule := ""
	for i := range b.conf.Lifecycle.Rules {
		r := &b.conf.Lifecycle.Rules[i]
		scope := r.scope()
		if r.Status != "Enabled" || r.Expiration == nil || !scope.covers(o) {
			continue
		}
		if due, ok := r.Expiration.due(o.modified); ok && (rule == "" || due.Before(when)) {
			rule, when = r.ID, due
		}
	}
	if rule != "" {
		h.Set("x-amz-expiration", `expiry-date="`+kernel.HTTPTime(when)+`", rule-id="`+kernel.URIEncode(rule, true)+`"`)
	}
}
