package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The binary units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// sizeUnits is ordered so that String finds the largest binary unit first.
var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// String returns the size in the largest binary unit that divides it: "8MiB".
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// String returns the duration as Go writes it: "1h0m0s".
func (d Duration) String() string { return time.Duration(d).String() }

// String returns the mode in octal: "0660".
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

func parseSize(s string) (Size, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits == 0 {
		return 0, errors.New("is not a size")
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil {
		return 0, errors.New("is too large for a size")
	}
	unit := strings.TrimPrefix(s[digits:], " ")
	if unit == "" {
		return Size(n), nil
	}
	for _, u := range sizeUnits {
		if u.name != unit {
			continue
		}
		if n > math.MaxInt64/int64(u.bytes) {
			return 0, errors.New("is too large for a size")
		}
		return Size(n) * u.bytes, nil
	}
	return 0, fmt.Errorf("has the unknown unit %q", unit)
}

// maxDays is the largest number of days that a duration may have.
const maxDays = 36_500

// parseDuration also accepts a whole number of days: "30d".
func parseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok && digitsOnly(days) {
		n, err := strconv.Atoi(days)
		if err != nil || n > maxDays {
			return 0, errors.New("is too long for a duration")
		}
		return Duration(time.Duration(n) * 24 * time.Hour), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("is not a duration")
	}
	if d < 0 {
		return 0, errors.New("is negative")
	}
	return Duration(d), nil
}

// parseFileMode requires a leading zero, because "660" could be octal or decimal.
func parseFileMode(s string) (FileMode, error) {
	if !strings.HasPrefix(s, "0") {
		return 0, errors.New("is not an octal mode")
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil {
		return 0, errors.New("is not an octal mode")
	}
	return FileMode(n), nil
}
