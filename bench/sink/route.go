package sink

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// CountPath is the path at which the sink returns its Count as JSON. With ?objects=N it
// answers after N objects have arrived.
const CountPath = "/-/count"

// ServeHTTP implements http.Handler.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == CountPath:
		s.serveCount(w, r)
		return
	case r.URL.Path == "/" && r.Method == http.MethodPost:
		serveSTS(w, r)
		return
	}
	s.mu.Lock()
	s.count.Requests++
	s.mu.Unlock()
	answer := s.route(r)
	if s.delay > 0 {
		time.Sleep(s.delay)
	}
	answer.write(w)
}

// route reads the request to its end and returns the answer.
func (s *Sink) route(r *http.Request) answer {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPut && query.Has("uploadId"):
		return s.uploadPart(r, query)
	case r.Method == http.MethodPut:
		return s.putObject(r)
	case r.Method == http.MethodPost && query.Has("uploads"):
		return s.createUpload(r)
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return s.completeUpload(r, query)
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return s.abortUpload(r, query)
	case r.Method == http.MethodHead:
		return s.headObject(r)
	case r.Method == http.MethodGet && query.Has("list-type"):
		return s.listObjects(r, query)
	}
	return refuse(http.StatusNotImplemented, "NotImplemented", r.Method+" "+r.URL.RequestURI()+" is not needed for uploads")
}

func (s *Sink) serveCount(w http.ResponseWriter, r *http.Request) {
	if wanted := r.URL.Query().Get("objects"); wanted != "" {
		n, err := strconv.ParseInt(wanted, 10, 64)
		if err != nil {
			http.Error(w, "objects: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.Wait(r.Context(), n); err != nil {
			return // the caller has closed the connection
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Count()) // an error means that the caller has gone
}
