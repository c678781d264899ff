// Package secret holds the type of credentials in memory.
//
// A [String] prints REDACTED in every format: fmt's verbs, JSON, XML, YAML and
// zap's reflection encoder. Only [String.Reveal] returns the value, so each use
// of a secret can be found by that name.
//
// It does not wipe memory: Go's strings cannot be overwritten.
package secret

import "encoding/json"

const redacted = "REDACTED"

// String is a secret string. Its zero value is the empty secret.
//
// It holds a pointer because fmt does not call the methods of an unexported field: it
// prints the address then, and not the secret. Do not compare two Strings with ==.
type String struct{ value *string }

// New returns value as a secret.
func New(value string) String { return String{&value} }

// Reveal returns the secret itself. Pass it to a signer, never to a formatter.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether the secret is the empty string.
func (s String) Empty() bool { return s.Reveal() == "" }

// String returns REDACTED.
func (String) String() string { return redacted }

// GoString returns REDACTED, for %#v.
func (String) GoString() string { return redacted }

// MarshalText returns REDACTED, for XML, YAML and map keys.
func (String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns REDACTED as a JSON string, also for zap's reflection encoder.
func (String) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
