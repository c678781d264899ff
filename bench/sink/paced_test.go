package sink_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/bench/sink"
)

func put(t *testing.T, s http.Handler, i int) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPut, fmt.Sprintf("/b/%d", i), strings.NewReader("x")))
	if w.Code != http.StatusOK {
		t.Fatalf("PutObject: %d %s", w.Code, w.Body)
	}
}

func TestDelayIsAddedToEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sink.New(sink.Options{Delay: 20 * time.Millisecond})
		began := time.Now()
		put(t, s, 0)
		put(t, s, 1)
		if took := time.Since(began); took != 40*time.Millisecond {
			t.Errorf("two answers took %s, not twice 20ms", took)
		}
	})
}
