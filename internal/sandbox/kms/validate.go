package kms

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The texts of KMS's validation of shapes, which comes before everything else.

func invalid(format string, args ...any) *kernel.Error {
	return kernel.JSONFail("ValidationException", "1 validation error detected: "+format, args...)
}

func missing(field string) *kernel.Error {
	return invalid("Value null at '%s' failed to satisfy constraint: Member must not be null", field)
}

// oneOf checks an enumerated value; an empty one passes.
func oneOf(value, field string, set ...string) *kernel.Error {
	if value == "" || slices.Contains(set, value) {
		return nil
	}
	return invalid(
		"Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		value,
		field,
		strings.Join(set, ", "),
	)
}

// within checks a number; nil passes.
func within(value *int, field string, low, high int) *kernel.Error {
	switch {
	case value == nil:
	case *value < low:
		return invalid(
			"Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d",
			*value,
			field,
			low,
		)
	case *value > high:
		return invalid(
			"Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d",
			*value,
			field,
			high,
		)
	}
	return nil
}

// sized checks the length of a blob that has to be there. Blobs are not shown.
func sized(value []byte, field string, high int) *kernel.Error {
	switch {
	case value == nil:
		return missing(field)
	case len(value) < 1:
		return invalid("Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to 1", field)
	case len(value) > high:
		return invalid("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", field, high)
	}
	return nil
}

// tooLong checks the length of a text.
func tooLong(value, field string, high int) *kernel.Error {
	if len(value) > high {
		return invalid(
			"Value '%s' at '%s' failed to satisfy constraint: Member must have length less than or equal to %d",
			value,
			field,
			high,
		)
	}
	return nil
}

// first returns the first error; nil when there is none.
func first(complaints ...*kernel.Error) error {
	for _, e := range complaints {
		if e != nil {
			return e
		}
	}
	return nil
}
