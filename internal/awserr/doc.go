// Package awserr says what an AWS error means: its class, the policy layer that
// refused, the account that layer lives in, and what to do with the work.
//
// It is pure: it sees errors through small interfaces (an error code, a status,
// a request id), imports no SDK, does no I/O, and never panics on any input.
//
// What a service's text says is evidence, not proof: callers outside the
// bucket's organization get a bare "Access Denied", and AWS can name the wrong
// layer when a resource policy delegates to an account. Denial says what the
// text says; deciding is the policy engine's job.
package awserr
