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

// page is the end of every listing of IAM.
type page struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// paginate returns the page of a sorted list that MaxItems and Marker ask for. name
// returns an item's sort key.
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
