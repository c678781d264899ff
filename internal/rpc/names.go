package rpc

import (
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const (
	maxDestination    = 64
	maxIdempotencyKey = 128
	maxMetadata       = 16
)

// unknown names the destinations that the peer may use: those, and no others.
func (s *Server) unknown(p access.Peer, destination string) error {
	mine := s.rules().Destinations(p, slices.Sorted(maps.Keys(s.config().Destinations)))
	hint := "this user may use none"
	if len(mine) > 0 {
		hint = "this user may use: " + strings.Join(mine, ", ")
	}
	if len(destination) > maxDestination {
		destination = destination[:maxDestination] + "…"
	}
	return reason.New(reason.UnknownDestination, "there is no destination %q; %s", destination, hint)
}

// validate checks what a header says, but not whether its destination exists.
func validate(h *brokerdv1.UploadHeader) error {
	if err := config.ValidateName(h.GetName()); err != nil {
		return reason.New(reason.InvalidName, "object name: %s", err)
	}
	bad := func(format string, args ...any) error {
		return reason.New(reason.InvalidHeader, format, args...)
	}
	if h.GetDestination() == "" {
		return bad("the header names no destination")
	}
	if err := config.ValidateContentType(h.GetContentType()); err != nil {
		return bad("content_type: %s", err)
	}
	if err := config.ValidateContentEncoding(h.GetContentEncoding()); err != nil {
		return bad("content_encoding: %s", err)
	}
	if key := h.GetIdempotencyKey(); len(key) > maxIdempotencyKey || !printable(key) {
		return bad("idempotency_key: want at most %d characters of printable ASCII", maxIdempotencyKey)
	}
	if len(h.GetMetadata()) > maxMetadata {
		return bad("metadata: %d entries, at most %d are taken", len(h.GetMetadata()), maxMetadata)
	}
	sum := 0
	for k, v := range h.GetMetadata() {
		if err := config.ValidateMetadataKey(k); err != nil {
			return bad("%s", err)
		}
		if err := config.ValidateMetadataValue(v); err != nil {
			return bad("metadata %q: %s", k, err)
		}
		sum += len(k) + len(v)
	}
	if sum > config.MaxMetadata {
		return bad("metadata: %d bytes, at most %d are taken", sum, config.MaxMetadata)
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
