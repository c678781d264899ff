package rpc

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const (
	maxDestination = 64
	maxContentType = 255
	maxMetadata    = 16
	maxMetadataKey = 64
	maxMetadataSum = 1024
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
	return refuse(codes.NotFound, "UNKNOWN_DESTINATION", "there is no destination %q; %s", destination, hint)
}

// validate checks what a header says, but not whether its destination exists.
func validate(h *brokerdv1.UploadHeader) error {
	if err := config.ValidateName(h.GetName()); err != nil {
		return refuse(codes.InvalidArgument, "INVALID_NAME", "object name: %s", err)
	}
	bad := func(format string, args ...any) error {
		return refuse(codes.InvalidArgument, "INVALID_HEADER", format, args...)
	}
	if h.GetDestination() == "" {
		return bad("the header names no destination")
	}
	if ct := h.GetContentType(); len(ct) > maxContentType || !printable(ct) {
		return bad("content_type: want at most %d characters of printable ASCII", maxContentType)
	}
	if len(h.GetMetadata()) > maxMetadata {
		return bad("metadata: %d entries, at most %d are taken", len(h.GetMetadata()), maxMetadata)
	}
	sum := 0
	for k, v := range h.GetMetadata() {
		if k == "" || len(k) > maxMetadataKey || strings.Trim(k, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return bad("metadata key %q: want 1 to %d characters of a-z, 0-9 and '-'", k, maxMetadataKey)
		}
		if strings.HasPrefix(k, "brokerd-") {
			return bad("metadata key %q: keys that start with \"brokerd-\" are the daemon's own", k)
		}
		if !printable(v) || strings.TrimSpace(v) != v {
			return bad("metadata %q: want printable ASCII without space at the ends", k)
		}
		sum += len(k) + len(v)
	}
	if sum > maxMetadataSum {
		return bad("metadata: %d bytes, at most %d are taken", sum, maxMetadataSum)
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
