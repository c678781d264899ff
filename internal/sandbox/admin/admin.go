package admin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/s3"
	"github.com/brokerd/brokerd/internal/sandbox/sts"
)

// Path is the beginning of every request's path. No bucket's path begins so, for bucket
// names have no underscore.
const Path = "/_sandbox/"

const maxBody = 1 << 20

// Sandbox is the part of the sandbox that the API controls.
type Sandbox interface {
	Info() Info
	Operations() map[string][]string

	Faults() []kernel.Fault
	SetFaults(faults []kernel.Fault)
	AddFault(f kernel.Fault) error

	SetClockOffset(d time.Duration)
	ClockOffset() time.Duration
	ExpireSessions(roleARN string) int
	DisableKey(arn string) error
	DeleteRole(arn string) error
	ApplyLifecycle(now time.Time) s3.LifecycleResult

	SetGuardrails(account string, g kernel.Guardrails) error
	AddVPCEndpoint(e kernel.VPCEndpoint) (url string, err error)
	SignWebIdentity(id sts.WebIdentity) (token string, err error)
	WebIdentityKeys() (json.RawMessage, error)

	// EventsSince returns the events after a sequence number, the number to ask with
	// next, and a channel that is closed when there are more events.
	EventsSince(seq uint64) (events []trail.Event, next uint64, more <-chan struct{})
	// Stopping returns a channel that is closed when the sandbox begins to stop.
	Stopping() <-chan struct{}
	// Save writes changes to the data directory, if there is one.
	Save() error
}

// Info describes a running sandbox.
type Info struct {
	AccountA string `json:"account_a"`
	AccountB string `json:"account_b"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint"`
	DataDir  string `json:"data_dir,omitempty"`
}

// Handler serves the API to requests that carry the token.
func Handler(to Sandbox, token string) http.Handler { return &server{to, token} }

type server struct {
	to    Sandbox
	token string
}

type handler func(s *server, w http.ResponseWriter, r *http.Request) (any, error)

// handlers are the requests by method and path below Path.
var handlers = map[string]handler{
	"GET info":             func(s *server, _ http.ResponseWriter, _ *http.Request) (any, error) { return s.to.Info(), nil },
	"GET operations":       func(s *server, _ http.ResponseWriter, _ *http.Request) (any, error) { return s.to.Operations(), nil },
	"GET faults":           func(s *server, _ http.ResponseWriter, _ *http.Request) (any, error) { return s.to.Faults(), nil },
	"PUT faults":           setFaults,
	"POST faults":          addFault,
	"DELETE faults":        clearFaults,
	"PUT clock":            setClock,
	"POST expire-sessions": expireSessions,
	"POST disable-key":     disableKey,
	"POST delete-role":     deleteRole,
	"POST lifecycle": func(s *server, _ http.ResponseWriter, _ *http.Request) (any, error) {
		return s.to.ApplyLifecycle(time.Now().Add(s.to.ClockOffset())), nil
	},
	"PUT guardrails":        setGuardrails,
	"POST vpc-endpoints":    addVPCEndpoint,
	"POST web-identity":     signWebIdentity,
	"GET web-identity-keys": keySet,
}

var errInput = errors.New("bad request")

// ServeHTTP answers one request of the API.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
		http.Error(w, "the admin API of the sandbox needs its token: send Authorization: Bearer …", http.StatusUnauthorized)
		return
	}
	name := r.Method + " " + strings.TrimPrefix(r.URL.Path, Path)
	if name == "GET events" {
		s.serveEvents(w, r)
		return
	}
	handle := handlers[name]
	if handle == nil {
		http.Error(w, "no such request: "+name, http.StatusNotFound)
		return
	}
	out, err := handle(s, w, r)
	if err == nil {
		err = s.to.Save() // changes past the AWS APIs are kept as well
	}
	switch {
	case errors.Is(err, kernel.ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeAnswer(w, out)
}

func writeAnswer(w http.ResponseWriter, v any) {
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

func readBody(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errInput, err)
	}
	return nil
}

func setFaults(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in []kernel.Fault
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	for i := range in {
		if err := in[i].Validate(); err != nil {
			return nil, err
		}
	}
	s.to.SetFaults(in)
	return s.to.Faults(), nil
}

func addFault(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in kernel.Fault
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	if err := s.to.AddFault(in); err != nil {
		return nil, err
	}
	return s.to.Faults(), nil
}

func clearFaults(s *server, _ http.ResponseWriter, _ *http.Request) (any, error) {
	s.to.SetFaults(nil)
	return s.to.Faults(), nil
}

func setClock(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Offset kernel.Duration `json:"offset"`
	}
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	s.to.SetClockOffset(time.Duration(in.Offset))
	return in, nil
}

func expireSessions(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Role string `json:"role"`
	}
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	return map[string]int{"expired": s.to.ExpireSessions(in.Role)}, nil
}

type arnInput struct {
	ARN string `json:"arn"`
}

func disableKey(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in arnInput
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	return in, s.to.DisableKey(in.ARN)
}

func deleteRole(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in arnInput
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	return in, s.to.DeleteRole(in.ARN)
}

func setGuardrails(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Account string `json:"account"`
		kernel.Guardrails
	}
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	return in, s.to.SetGuardrails(in.Account, in.Guardrails)
}

func addVPCEndpoint(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in kernel.VPCEndpoint
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	url, err := s.to.AddVPCEndpoint(in)
	return map[string]string{"id": in.ID, "url": url}, err
}

func signWebIdentity(s *server, w http.ResponseWriter, r *http.Request) (any, error) {
	var in sts.WebIdentity
	if err := readBody(w, r, &in); err != nil {
		return nil, err
	}
	token, err := s.to.SignWebIdentity(in)
	return map[string]string{"token": token}, err
}

func keySet(s *server, _ http.ResponseWriter, _ *http.Request) (any, error) {
	set, err := s.to.WebIdentityKeys()
	return json.RawMessage(set), err
}
