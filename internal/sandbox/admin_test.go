package sandbox_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

// adminRequest makes a request to the admin API.
func adminRequest(t *testing.T, sb *sandbox.Sandbox, token, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, sb.Endpoint()+"/_sandbox/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req
}

// admin sends a request to the admin API and returns the status and the body.
func admin(t *testing.T, sb *sandbox.Sandbox, token, method, path, body string) (int, string) {
	t.Helper()
	resp, err := httpClient(t, sb).Do(adminRequest(t, sb, token, method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheAdminAPIWantsItsToken(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for _, token := range []string{"", "wrong", sb.AdminToken() + "x"} {
		if status, _ := admin(t, sb, token, "GET", "info", ""); status != http.StatusUnauthorized {
			t.Errorf("with token %q: %d", token, status)
		}
	}
	var info sandbox.Info
	_, text := admin(t, sb, sb.AdminToken(), "GET", "info", "")
	if err := json.Unmarshal([]byte(text), &info); err != nil || info.AccountA != accountA || info.Endpoint != sb.Endpoint() {
		t.Errorf("info: %+v, %v", info, err)
	}
}

func TestWhatTheAdminAPIRefuses(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for _, row := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "nothing", "", 404, "no such request"},
		{"DELETE", "info", "", 404, "no such request"},
		{"POST", "faults", `{`, 400, "unexpected"},
		{"POST", "faults", `{"operation":"s3:PutObject","colour":"red"}`, 400, "colour"},
		{"POST", "faults", `{"operation":"s3:PutObject"}`, 400, "has no effect"},
		{"PUT", "faults", `[{"operation":"x","code":"y"}]`, 400, "service:Operation"},
		{"PUT", "clock", `{"offset":"soon"}`, 400, "duration"},
		{"POST", "disable-key", `{"arn":"arn:aws:kms:eu-west-1:444455556666:key/none"}`, 404, "not found"},
		{"POST", "delete-role", `{"arn":"arn:aws:iam::111122223333:role/none"}`, 404, "not found"},
		{"PUT", "guardrails", `{"account":"111122223333","organization_id":"x"}`, 400, "organization id"},
		{"PUT", "guardrails", `{"account":"999999999999","organization_id":"o-abcdefghij"}`, 400, "does not exist in the sandbox"},
	} {
		status, text := admin(t, sb, sb.AdminToken(), row.method, row.path, row.body)
		if status != row.status || !strings.Contains(text, row.want) {
			t.Errorf("%s %s %s: %d %s, want %d and %q", row.method, row.path, row.body, status, text, row.status, row.want)
		}
	}
}

func TestTheAdminAPIChangesTheSandbox(t *testing.T) {
	w := newWorld(t)
	do := func(method, path, body string) string {
		t.Helper()
		status, text := admin(t, w.sb, w.sb.AdminToken(), method, path, body)
		if status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		return text
	}
	identity := func(c *clients) string {
		t.Helper()
		_, err := c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		return code(err)
	}
	do("POST", "faults", `{"operation":"sts:*","code":"throttle"}`)
	if got := identity(w.app); got != "Throttling" {
		t.Errorf("with a fault: %q", got)
	}
	if text := do("GET", "faults", ""); !strings.Contains(text, `"operation":"sts:*"`) {
		t.Errorf("the faults are %s", text)
	}
	do("PUT", "faults", `[{"operation":"sts:*","code":"InternalFailure","status":500}]`)
	if got := identity(w.app); got != "InternalFailure" {
		t.Errorf("with the other fault: %q", got)
	}
	do("DELETE", "faults", "")
	if got := identity(w.app); got != "" {
		t.Errorf("without faults: %q", got)
	}
	do("PUT", "clock", `{"offset":"16m"}`)
	if got := w.sb.ClockOffset(); got != 16*time.Minute {
		t.Errorf("the clock is off by %s", got)
	}
	do("PUT", "clock", `{"offset":"0s"}`)
	if text := do("POST", "expire-sessions", `{"role":"`+w.role+`"}`); !strings.Contains(text, `{"expired":1}`) {
		t.Errorf("expired: %s", text)
	}
	if got := identity(w.uploader); got != "ExpiredToken" {
		t.Errorf("the session: %q", got)
	}
	do("POST", "disable-key", `{"arn":"`+w.key+`"}`)
	uploader := as(t, w.sb, w.assume(t))
	if _, err := uploader.s3.PutObject(t.Context(), w.put("logs/x", nil)); code(err) != "KMS.DisabledException" {
		t.Errorf("with the key disabled: %v", err)
	}
	do("POST", "delete-role", `{"arn":"`+w.role+`"}`)
	if got := identity(uploader); got != "InvalidClientTokenId" {
		t.Errorf("with the role deleted: %q", got)
	}
}

func TestEventsCanBeFollowed(t *testing.T) {
	w := newWorld(t)
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/first", nil)))
	resp, err := httpClient(t, w.sb).Do(
		adminRequest(t, w.sb, w.sb.AdminToken(), "GET", "events?follow=true&name=PutObject&account="+accountB, ""),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	next := func() trail.Event {
		t.Helper()
		var e trail.Event
		if !lines.Scan() {
			t.Fatalf("the events end: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, key := range []string{"logs/first", "logs/second"} {
		e := next()
		if e.RequestParameters["key"] != key || e.RecipientAccountID != accountB || e.UserIdentity.AccountID != accountA {
			t.Errorf("%+v, want the put of %s", e, key)
		}
		if key == "logs/first" { // the second one comes while we wait
			must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/second", nil)))
		}
	}
}

func TestTheOperationsAreListed(t *testing.T) {
	sb := start(t, sandbox.Options{})
	var got map[string][]string
	_, text := admin(t, sb, sb.AdminToken(), "GET", "operations", "")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for service, operation := range map[string]string{"s3": "UploadPartCopy", "kms": "ReEncrypt", "iam": "SimulatePrincipalPolicy",
		"sts": "AssumeRole", "cloudtrail": "LookupEvents"} {
		if !slices.Contains(got[service], operation) {
			t.Errorf("%s: %v lacks %s", service, got[service], operation)
		}
	}
}
