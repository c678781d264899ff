package config

import (
	"errors"
	"time"
)

// KeyTemplate is a parsed key template.
type KeyTemplate struct{ prefix string }

// KeyValues fill the placeholders of a key template.
type KeyValues struct {
	Host string    // {host}
	Time time.Time // {yyyy} {mm} {dd} {HH}, in UTC
	Name string    // {name}: a valid object name, see ValidateName
	ID   string    // {id}: the upload id
	UID  uint32    // {uid}
}

// ParseKeyTemplate parses a key template.
func ParseKeyTemplate(s string) (*KeyTemplate, error) { return nil, errors.New("not built yet") }

// Prefix is the static part up to and including the last '/' before the first placeholder.
func (t *KeyTemplate) Prefix() string { return t.prefix }

// Render fills the template.
func (t *KeyTemplate) Render(v KeyValues) (string, error) { return "", errors.New("not built yet") }

// ValidateName says whether name may be an object name.
func ValidateName(name string) error { return errors.New("not built yet") }
