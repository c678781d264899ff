// Package awserr classifies AWS errors: it returns an error's class, the policy layer
// that refused, the account of that layer, and the disposition of the failed work.
//
// It is pure: it sees errors through small interfaces (an error code, a status, a
// request id), imports no SDK, does no I/O, and never panics on any input.
//
// The text of a service is evidence, not proof. Callers outside the bucket's
// organization get a bare "Access Denied", and AWS can name the wrong layer when a
// resource policy delegates to an account. [Denial] holds the text's statement; the
// policy engine decides.
package awserr
