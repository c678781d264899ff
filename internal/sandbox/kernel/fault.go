package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// ResetPoint is the point of a call at which its connection is dropped.
type ResetPoint string

// The reset points. ResetBeforeResponse loses the answer: the operation is carried out.
const (
	ResetBeforeBody     ResetPoint = "before-body"
	ResetAfterBody      ResetPoint = "after-body"
	ResetBeforeResponse ResetPoint = "before-response"
	ResetAfterResponse  ResetPoint = "after-response"
)

// throttle as a Code means the code with which the service throttles.
const throttle = "throttle"

// Fault makes calls fail on purpose. A fault acts when the operation is known, before
// anything is checked or changed, except for the fields that act on the response.
type Fault struct {
	// Operation is "service:Operation", "service:*" or "*".
	Operation string `json:"operation"`
	// Code is the AWS error code to answer, empty for none; "throttle" means the
	// code with which the service throttles.
	Code string `json:"code,omitempty"`
	// Message is the error's text; empty: a text that says that the error was injected.
	Message string `json:"message,omitempty"`
	// Status is the HTTP status with Code; 0 means 503.
	Status int `json:"status,omitempty"`
	// Latency delays the call first; Jitter adds a random share of itself.
	Latency Duration `json:"latency,omitempty"`
	Jitter  Duration `json:"jitter,omitempty"`
	// Rate is the share of matching calls that are hit, from the sandbox's seed; 0 means all.
	Rate float64 `json:"rate,omitempty"`
	// Skip lets the first matching calls pass.
	Skip int `json:"skip,omitempty"`
	// Times is how many calls are hit; 0 means all until the faults are set again.
	Times int `json:"times,omitempty"`
	// Reset drops the TCP connection at a point.
	Reset ResetPoint `json:"reset,omitempty"`
	// Truncate sends the response's headers and this many bytes of its body, and drops the connection.
	Truncate int64 `json:"truncate,omitempty"`
	// BytesPerSecond is the rate at which the response's body is sent; 0 means no limit.
	BytesPerSecond int64 `json:"bytes_per_second,omitempty"`
	// ExpireSession makes the session that signed the call expire before it.
	ExpireSession bool `json:"expire_session,omitempty"`
	// DisableKey is the ARN of a KMS key that is disabled before the call.
	DisableKey string `json:"disable_key,omitempty"`
	// DeleteRole is the ARN of a role that is deleted, with its policies, before the call.
	DeleteRole string `json:"delete_role,omitempty"`

	seen uint64 // matching calls so far
}

// Duration is a time.Duration that reads and writes JSON as text, "150ms".
type Duration time.Duration

// MarshalJSON writes the duration's text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a duration's text.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a duration is a string such as %q: %w", "150ms", err)
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	return err
}

// ParseFault reads a fault from text: an operation and name=value pairs with
// the names of the JSON form, "s3:UploadPart code=SlowDown rate=0.1". Values
// with spaces cannot be given; use JSON for those.
func ParseFault(text string) (Fault, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return Fault{}, errors.New("a fault starts with an operation, for example s3:PutObject")
	}
	f := Fault{Operation: fields[0]}
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		if err := f.set(name, value); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %s: %w", text, name, err)
		}
	}
	return f, f.Validate()
}

func (f *Fault) set(name, value string) error {
	var err error
	integer := func() (n int64) { n, err = strconv.ParseInt(value, 10, 62); return n }
	duration := func() Duration {
		var d time.Duration
		d, err = time.ParseDuration(value)
		return Duration(d)
	}
	switch name {
	case "code":
		f.Code = value
	case "message":
		f.Message = value
	case "status":
		f.Status = int(integer())
	case "latency":
		f.Latency = duration()
	case "jitter":
		f.Jitter = duration()
	case "rate":
		f.Rate, err = strconv.ParseFloat(value, 64)
	case "skip":
		f.Skip = int(integer())
	case "times":
		f.Times = int(integer())
	case "reset":
		f.Reset = ResetPoint(value)
	case "truncate":
		f.Truncate = integer()
	case "bytes_per_second":
		f.BytesPerSecond = integer()
	case "expire_session":
		f.ExpireSession, err = strconv.ParseBool(value)
	case "disable_key":
		f.DisableKey = value
	case "delete_role":
		f.DeleteRole = value
	default:
		return errors.New(
			"unknown; known are code, message, status, latency, jitter, rate, skip, times, reset, truncate, bytes_per_second, expire_session, " +
				"disable_key and delete_role",
		)
	}
	return err
}

