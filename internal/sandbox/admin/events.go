package admin

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

// serveEvents writes events as JSON lines, one for each call: the copy of the
// caller's account. With follow=true it continues until the client disconnects or
// the sandbox stops.
func (s *server) serveEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	follow, _ := strconv.ParseBool(q.Get("follow"))
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	var seq uint64
	for {
		events, next, more := s.to.EventsSince(seq)
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
		case <-s.to.Stopping():
			return
		}
	}
}

// wanted reports whether an event has the name and account that were asked for. Without
// an account it picks one copy of each call: the caller's, which has the caller's ARN.
func wanted(e *trail.Event, name, account string) bool {
	if name != "" && e.EventName != name {
		return false
	}
	if account != "" {
		return e.RecipientAccountID == account
	}
	return e.SharedEventID == "" || e.UserIdentity.Type != "AWSAccount"
}
