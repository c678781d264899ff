package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest object name, in bytes.
const maxName = 512

// ValidateName returns an error unless name is an object name: 1 to 512 bytes of
// UTF-8, path segments separated by '/', no control characters, no empty, "."
// or ".." segment. The error never repeats more than the offending part.
func ValidateName(name string) error {
	switch {
	case name == "":
		return errors.New("the object name is empty: give 1 to 512 bytes")
	case len(name) > maxName:
		return fmt.Errorf("the object name has %d bytes: at most %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return errors.New("the object name is not UTF-8")
	}
	for i, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("the object name has the control character %U at byte %d: remove it", r, i)
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "":
			return errors.New("the object name has an empty segment: no '/' at its ends, and no two in a row")
		case ".", "..":
			return fmt.Errorf("the object name has the segment %q: name the object below its destination's prefix", segment)
		}
	}
	return nil
}
