package trail

import (
	"strconv"
	"time"
)

// Query selects events of an account.
type Query struct {
	Account    string
	Attribute  string // one of Attributes, or empty
	Value      string
	Start, End time.Time // zero: open
}

// Attributes are the names that Query.Attribute takes.
var Attributes = []string{"EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"}

// Lookup returns matching events, newest first, at most limit of them. A
// non-empty next continues after them; before is the next of the call before, or 0.
func (l *Log) Lookup(q Query, limit int, before uint64) (events []Event, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.first + uint64(len(l.events))
	if before == 0 || before > end {
		before = end
	}
	for seq := before; seq > l.first; seq-- {
		e := &l.events[seq-1-l.first]
		if !q.matches(e) {
			continue
		}
		if len(events) == limit {
			return events, seq
		}
		events = append(events, *e)
	}
	return events, 0
}

func (q *Query) matches(e *Event) bool {
	if q.Account != "" && e.RecipientAccountID != q.Account ||
		!q.Start.IsZero() && e.EventTime.Before(q.Start) || !q.End.IsZero() && e.EventTime.After(q.End) {
		return false
	}
	switch q.Attribute {
	case "":
		return true
	case "EventId":
		return e.EventID == q.Value
	case "EventName":
		return e.EventName == q.Value
	case "ReadOnly":
		return strconv.FormatBool(e.ReadOnly) == q.Value
	case "Username":
		return e.Username() == q.Value
	case "EventSource":
		return e.EventSource == q.Value
	case "AccessKeyId":
		return e.UserIdentity.AccessKeyID == q.Value
	}
	for _, r := range e.Resources {
		if q.Attribute == "ResourceType" && r.Type == q.Value ||
			q.Attribute == "ResourceName" && (r.ARN == q.Value || r.Name() == q.Value) {
			return true
		}
	}
	return false
}

// Username is the caller's name in LookupEvents: the user's or the session's.
func (e *Event) Username() string {
	id := e.UserIdentity
	switch id.Type {
	case "Root":
		return "root"
	case "AssumedRole":
		return afterLast(id.PrincipalID, ':')
	}
	return id.UserName
}

// Name is the resource's name, which is the end of its ARN.
func (r Resource) Name() string {
	if r.Type == "AWS::S3::Object" {
		return r.ARN
	}
	return afterLast(afterLast(r.ARN, ':'), '/')
}

func afterLast(s string, c byte) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == c {
			return s[i+1:]
		}
	}
	return s
}