// Validate reports the first mistake in a fault.
func (f *Fault) Validate() error {
	service, operation, ok := strings.Cut(f.Operation, ":")
	switch {
	case f.Operation != "*" && (!ok || operation == "" || service != "*" && !services[service]):
		return fmt.Errorf(
			"fault: operation %q: want service:Operation, service:* or *, where service is s3, sts, iam, kms or cloudtrail",
			f.Operation,
		)
	case !(f.Rate >= 0 && f.Rate <= 1): // NaN is neither
		return fmt.Errorf("fault: rate %v: want a share from 0 to 1", f.Rate)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("fault: status %d: want an error status, 400 to 599", f.Status)
	case f.Latency < 0 || f.Jitter < 0 || f.Skip < 0 || f.Times < 0 || f.Truncate < 0 || f.BytesPerSecond < 0:
		return errors.New("fault: numbers and durations cannot be negative")
	}
	switch f.Reset {
	case "", ResetBeforeBody, ResetAfterBody, ResetBeforeResponse, ResetAfterResponse:
	default:
		return fmt.Errorf(
			"fault: reset %q: want %s, %s, %s or %s",
			f.Reset,
			ResetBeforeBody,
			ResetAfterBody,
			ResetBeforeResponse,
			ResetAfterResponse,
		)
	}
	if f.Code == "" && f.Latency == 0 && f.Jitter == 0 && f.Reset == "" && f.Truncate == 0 && f.BytesPerSecond == 0 && !f.ExpireSession &&
		f.DisableKey == "" &&
		f.DeleteRole == "" {
		return fmt.Errorf("fault: %s has no effect: give a code, a latency, a reset or another effect", f.Operation)
	}
	return nil
}

// SetFaults replaces all faults that are in force.
func (k *Kernel) SetFaults(faults []Fault) {
	k.faultMu.Lock()
	defer k.faultMu.Unlock()
	k.faults = make([]*Fault, 0, len(faults))
	for _, f := range faults {
		f.seen = 0
		k.faults = append(k.faults, &f)
	}
}

// AddFault puts one more fault in force, after those that are.
func (k *Kernel) AddFault(f Fault) error {
	if err := f.Validate(); err != nil {
		return err
	}
	k.faultMu.Lock()
	defer k.faultMu.Unlock()
	f.seen = 0
	k.faults = append(k.faults, &f)
	return nil
}

// Faults returns the faults that are in force.
func (k *Kernel) Faults() []Fault {
	k.faultMu.Lock()
	defer k.faultMu.Unlock()
	out := make([]Fault, 0, len(k.faults))
	for _, f := range k.faults {
		out = append(out, *f)
	}
	return out
}

// NextFault returns the first fault that hits, and counts it down. The calls that a fault
// with a rate hits follow from the seed and the number of calls that matched before: two
// runs of the same calls are hit at the same places.
func (k *Kernel) NextFault(service, operation string) (Fault, bool) {
	k.faultMu.Lock()
	defer k.faultMu.Unlock()
	for i, f := range k.faults {
		if !f.matches(service, operation) {
			continue
		}
		n := f.seen
		f.seen++
		if n < uint64(f.Skip) {
			continue
		}
		draw := rand.New(rand.NewPCG(k.seed+uint64(i), n)) //nolint:gosec // a replayable draw, not a secret
		if f.Rate > 0 && draw.Float64() >= f.Rate {
			continue
		}
		hit := *f
		if f.Jitter > 0 {
			hit.Latency += Duration(draw.Int64N(int64(f.Jitter)))
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				k.faults = append(k.faults[:i:i], k.faults[i+1:]...)
			}
		}
		return hit, true
	}
	return Fault{}, false
}

func (f *Fault) matches(service, operation string) bool {
	if f.Operation == "*" {
		return true
	}
	svc, op, ok := strings.Cut(f.Operation, ":")
	return ok && (svc == "*" || strings.EqualFold(svc, service)) && (op == "*" || strings.EqualFold(op, operation))
}

// delay waits for the fault's latency or the end of ctx.
func (f Fault) delay(ctx context.Context) error {
	if f.Latency <= 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(f.Latency))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// String is the fault in the form that ParseFault reads.
func (f Fault) String() string {
	out := []string{f.Operation}
	add := func(name string, set bool, value any) {
		if set {
			out = append(out, fmt.Sprintf("%s=%v", name, value))
		}
	}
	add("code", f.Code != "", f.Code)
	add("message", f.Message != "", f.Message)
	add("status", f.Status != 0, f.Status)
	add("latency", f.Latency != 0, time.Duration(f.Latency))
	add("jitter", f.Jitter != 0, time.Duration(f.Jitter))
	add("rate", f.Rate != 0, f.Rate)
	add("skip", f.Skip != 0, f.Skip)
	add("times", f.Times != 0, f.Times)
	add("reset", f.Reset != "", f.Reset)
	add("truncate", f.Truncate != 0, f.Truncate)
	add("bytes_per_second", f.BytesPerSecond != 0, f.BytesPerSecond)
	add("expire_session", f.ExpireSession, f.ExpireSession)
	add("disable_key", f.DisableKey != "", f.DisableKey)
	add("delete_role", f.DeleteRole != "", f.DeleteRole)
	return strings.Join(out, " ")
}
