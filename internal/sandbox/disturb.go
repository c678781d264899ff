package sandbox

import (
	"io"
	"time"
)

// disturb changes the accounts as the fault has it.
func (s *Sandbox) disturb(cl *call, f Fault) error {
	if f.ExpireSession {
		s.iam.expireSession(presentedKey(cl.r))
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

// ExpireSessions ends all sessions of a role as if their time had come; an
// empty ARN means those of all roles. It returns how many ended.
func (s *Sandbox) ExpireSessions(roleARN string) int { return s.iam.expireSessions(roleARN) }

// DisableKey disables a KMS key, past all policies. It returns ErrNotFound for an unknown ARN.
func (s *Sandbox) DisableKey(arn string) error { return s.kms.disable(arn) }

// DeleteRole deletes a role with all that is attached to it, past all
// policies. It returns ErrNotFound for an unknown ARN.
func (s *Sandbox) DeleteRole(arn string) error { return s.iam.removeRole(arn) }

// SetClockOffset moves the sandbox's clock against the machine's: what it
// signs, checks, expires and dates. Zero puts it right again.
func (s *Sandbox) SetClockOffset(d time.Duration) { s.k.setClockOffset(d) }

// ClockOffset is how far the sandbox's clock is ahead of the machine's.
func (s *Sandbox) ClockOffset() time.Duration { return s.k.clockOffsetNow() }

// SetFaults replaces all faults that are in force.
func (s *Sandbox) SetFaults(faults []Fault) { s.k.setFaults(faults) }

// AddFault puts one more fault in force, after those that are.
func (s *Sandbox) AddFault(f Fault) error { return s.k.addFault(f) }

// Faults returns the faults that are in force.
func (s *Sandbox) Faults() []Fault { return s.k.faultsInForce() }

// Calls returns the recorded calls, oldest first.
func (s *Sandbox) Calls() []Call { return s.k.callsSoFar() }

// CountCalls counts the recorded calls of one operation. S3's own calls to KMS are not counted.
func (s *Sandbox) CountCalls(service, operation string) int {
	return s.k.countCalls(service, operation)
}

// ResetCalls forgets the recorded calls.
func (s *Sandbox) ResetCalls() { s.k.resetCalls() }

// SetGuardrails replaces the guardrails of account A or B.
func (s *Sandbox) SetGuardrails(account string, g Guardrails) error {
	return s.k.setGuardrails(account, g)
}

// SignWebIdentity makes a token as a Kubernetes cluster or another identity
// provider would.
func (s *Sandbox) SignWebIdentity(id WebIdentity) (string, error) { return s.sts.signWebIdentity(id) }

// Object opens the current version of an object, past all policies. The
// reader must be closed. It returns ErrNotFound when there is none.
func (s *Sandbox) Object(bucket, key string) (ObjectInfo, io.ReadCloser, error) {
	return s.s3.openObject(bucket, key)
}

// Objects lists the current objects of a bucket in key order, past all policies.
func (s *Sandbox) Objects(bucket string) []ObjectInfo { return s.s3.listObjects(bucket) }

// MultipartUploads lists the open uploads of a bucket, past all policies.
func (s *Sandbox) MultipartUploads(bucket string) []MultipartUpload { return s.s3.listUploads(bucket) }

// ApplyLifecycle runs the lifecycle rules of every bucket as of a time: it aborts
// incomplete uploads and expires objects and versions. S3 does so once a day;
// the sandbox does so on request only. Transitions to other storage classes are
// stored and returned, and not carried out. Locked versions stay.
func (s *Sandbox) ApplyLifecycle(now time.Time) LifecycleResult { return s.s3.applyLifecycle(now) }
