package sandbox

import (
	"slices"
	"strings"
)

// The texts of KMS's validation of shapes, which comes before everything else.

func kmsInvalid(format string, args ...any) *apiError {
	return jsonFail("ValidationException", "1 validation error detected: "+format, args...)
}

func kmsMissing(field string) *apiError {
	return kmsInvalid("Value null at '%s' failed to satisfy constraint: Member must not be null", field)
}

// kmsOneOf checks an enumerated value; an empty one passes.
func kmsOneOf(value, field string, set ...string) *apiError {
	if value == "" || slices.Contains(set, value) {
		return nil
	}
	return kmsInvalid("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, field, strings.Join(set, ", "))
}

// kmsWithin checks a number; nil passes.
func kmsWithin(value *int, field string, low, high int) *apiError {
	switch {
	case value == nil:
	case *value < low:
		return kmsInvalid("Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", *value, field, low)
	case *value > high:
		return kmsInvalid("Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", *value, field, high)
	}
	return nil
}

// kmsSized checks the length of a blob that has to be there. Blobs are not shown.
func kmsSized(value []byte, field string, high int) *apiError {
	switch {
	case value == nil:
		return kmsMissing(field)
	case len(value) < 1:
		return kmsInvalid("Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to 1", field)
	case len(value) > high:
		return kmsInvalid("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", field, high)
	}
	return nil
}

// kmsLong checks the length of a text.
func kmsLong(value, field string, high int) *apiError {
	if len(value) > high {
		return kmsInvalid("Value '%s' at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", value, field, high)
	}
	return nil
}

// kmsFirst gives the first complaint as an error, nil when there is none.
func kmsFirst(complaints ...*apiError) error {
	for _, e := range complaints {
		if e != nil {
			return e
		}
	}
	return nil
}
