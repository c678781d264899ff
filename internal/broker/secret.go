package broker

import "encoding/json"

const redacted = "REDACTED"

// Secret is a string that does not print. Only Reveal gives it out.
type Secret struct{ value string }

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the secret itself. Hand it to a signer, never to a formatter.
func (s Secret) Reveal() string { return s.value }

// Empty says whether there is a secret at all.
func (s Secret) Empty() bool { return s.value == "" }

// String prints REDACTED.
func (Secret) String() string { return redacted }

// GoString prints REDACTED for %#v.
func (Secret) GoString() string { return redacted }

// MarshalText prints REDACTED in XML, YAML and as a map key.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON prints REDACTED; zap's reflection encoder uses it too.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
