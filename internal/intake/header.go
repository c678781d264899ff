package intake

import (
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
)

const (
	maxIdempotencyKey = 128
	maxMetadata       = 16 // entries
)

// Header describes an upload before its bytes.
type Header struct {
	Destination, Name            string
	ContentType, ContentEncoding string
	Metadata                     map[string]string
	IdempotencyKey               string
	Size                         *uint64 // in bytes; nil: not announced
}

// announced returns the announced size, -1 when there is none.
func (h *Header) announced() int64 {
	if h.Size == nil {
		return -1
	}
	return int64(*h.Size)
}

// validate checks every field, except whether the destination exists.
func (h *Header) validate() error {
	if err := config.ValidateName(h.Name); err != nil {
		return reason.New(reason.InvalidName, "object name: %s", err)
	}
	bad := func(format string, args ...any) error {
		return reason.New(reason.InvalidHeader, format, args...)
	}
	if h.Destination == "" {
		return bad("the header names no destination")
	}
	if err := config.ValidateContentType(h.ContentType); err != nil {
		return bad("content_type: %s", err)
	}
	if err := config.ValidateContentEncoding(h.ContentEncoding); err != nil {
		return bad("content_encoding: %s", err)
	}
	if key := h.IdempotencyKey; len(key) > maxIdempotencyKey || !printable(key) {
		return bad("idempotency_key: use at most %d characters of printable ASCII", maxIdempotencyKey)
	}
	if len(h.Metadata) > maxMetadata {
		return bad("metadata: %d entries; the limit is %d", len(h.Metadata), maxMetadata)
	}
	sum := 0
	for k, v := range h.Metadata {
		if err := config.ValidateMetadataKey(k); err != nil {
			return bad("%s", err)
		}
		if err := config.ValidateMetadataValue(v); err != nil {
			return bad("metadata %q: %s", k, err)
		}
		sum += len(k) + len(v)
	}
	if sum > config.MaxMetadata {
		return bad("metadata: %d bytes; the limit is %d", sum, config.MaxMetadata)
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
