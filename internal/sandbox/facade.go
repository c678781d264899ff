package sandbox

import (
	"encoding/json"
	"io"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail"
	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/kms"
	"github.com/brokerd/brokerd/internal/sandbox/s3"
	"github.com/brokerd/brokerd/internal/sandbox/sts"
)

// ExpireSessions makes all sessions of a role expire now; an empty ARN means the
// sessions of all roles. It returns the number of sessions.
func (s *Sandbox) ExpireSessions(roleARN string) int { return s.services.iam.ExpireSessions(roleARN) }

// DisableKey disables a KMS key, past all policies. It returns ErrNotFound for an unknown ARN.
func (s *Sandbox) DisableKey(arn string) error { return s.services.kms.Disable(arn) }

// DeleteRole deletes a role with all that is attached to it, past all
// policies. It returns ErrNotFound for an unknown ARN.
func (s *Sandbox) DeleteRole(arn string) error { return s.services.iam.RemoveRole(arn) }

// SetClockOffset moves the sandbox's clock against the machine's. All checks of
// time and all times in answers follow it. Zero removes the offset.
func (s *Sandbox) SetClockOffset(d time.Duration) { s.services.k.SetClockOffset(d) }

// ClockOffset is how far the sandbox's clock is ahead of the machine's.
func (s *Sandbox) ClockOffset() time.Duration { return s.services.k.ClockOffset() }

// SetFaults replaces all faults that are in force.
func (s *Sandbox) SetFaults(faults []kernel.Fault) { s.services.k.SetFaults(faults) }

// AddFault puts one more fault in force, after those that are.
func (s *Sandbox) AddFault(f kernel.Fault) error { return s.services.k.AddFault(f) }

// Faults returns the faults that are in force.
func (s *Sandbox) Faults() []kernel.Fault { return s.services.k.Faults() }

// Calls returns the recorded calls, oldest first.
func (s *Sandbox) Calls() []kernel.Call { return s.services.k.Calls() }

// CountCalls counts the recorded calls of one operation. S3's own calls to KMS are not counted.
func (s *Sandbox) CountCalls(service, operation string) int {
	return s.services.k.CountCalls(service, operation)
}

// ResetCalls forgets the recorded calls.
func (s *Sandbox) ResetCalls() { s.services.k.ResetCalls() }

// SetGuardrails replaces the guardrails of account A or B.
func (s *Sandbox) SetGuardrails(account string, g kernel.Guardrails) error {
	return s.services.k.SetGuardrails(account, g)
}

// SignWebIdentity makes a token as a Kubernetes cluster or another identity
// provider would.
func (s *Sandbox) SignWebIdentity(id sts.WebIdentity) (string, error) {
	return s.services.sts.SignWebIdentity(id)
}

// Object opens the current version of an object, past all policies. The
// reader must be closed. It returns ErrNotFound when there is none.
func (s *Sandbox) Object(bucket, key string) (s3.ObjectInfo, io.ReadCloser, error) {
	return s.services.s3.OpenObject(bucket, key)
}

// Objects lists the current objects of a bucket in key order, past all policies.
func (s *Sandbox) Objects(bucket string) []s3.ObjectInfo { return s.services.s3.ListObjects(bucket) }

// MultipartUploads lists the open uploads of a bucket, past all policies.
func (s *Sandbox) MultipartUploads(bucket string) []s3.MultipartUpload {
	return s.services.s3.ListUploads(bucket)
}

// ApplyLifecycle runs the lifecycle rules of every bucket as of a time: it aborts
// incomplete uploads and expires objects and versions. S3 does so once a day;
// the sandbox does so on request only. Transitions to other storage classes are
// stored and returned, and not carried out. Locked versions stay.
func (s *Sandbox) ApplyLifecycle(now time.Time) s3.LifecycleResult {
	return s.services.s3.ApplyLifecycle(now)
}

// Info describes the running sandbox.
func (s *Sandbox) Info() Info {
	return Info{
		AccountA: s.services.opts.AccountA,
		AccountB: s.services.opts.AccountB,
		Region:   s.services.opts.Region,
		Endpoint: s.Endpoint(),
		DataDir:  s.services.opts.DataDir,
	}
}

// AdminToken is the bearer token of the admin API.
func (s *Sandbox) AdminToken() string { return s.adminToken }

// WebIdentityKeys returns the public key of the token issuer as a JSON Web Key Set.
func (s *Sandbox) WebIdentityKeys() (json.RawMessage, error) { return s.services.sts.KeySet() }

// EventsSince returns the events of the audit trail after a sequence number, the number to
// ask with next, and a channel that is closed when there are more events.
func (s *Sandbox) EventsSince(seq uint64) (events []trail.Event, next uint64, more <-chan struct{}) {
	return s.services.trails.Log.Since(seq)
}

// Stopping returns a channel that is closed when the sandbox begins to stop.
func (s *Sandbox) Stopping() <-chan struct{} { return s.stopping }

// Save writes changes to the data directory, if there is one.
func (s *Sandbox) Save() error { return s.services.writeState() }

// Operations returns the operations that are modelled, by service.
func (s *Sandbox) Operations() map[string][]string {
	return map[string][]string{
		"cloudtrail": cloudtrail.Operations(), "iam": iam.Operations(), "kms": kms.Operations(), "s3": s3.Operations(), "sts": sts.Operations(),
	}
}
