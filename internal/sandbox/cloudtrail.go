package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/trail"
)

// cloudTrailTarget is what X-Amz-Target starts with.
const cloudTrailTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."

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

func (s *Sandbox) handleCloudTrail(cl *call, data []byte) error {
	if handle, ok := trailOperations[cl.record.Operation]; ok {
		return s.handleTrail(cl, data, handle)
	}
	if cl.record.Operation != "LookupEvents" {
		return notImplemented("cloudtrail:" + cl.record.Operation)
	}
	var in lookupInput
	if err := json.Unmarshal(data, &in); err != nil {
		return kmsFail("SerializationException", "The request body is not the JSON that LookupEvents takes.")
	}
	s.world.mu.Lock()
	e := s.world.authorize(cl, access{caller: cl.caller, action: "cloudtrail:LookupEvents", resource: "*", owner: cl.caller.account, context: cl.requestContext(s.region(cl))})
	s.world.mu.Unlock()
	if e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return e
	}
	return s.lookupEvents(cl, &in)
}

func (s *Sandbox) lookupEvents(cl *call, in *lookupInput) error {
	q := trail.Query{Account: cl.caller.account, Start: fromEpoch(in.StartTime), End: fromEpoch(in.EndTime)}
	switch {
	case len(in.LookupAttributes) > 1:
		return kmsFail("InvalidLookupAttributesException", "You can provide a maximum of one lookup attribute")
	case len(in.LookupAttributes) == 1:
		q.Attribute, q.Value = in.LookupAttributes[0].AttributeKey, in.LookupAttributes[0].AttributeValue
		if !slices.Contains(trail.Attributes, q.Attribute) || q.Value == "" {
			return kmsFail("InvalidLookupAttributesException", "Lookup attribute %q is not valid", q.Attribute)
		}
	}
	if !q.Start.IsZero() && !q.End.IsZero() && q.End.Before(q.Start) {
		return kmsFail("InvalidTimeRangeException", "Start time must be before end time")
	}
	if in.EventCategory != "" {
		return notImplemented("EventCategory of LookupEvents")
	}
	limit := maxLookupResults
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > maxLookupResults {
			return kmsFail("InvalidMaxResultsException", "A maximum results value of %d is invalid. Specify a value between 1 and %d.", limit, maxLookupResults)
		}
	}
	var before uint64
	if in.NextToken != "" {
		var err error
		if before, err = strconv.ParseUint(in.NextToken, 10, 64); err != nil || before == 0 {
			return kmsFail("InvalidNextTokenException", "Invalid next token")
		}
	}
	events, next := s.trail.Lookup(q, limit, before)
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
			EventTime: float64(e.EventTime.Unix()), EventSource: e.EventSource, Username: e.Username(), Resources: []lookupResource{}, CloudTrailEvent: string(text),
		}
		for _, r := range e.Resources {
			x.Resources = append(x.Resources, lookupResource{r.Type, r.Name()})
		}
		out.Events = append(out.Events, x)
	}
	if next != 0 {
		out.NextToken = strconv.FormatUint(next, 10)
	}
	return s.writeJSON(cl, out)
}

func fromEpoch(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(*seconds * 1000))
}

// jsonTarget finds the service and operation of the JSON protocol.
func jsonTarget(r *http.Request) (service, operation string) {
	target := r.Header.Get("X-Amz-Target")
	if op, ok := strings.CutPrefix(target, "TrentService."); ok {
		return "kms", op
	}
	if op, ok := strings.CutPrefix(target, cloudTrailTarget); ok {
		return "cloudtrail", op
	}
	if op, ok := strings.CutPrefix(target, "CloudTrail_20131101."); ok {
		return "cloudtrail", op
	}
	return "", ""
}

// writeJSON answers in the JSON protocol.
func (s *Sandbox) writeJSON(cl *call, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering the answer: %w", err)
	}
	cl.w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	s.reply(cl, http.StatusOK)
	_, err = cl.w.Write(body)
	return err
}
