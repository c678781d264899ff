package kms

import (
	"encoding/base64"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const markerPrefix = "sandbox:"

// page is one page of a listing. items are in the order of key; a marker
// holds the key of the last item, so that it stays good when items come or go.
func page[T any](in *input, items []T, key func(T) string, usual, most int) (page []T, end map[string]any, err error) {
	if e := within(in.Limit, "limit", 1, most); e != nil {
		return nil, nil, e
	}
	limit := usual
	if in.Limit != nil {
		limit = *in.Limit
	}
	if in.Marker != "" {
		raw, err := base64.RawURLEncoding.DecodeString(in.Marker)
		last, ok := strings.CutPrefix(string(raw), markerPrefix)
		if err != nil || !ok {
			return nil, nil, kernel.JSONFail(
				"InvalidMarkerException",
				"Could not deserialize marker '%s'",
				in.Marker,
			) // [unverified] wording
		}
		for len(items) > 0 && key(items[0]) <= last {
			items = items[1:]
		}
	}
	end = map[string]any{"Truncated": false}
	if len(items) > limit {
		items = items[:limit]
		end["Truncated"] = true
		end["NextMarker"] = base64.RawURLEncoding.EncodeToString([]byte(markerPrefix + key(items[limit-1])))
	}
	if items == nil {
		items = []T{}
	}
	return items, end, nil
}
