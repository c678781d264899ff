package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/trail"
)

// The admin API: what is not AWS's. No bucket can have its path, for bucket
// names hold no underscore. It takes the admin token as a bearer token, so that
// neither a web page nor another user of the machine can call it.

const (
	adminPath    = "/_sandbox/"
	maxAdminBody = 1 << 20
)

// Info is what the admin API tells about a running sandbox.
type Info struct {
	AccountA string `json:"account_a"`
	AccountB string `json:"account_b"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint"`
	DataDir  string `json:"data_dir,omitempty"`
}

// AdminToken opens the admin API.
func (s *Sandbox) AdminToken() string { return s.adminToken }

type adminHandler func(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error)

// adminHandlers are the requests by method and path below adminPath.
var adminHandlers = map[string]adminHandler{
	"GET info":             func(s *Sandbox, _ http.ResponseWriter, _ *http.Request) (any, error) { return s.info(), nil },
	"GET faults":           func(s *Sandbox, _ http.ResponseWriter, _ *http.Request) (any, error) { return s.Faults(), nil },
	"PUT faults":           adminSetFaults,
	"POST faults":          adminAddFault,
	"DELETE faults":        adminClearFaults,
	"PUT clock":            adminClock,
	"POST expire-sessions": adminExpireSessions,
	"POST disable-key":     adminDisableKey,
	"POST delete-role":     adminDeleteRole,
	"POST lifecycle": func(s *Sandbox, _ http.ResponseWriter, _ *http.Request) (any, error) {
		return s.ApplyLifecycle(s.k.now()), nil
	},
	"PUT guardrails":        adminGuardrails,
	"POST vpc-endpoints":    adminVPCEndpoint,
	"POST web-identity":     adminWebIdentity,
	"GET web-identity-keys": adminKeySet,
}

var errAdminInput = errors.New("bad request")

func (s *Sandbox) serveAdmin(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(s.adminToken)) != 1 {
		http.Error(w, "the sandbox's admin API wants its token: Authorization: Bearer …", http.StatusUnauthorized)
		return
	}
	name := r.Method + " " + strings.TrimPrefix(r.URL.Path, adminPath)
	if name == "GET events" {
		s.serveEvents(w, r)
		return
	}
	handler := adminHandlers[name]
	if handler == nil {
		http.Error(w, "no such request: "+name, http.StatusNotFound)
		return
	}
	out, err := handler(s, w, r)
	if err == nil {
		// What is done past the AWS APIs has to survive as well.
		err = s.writeState()
	}
	switch {
	case errors.Is(err, ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeAdmin(w, out)
}

func writeAdmin(w http.ResponseWriter, v any) {
	if raw, ok := v.(json.RawMessage); ok {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(raw)
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n'))
}

func readAdmin(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errAdminInput, err)
	}
	return nil
}

func (s *Sandbox) info() Info {
	return Info{AccountA: s.opts.AccountA, AccountB: s.opts.AccountB, Region: s.opts.Region, Endpoint: s.Endpoint(), DataDir: s.opts.DataDir}
}

func adminSetFaults(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in []Fault
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	for i := range in {
		if err := in[i].validate(); err != nil {
			return nil, err
		}
	}
	s.SetFaults(in)
	return s.Faults(), nil
}

func adminAddFault(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in Fault
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	if err := s.AddFault(in); err != nil {
		return nil, err
	}
	return s.Faults(), nil
}

func adminClearFaults(s *Sandbox, _ http.ResponseWriter, _ *http.Request) (any, error) {
	s.SetFaults(nil)
	return s.Faults(), nil
}

func adminClock(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Offset Duration `json:"offset"`
	}
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	s.SetClockOffset(time.Duration(in.Offset))
	return in, nil
}

func adminExpireSessions(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Role string `json:"role"`
	}
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	return map[string]int{"expired": s.ExpireSessions(in.Role)}, nil
}

type adminARN struct {
	ARN string `json:"arn"`
}

func adminDisableKey(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in adminARN
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	return in, s.DisableKey(in.ARN)
}

func adminDeleteRole(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in adminARN
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	return in, s.DeleteRole(in.ARN)
}

func adminGuardrails(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Account string `json:"account"`
		Guardrails
	}
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	return in, s.SetGuardrails(in.Account, in.Guardrails)
}

func adminVPCEndpoint(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in VPCEndpoint
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	url, err := s.AddVPCEndpoint(in)
	return map[string]string{"id": in.ID, "url": url}, err
}

func adminWebIdentity(s *Sandbox, w http.ResponseWriter, r *http.Request) (any, error) {
	var in WebIdentity
	if err := readAdmin(w, r, &in); err != nil {
		return nil, err
	}
	token, err := s.SignWebIdentity(in)
	return map[string]string{"token": token}, err
}

func adminKeySet(s *Sandbox, _ http.ResponseWriter, _ *http.Request) (any, error) {
	set, err := s.sts.keySet()
	return json.RawMessage(set), err
}

// serveEvents writes events as JSON lines, one for each call: the copy of the
// caller's account. With follow=true it goes on until the client hangs up or
// the sandbox stops.
func (s *Sandbox) serveEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	follow, _ := strconv.ParseBool(q.Get("follow"))
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	var seq uint64
	for {
		events, next, more := s.trails.log.Since(seq)
		seq = next
		for i := range events {
			if !wanted(&events[i], q.Get("name"), q.Get("account")) {
				continue
			}
			if err := enc.Encode(&events[i]); err != nil {
				return
			}
		}
		if !follow {
			return
		}
		if err := flush.Flush(); err != nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		}
	}
}

// wanted picks events by name and account. Without an account each call is
// told once: as its own account sees it, which knows the caller by ARN.
func wanted(e *trail.Event, name, account string) bool {
	if name != "" && e.EventName != name {
		return false
	}
	if account != "" {
		return e.RecipientAccountID == account
	}
	return e.SharedEventID == "" || e.UserIdentity.Type != "AWSAccount"
}
