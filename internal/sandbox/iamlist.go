package sandbox

import (
	"encoding/base64"
	"net/url"
	"strconv"
)

const (
	defaultListed = 100
	maxIAMListed  = 1000
)

// page is what every listing of IAM ends with.
type page struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// paginate cuts a sorted list as MaxItems and Marker have it. name gives what
// an item is sorted by.
func paginate[T any](form url.Values, items []T, name func(T) string) ([]T, page, error) {
	limit := defaultListed
	if text := form.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxIAMListed {
			bound := "greater than or equal to 1"
			if n > maxIAMListed {
				bound = "less than or equal to 1000"
			}
			return nil, page{}, validationError("1 validation error detected: Value '%s' at 'maxItems' failed to satisfy constraint: Member must have value %s", text, bound)
		}
		limit = n
	}
	after, err := base64.RawURLEncoding.DecodeString(form.Get("Marker"))
	if err != nil {
		return nil, page{}, validationError("Invalid Marker.")
	}
	var out []T
	for _, item := range items {
		if len(after) > 0 && name(item) <= string(after) {
			continue
		}
		if len(out) == limit {
			return out, page{true, base64.RawURLEncoding.EncodeToString([]byte(name(out[limit-1])))}, nil
		}
		out = append(out, item)
	}
	return out, page{}, nil
}

func itself(s string) string { return s }
