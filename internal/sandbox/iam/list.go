package iam

import (
	"encoding/base64"
	"net/url"
	"strconv"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
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
	if n, err := strconv.Atoi(form.Get("MaxItems")); err == nil {
		limit = n
	}
	after, err := base64.RawURLEncoding.DecodeString(form.Get("Marker"))
	if err != nil {
		return nil, page{}, kernel.ValidationError("Invalid Marker.")
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
