package sandbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// A session is good until its end, by the sandbox's clock, and not a second longer.
func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	in := w.assumeInput()
	in.DurationSeconds = aws.Int32(900)
	session := sessionOf(must[*sts.AssumeRoleOutput](t)(w.app.sts.AssumeRole(t.Context(), in)))
	api := as(t, w.sb, session)
	for _, row := range []struct {
		name   string
		after  time.Duration
		status int
		want   string
	}{
		{"with a minute left", 14 * time.Minute, http.StatusOK, "<Arn>"},
		{"a second after the end", 15*time.Minute + time.Second, http.StatusForbidden, "<Code>ExpiredToken</Code>"},
	} {
		w.sb.SetClockOffset(row.after)
		form := "Action=GetCallerIdentity&Version=2011-06-15"
		sum := sha256.Sum256([]byte(form))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.sb.Endpoint(), strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		creds := must[aws.Credentials](t)(api.cfg.Credentials.Retrieve(t.Context()))
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(sum[:]), "sts", region,
			time.Now().Add(row.after)); err != nil {
			t.Fatal(err)
		}
		resp, err := api.cfg.HTTPClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if text := string(body); resp.StatusCode != row.status || !strings.Contains(text, row.want) {
			t.Errorf("%s: %d %s, want %d with %s", row.name, resp.StatusCode, text, row.status, row.want)
		}
	}
}
