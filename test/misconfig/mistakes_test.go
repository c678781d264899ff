package misconfig_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/test/misconfig"
)

func TestEveryMistakeGivesItsError(t *testing.T) {
	for _, m := range misconfig.All() {
		t.Run(m.String(), func(t *testing.T) {
			s := testbedtest.New(t)
			ctx := t.Context()
			a, err := misconfig.NewActor(ctx, s.World)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Put(ctx, nil); err != nil {
				t.Fatalf("before the mistake: %v", err)
			}
			if err := a.Part(ctx); err != nil {
				t.Fatalf("before the mistake: %v", err)
			}
			empty(t, s.World)
			if m.Make != nil {
				if err := m.Make(ctx, s.World); err != nil && m.Code != codeOf(err) {
					t.Fatalf("making the mistake: %v", err)
				}
			}
			check(t, a, m, m.Meet(ctx, a))
		})
	}
}

// empty removes the objects of the previous check, so that the bucket can be deleted.
func empty(t *testing.T, w *testbed.World) {
	t.Helper()
	if err := misconfig.Empty(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func check(t *testing.T, a *misconfig.Actor, m misconfig.Mistake, err error) {
	t.Helper()
	if m.Code == "" {
		if err != nil {
			t.Fatalf("it should succeed: %v", err)
		}
		return
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want %s", err, m.Code)
	}
	var status interface{ HTTPStatusCode() int }
	got := http.StatusOK
	if errors.As(err, &status) {
		got = status.HTTPStatusCode()
	}
	if api.ErrorCode() != m.Code || got != m.Status {
		t.Errorf("got %s (%d), want %s (%d): %v", api.ErrorCode(), got, m.Code, m.Status, err)
	}
	want := m.Message(a)
	if part, ok := strings.CutPrefix(want, "~"); ok {
		if !strings.Contains(api.ErrorMessage(), part) {
			t.Errorf("message %q, want %q in it", api.ErrorMessage(), part)
		}
	} else if api.ErrorMessage() != want {
		t.Errorf("message\n%q, want\n%q", api.ErrorMessage(), want)
	}
}

func TestRowsAreTold(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range misconfig.All() {
		if seen[m.String()] {
			t.Errorf("%s is there twice", m)
		}
		seen[m.String()] = true
		if (m.Code == "") != (m.Status == 0) || m.Code != "" && m.Text == "" {
			t.Errorf("%s: code, status and text do not fit", m)
		}
		if m.Make == nil && (m.Try == nil || m.Delivery) {
			t.Errorf("%s: nothing is wrong", m)
		}
	}
}
