package broker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/secret"
)

func TestRefreshLeavesALead(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	issued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct{ life, earliest, latest time.Duration }{
		{15 * time.Minute, 15*time.Minute/2 - 75*time.Second, 15 * time.Minute / 2},
		{20 * time.Minute, 10*time.Minute - 100*time.Second, 10 * time.Minute},
		{time.Hour, 35 * time.Minute, 40 * time.Minute},
		{12 * time.Hour, 12*time.Hour - 70*time.Minute, 11 * time.Hour},
	} {
		t.Run(tc.life.String(), func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for range 500 {
				at := refreshAt(issued, issued.Add(tc.life), 0, rng).Sub(issued)
				if at < tc.earliest || at > tc.latest {
					t.Fatalf("refresh at %s, want %s to %s", at, tc.earliest, tc.latest)
				}
				seen[at.Round(time.Second)] = true
			}
			if len(seen) < 20 {
				t.Errorf("no jitter to speak of: %d different seconds", len(seen))
			}
		})
	}
}

func TestRetryDelays(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, tc := range []struct {
		name     string
		class    failureClass
		n        int
		left     time.Duration
		min, max time.Duration
	}{
		{"first blip is retried at once", failTransient, 1, 20 * time.Minute, time.Second, 3 * time.Second},
		{"a long outage backs off to a minute", failTransient, 12, time.Hour, time.Second, 61 * time.Second},
		{"an expired session is pressing", failTransient, 12, 0, time.Second, 16 * time.Second},
		{"the backoff never outgrows the life that is left", failTransient, 12, 40 * time.Second, time.Second, 6 * time.Second},
		{"throttling backs off further", failThrottle, 10, time.Hour, time.Minute, 2 * time.Minute},
		{"a refusal is looked at again every minute", failTerminal, 5, time.Hour, 48 * time.Second, 72 * time.Second},
		{"a refusal with no session is first retried soon", failTerminal, 1, 0, time.Second, time.Second},
		{"and then each minute", failTerminal, 20, 0, time.Minute, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 200 {
				if d := retryDelay(tc.class, tc.n, tc.left, rng); d < tc.min || d > tc.max {
					t.Fatalf("got %s, want %s to %s", d, tc.min, tc.max)
				}
			}
		})
	}
}

func TestStateOf(t *testing.T) {
	now := time.Now()
	s := &Session{Expires: now.Add(time.Hour), RefreshAt: now.Add(40 * time.Minute)}
	for _, tc := range []struct {
		after time.Duration
		want  State
	}{{0, StateFresh}, {40 * time.Minute, StateDue}, {59*time.Minute + time.Second, StateCritical}, {time.Hour, StateExpired}} {
		if got := stateOf(s, now.Add(tc.after)); got != tc.want {
			t.Errorf("after %s: %s, want %s", tc.after, got, tc.want)
		}
	}
	if got := stateOf(nil, now); got != StateEmpty {
		t.Errorf("no session: %s", got)
	}
}

// Every field of a request must change its key. Otherwise a tenant would get another
// tenant's session.
func TestKeyCoversEveryField(t *testing.T) {
	var check func(path string, t reflect.Type, field func(*Request) reflect.Value)
	check = func(path string, typ reflect.Type, of func(*Request) reflect.Value) {
		for i := range typ.NumField() {
			name := path + typ.Field(i).Name
			changed := Request{}
			f := of(&changed).Field(i)
			switch f.Kind() {
			case reflect.String:
				f.SetString("x")
			case reflect.Int64:
				f.SetInt(1)
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Map:
				f.Set(reflect.ValueOf(map[string]string{"k": "v"}))
			case reflect.Slice:
				f.Set(reflect.ValueOf([]string{"k"}))
			case reflect.Pointer:
				f.Set(reflect.ValueOf(&Request{}))
			case reflect.Struct:
				check(name+".", f.Type(), func(r *Request) reflect.Value { return of(r).Field(i) })
				continue
			default:
				t.Fatalf("field %s has kind %s: teach this test and Request.key about it", name, f.Kind())
			}
			if changed.key() == (Request{}).key() {
				t.Errorf("field %s is not in the key", name)
			}
		}
	}
	check("", reflect.TypeFor[Request](), func(r *Request) reflect.Value { return reflect.ValueOf(r).Elem() })
}

func FuzzKeyIsInjective(f *testing.F) {
	f.Add("role", "ext", "rol", "eext")
	f.Add("", "a", "a", "")
	f.Fuzz(func(t *testing.T, role1, ext1, role2, ext2 string) {
		one, two := Request{Role: role1, ExternalID: ext1}, Request{Role: role2, ExternalID: ext2}
		if (one.key() == two.key()) != (role1 == role2 && ext1 == ext2) {
			t.Errorf("%+v and %+v", one, two)
		}
	})
}

func TestSecretNeverPrints(t *testing.T) {
	s := Session{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: secret.New("hush"), SessionToken: secret.New("hush")}
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v", s, &s, s),
		fmt.Sprintf("%s %q %x", s.SecretAccessKey, s.SessionToken, s.SecretAccessKey), string(js)} {
		if strings.Contains(text, "hush") || strings.Contains(text, "68757368") {
			t.Errorf("a secret printed: %s", text)
		}
	}
	if s.SecretAccessKey.Reveal() != "hush" {
		t.Error("Reveal does not reveal")
	}
}
