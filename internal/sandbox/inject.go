package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// throttleCodes are how the services say that there were too many calls.
var throttleCodes = map[string]struct {
	code, text string
	status     int
}{
	"s3":         {"SlowDown", "Please reduce your request rate.", http.StatusServiceUnavailable},
	"sts":        {"Throttling", "Rate exceeded", http.StatusBadRequest},
	"iam":        {"Throttling", "Rate exceeded", http.StatusBadRequest},
	"kms":        {"ThrottlingException", "Rate exceeded", http.StatusBadRequest},
	"cloudtrail": {"ThrottlingException", "Rate exceeded", http.StatusBadRequest},
}

// applyFault makes happen what is to go wrong before a call, and keeps for
// later what is to go wrong with its answer.
func (s *Sandbox) applyFault(cl *call, service string) error {
	fault, ok := s.nextFault(service, cl.record.Operation)
	if !ok {
		return nil
	}
	if err := fault.delay(cl.r.Context()); err != nil {
		return &resetError{}
	}
	if err := s.disturb(cl, fault); err != nil {
		return err
	}
	switch fault.Reset {
	case ResetBeforeBody:
		return &resetError{}
	case ResetAfterBody:
		// The body is all that is wanted of the client; what it says does not matter.
		_, _ = io.Copy(io.Discard, cl.payload)
		return &resetError{}
	}
	cl.fault = fault
	if fault.Code == "" {
		return nil
	}
	return fault.apiError(service)
}

// apiError is the error that the fault answers with.
func (f *Fault) apiError(service string) *apiError {
	code, status, message := f.Code, f.Status, f.Message
	if code == throttle {
		t := throttleCodes[service]
		code = t.code
		if status == 0 {
			status = t.status
		}
		if message == "" {
			message = t.text
		}
	}
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if message == "" {
		message = "This error was injected."
	}
	return fail(status, code, "%s", message)
}

// disturb changes the accounts as the fault has it.
func (s *Sandbox) disturb(cl *call, f Fault) error {
	if f.ExpireSession {
		s.expireSession(presentedKey(cl.r))
	}
	if f.DisableKey != "" {
		if err := s.DisableKey(f.DisableKey); err != nil {
			return err
		}
	}
	if f.DeleteRole != "" {
		if err := s.DeleteRole(f.DeleteRole); err != nil {
			return err
		}
	}
	return nil
}

// presentedKey is the access key id that a request claims to be signed with.
func presentedKey(r *http.Request) string {
	if sig, err := parseAuthorization(r.Header.Get("Authorization"), requestService(r)); err == nil {
		return sig.accessKey
	}
	if sig, err := parsePresigned(r.URL.Query(), requestService(r)); err == nil {
		return sig.accessKey
	}
	return ""
}

// expireSession ends one session as if its time had come.
func (s *Sandbox) expireSession(accessKeyID string) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.keys[accessKeyID]; k != nil && k.session != nil {
		ended := *k.session
		ended.expires = s.now().Add(-time.Second)
		k.session, w.dirty = &ended, true
	}
}

// ExpireSessions ends all sessions of a role as if their time had come; an
// empty ARN means those of all roles. It returns how many ended.
func (s *Sandbox) ExpireSessions(roleARN string) int {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	now, n := s.now(), 0
	for _, k := range w.keys {
		if k.session != nil && k.session.expires.After(now) && (roleARN == "" || k.session.role != nil && k.session.role.arn == roleARN) {
			ended := *k.session
			ended.expires = now.Add(-time.Second)
			k.session, w.dirty = &ended, true
			n++
		}
	}
	return n
}

// DisableKey disables a KMS key, past all policies. It returns ErrNotFound for an unknown ARN.
func (s *Sandbox) DisableKey(arn string) error {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.kmsKeys[arn]
	if k == nil {
		return fmt.Errorf("KMS key %s: %w", arn, ErrNotFound)
	}
	k.disabled, w.dirty = true, true
	return nil
}

// DeleteRole deletes a role with all that is attached to it, past all
// policies. It returns ErrNotFound for an unknown ARN.
func (s *Sandbox) DeleteRole(arn string) error {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.findRole(arn)
	if r == nil {
		return fmt.Errorf("role %s: %w", arn, ErrNotFound)
	}
	delete(w.accounts[r.account].roles, r.name)
	delete(w.ids, r.id)
	w.generation++
	w.dirty = true
	return nil
}

// SetClockOffset moves the sandbox's clock against the machine's: what it
// signs, checks, expires and dates. Zero puts it right again.
func (s *Sandbox) SetClockOffset(d time.Duration) { s.clockOffset.Store(int64(d)) }

// ClockOffset is how far the sandbox's clock is ahead of the machine's.
func (s *Sandbox) ClockOffset() time.Duration { return time.Duration(s.clockOffset.Load()) }

// now is the time by the sandbox's clock.
func (s *Sandbox) now() time.Time { return time.Now().Add(s.ClockOffset()) }
