package vend

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
)

// Handler answers GET Path+NAME with the credentials of destination NAME.
type Handler struct {
	// Identify returns the sender of a request, or a *Refusal.
	Identify func(*http.Request) (Caller, error)
	Source   Source
	// Hosts are the accepted values of the Host header; nil: all. The check stops a web
	// page whose own name resolves to loopback (DNS rebinding).
	Hosts []string
	Log   *zap.Logger
	// Lines limits the log lines about foreign requests; nil: no limit.
	Lines *quota.Lines
}

// foreignHeaders are added by proxies and browsers, and never by AWS SDKs. Behind a
// proxy or a browser the sender may be another machine.
var foreignHeaders = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via", "Origin", "Referer", "Sec-Fetch-Site",
	"Sec-Fetch-Mode",
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	c, err := h.answer(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	text, err := json.Marshal(c.body())
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // a caller that went away misses its answer
}

func (h *Handler) answer(r *http.Request) (Credentials, error) {
	destination, err := h.destination(r)
	if err != nil {
		return Credentials{}, err
	}
	caller, err := h.Identify(r)
	if err != nil {
		return Credentials{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
	defer cancel()
	return h.Source(ctx, caller, destination)
}

// destination validates everything except the caller. It uses the path as sent:
// nothing is decoded, cleaned or redirected.
func (h *Handler) destination(r *http.Request) (string, error) {
	if h.Hosts != nil && !slices.Contains(h.Hosts, r.Host) {
		return "", &Refusal{
			Reason:  reason.ForeignRequest,
			Message: "the Host header does not name this endpoint; use the address that it listens on",
		}
	}
	for _, name := range foreignHeaders {
		if len(r.Header.Values(name)) > 0 {
			return "", &Refusal{
				Reason:  reason.ForeignRequest,
				Message: "the header " + name + " shows that a proxy or a browser sent the request; credentials are for programs on this machine",
			}
		}
	}
	name, ok := strings.CutPrefix(r.RequestURI, Path)
	if !ok || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return "", &Refusal{Reason: reason.NoSuchPath, Message: "there is no such path; credentials are at " + Path + "DESTINATION"}
	}
	if r.Method != http.MethodGet || r.ContentLength != 0 {
		return "", &Refusal{Reason: reason.MethodNotAllowed, Message: "use GET, without a body"}
	}
	return name, nil
}

// refuse answers in the form of AWS's own endpoints. SDKs copy the code and the message
// into their errors.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var f *Refusal
	if !errors.As(err, &f) {
		h.Log.Error("a request for credentials failed", zap.Error(err))
		f = &Refusal{Reason: reason.Internal, Message: "the daemon failed inside this request; its log has the details"}
	}
	if f.Reason == reason.ForeignRequest {
		fields := []zap.Field{zap.String("reason", string(f.Reason)), zap.String("remote", r.RemoteAddr), zap.String("why", f.Message)}
		if h.Lines != nil {
			h.Lines.Warn(quota.Unidentified(), string(f.Reason), "credentials refused", fields...)
		} else {
			h.Log.Warn("credentials refused", fields...)
		}
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	if f.HTTPStatus() == http.StatusMethodNotAllowed {
		header.Set("Allow", http.MethodGet)
	}
	if f.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	text, err := json.Marshal(map[string]string{"code": string(f.Reason), "message": f.Message})
	if err != nil {
		text = nil
	}
	w.WriteHeader(f.HTTPStatus())
	_, _ = w.Write(append(text, '\n'))
}
