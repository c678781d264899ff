package sandbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
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

// A presigned GetCallerIdentity is how a workload proves who it is to a third party.
func TestPresignedCallerIdentity(t *testing.T) {
	w := newWorld(t)
	signed := must[*v4.PresignedHTTPRequest](t)(
		sts.NewPresignClient(w.uploader.sts).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}),
	)
	for name, row := range map[string]struct {
		url, code string
		status    int
		offset    time.Duration
	}{
		"as signed":           {signed.URL, "", 200, 0},
		"fourteen minutes on": {signed.URL, "", 200, 14 * time.Minute},
		"sixteen minutes on":  {signed.URL, "SignatureDoesNotMatch", 403, 16 * time.Minute},
		"another operation":   {strings.Replace(signed.URL, "GetCallerIdentity", "GetSessionToken", 1), "SignatureDoesNotMatch", 403, 0},
		"without its date":    {strings.Replace(signed.URL, "X-Amz-Date", "X-Date", 1), "IncompleteSignature", 403, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w.sb.SetClockOffset(row.offset)
			defer w.sb.SetClockOffset(0)
			req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, row.url, nil))
			status, body := send(t, httpClient(t, w.sb), req)
			var got struct {
				queryError
				Arn string `xml:"GetCallerIdentityResult>Arn"`
			}
			if err := xml.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if status != row.status || got.Code != row.code ||
				row.code == "" && !strings.HasSuffix(got.Arn, "assumed-role/CrossAccountS3Uploader/brokerd") {
				t.Errorf("%d: %s", status, body)
			}
		})
	}
}

func TestQueryServicesWordTheirSignatures(t *testing.T) {
	w := newWorld(t)
	for name, row := range map[string]struct {
		spoil      func(*http.Request)
		code, text string
		status     int
	}{
		"as it should be":     {func(*http.Request) {}, "", "", 200},
		"a header not signed": {func(r *http.Request) { r.Header.Set("X-Amz-Tagging", "a=b") }, "", "", 200},
		"another terminator": {replaceIn("aws4_request", "aws5_request"), "SignatureDoesNotMatch",
			"Credential should be scoped with a valid terminator: 'aws4_request'.", 403},
		"another day": {func(r *http.Request) { r.Header.Set("X-Amz-Date", "20200102T030405Z") }, "SignatureDoesNotMatch",
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ", 403},
		"no date": {func(r *http.Request) { r.Header.Del("X-Amz-Date") }, "IncompleteSignature",
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.", 400},
		"no signature": {replaceIn(", Signature=", ", Other="), "IncompleteSignature",
			"Authorization header requires 'Signature' parameter.", 400},
		"the host is not signed": {replaceIn(";host;", ";"), "SignatureDoesNotMatch",
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", 403},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(formOf("GetCallerIdentity", "2011-06-15").Encode())
			req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, w.sb.Endpoint()+"/", bytes.NewReader(body)))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			sum := sha256.Sum256(body)
			creds := must[aws.Credentials](t)(w.app.cfg.Credentials.Retrieve(t.Context()))
			if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(sum[:]), "sts", region, time.Now()); err != nil {
				t.Fatal(err)
			}
			row.spoil(req)
			var got queryError
			status, answer := send(t, httpClient(t, w.sb), req)
			if err := xml.Unmarshal(answer, &got); err != nil {
				t.Fatal(err)
			}
			if status != row.status || got.Code != row.code || !strings.HasPrefix(got.Message, row.text) {
				t.Errorf("%d: %s", status, answer)
			}
		})
	}
}

// send gives a request's status and body.
func send(t testing.TB, hc aws.HTTPClient, req *http.Request) (int, []byte) {
	t.Helper()
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func replaceIn(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}
