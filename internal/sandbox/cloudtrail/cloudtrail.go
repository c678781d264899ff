package cloudtrail

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const maxLookupResults = 50

type lookupInput struct {
	LookupAttributes []struct{ AttributeKey, AttributeValue string }
	StartTime        *float64
	EndTime          *float64
	MaxResults       *int
	NextToken        string
	EventCategory    string
}

type lookupEvent struct {
	EventID         string `json:"EventId"`
	EventName       string
	ReadOnly        string
	AccessKeyID     string `json:"AccessKeyId,omitempty"`
	EventTime       float64
	EventSource     string
	Username        string `json:",omitempty"`
	Resources       []lookupResource
	CloudTrailEvent string
}

type lookupResource struct{ ResourceType, ResourceName string }

// Service is CloudTrail of all accounts. mu guards trails.
type Service struct {
	k   *kernel.Kernel
	Log *trail.Log

	mu     sync.Mutex
	trails map[string]map[string]*savedTrail // by account and ARN
}

// New makes CloudTrail with an empty trail for each account.
func New(k *kernel.Kernel) *Service {
	s := &Service{k: k, Log: trail.New(maxEvents), trails: map[string]map[string]*savedTrail{}}
	for id := range k.Accounts {
		s.trails[id] = map[string]*savedTrail{}
	}
	return s
}

type savedTrails struct{ Accounts []savedAccountTrails }

type savedAccountTrails struct {
	ID     string
	Trails map[string]*savedTrail `json:",omitempty"`
}

// Snapshot renders the trails of all accounts.
func (s *Service) Snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out savedTrails
	for _, id := range slices.Sorted(maps.Keys(s.trails)) {
		out.Accounts = append(out.Accounts, savedAccountTrails{id, s.trails[id]})
	}
	return json.Marshal(out)
}

// Restore replaces the trails with those of a snapshot.
func (s *Service) Restore(data json.RawMessage) error {
	var saved savedTrails
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the trails: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range saved.Accounts {
		if a.Trails != nil {
			s.trails[a.ID] = a.Trails
		}
	}
	return nil
}

// Serve answers a call to CloudTrail with its body.
func (s *Service) Serve(cl *kernel.Request, data []byte) error {
	if handle, ok := trailOperations[cl.Record.Operation]; ok {
		return s.handleTrail(cl, data, handle)
	}
	if cl.Record.Operation != "LookupEvents" {
		return kernel.NotImplemented("cloudtrail:" + cl.Record.Operation)
	}
	var in lookupInput
	if err := json.Unmarshal(data, &in); err != nil {
		return kernel.JSONFail("SerializationException", "The request body is not the JSON that LookupEvents takes.")
	}
	e := s.k.Authorize(
		cl,
		kernel.Access{
			Caller:   cl.Caller,
			Action:   "cloudtrail:LookupEvents",
			Resource: "*",
			Owner:    cl.Caller.Account,
			Context:  cl.Conditions(cl.Region()),
		},
	)
	if e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return e
	}
	return s.lookupEvents(cl, &in)
}

func (s *Service) lookupEvents(cl *kernel.Request, in *lookupInput) error {
	q := trail.Query{Account: cl.Caller.Account, Start: fromEpoch(in.StartTime), End: fromEpoch(in.EndTime)}
	switch {
	case len(in.LookupAttributes) > 1:
		return kernel.JSONFail("InvalidLookupAttributesException", "You can provide a maximum of one lookup attribute")
	case len(in.LookupAttributes) == 1:
		q.Attribute, q.Value = in.LookupAttributes[0].AttributeKey, in.LookupAttributes[0].AttributeValue
		if !slices.Contains(trail.Attributes, q.Attribute) || q.Value == "" {
			return kernel.JSONFail("InvalidLookupAttributesException", "Lookup attribute %q is not valid", q.Attribute)
		}
	}
	if !q.Start.IsZero() && !q.End.IsZero() && q.End.Before(q.Start) {
		return kernel.JSONFail("InvalidTimeRangeException", "Start time must be before end time")
	}
	if in.EventCategory != "" {
		return kernel.NotImplemented("EventCategory of LookupEvents")
	}
	limit := maxLookupResults
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > maxLookupResults {
			return kernel.JSONFail(
				"InvalidMaxResultsException",
				"A maximum results value of %d is invalid. Specify a value between 1 and %d.",
				limit,
				maxLookupResults,
			)
		}
	}
	var before uint64
	if in.NextToken != "" {
		var err error
		if before, err = strconv.ParseUint(in.NextToken, 10, 64); err != nil || before == 0 {
			return kernel.JSONFail("InvalidNextTokenException", "Invalid next token")
		}
	}
	events, next := s.Log.Lookup(q, limit, before)
	out := struct {
		Events    []lookupEvent
		NextToken string `json:",omitempty"`
	}{Events: []lookupEvent{}}
	for i := range events {
		text, err := json.Marshal(&events[i])
		if err != nil {
			return fmt.Errorf("rendering an event: %w", err)
		}
		e := &events[i]
		x := lookupEvent{
			EventID: e.EventID, EventName: e.EventName, ReadOnly: strconv.FormatBool(e.ReadOnly), AccessKeyID: e.UserIdentity.AccessKeyID,
			EventTime: float64(
				e.EventTime.Unix(),
			), EventSource: e.EventSource, Username: e.Username(), Resources: []lookupResource{}, CloudTrailEvent: string(text),
		}
		for _, r := range e.Resources {
			x.Resources = append(x.Resources, lookupResource{r.Type, r.Name()})
		}
		out.Events = append(out.Events, x)
	}
	if next != 0 {
		out.NextToken = strconv.FormatUint(next, 10)
	}
	return cl.WriteJSON(out)
}

func fromEpoch(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(*seconds * 1000))
}

// Operations returns the names of the modelled operations in order.
func Operations() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(trailOperations)), "LookupEvents")))
}
