package sandbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// An upload as boto3 makes it, aws-chunked inside of HTTP chunks after 100-continue, leaves
// its connection open for the next call.
func TestAnAWSChunkedUploadKeepsItsConnection(t *testing.T) {
	w := newWorld(t)
	const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	creds := must[aws.Credentials](t)(w.rootB.cfg.Credentials.Retrieve(t.Context()))
	send := func() (reused bool) {
		t.Helper()
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		body := io.MultiReader(strings.NewReader("4\r\ntext\r\n0\r\nx-amz-checksum-crc32:O4unxw==\r\n\r\n")) // of unknown length
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, w.sb.Endpoint()+"/"+bucketB+"/logs/x", body)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Expect": "100-continue", "Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "4",
			"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Content-Sha256": payload,
		} {
			req.Header.Set(name, value)
		}
		if err := v4.NewSigner().SignHTTP(ctx, creds, req, payload, "s3", region, time.Now()); err != nil {
			t.Fatal(err)
		}
		resp, err := w.rootB.cfg.HTTPClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", resp.Status, text)
		}
		return reused
	}
	send()
	if !send() {
		t.Error("the sandbox closed the connection after an aws-chunked body")
	}
}

// A request that is signed with Date instead of X-Amz-Date is accepted: SigV4 allows both.
func TestARequestSignedWithDateIsAccepted(t *testing.T) {
	w := newWorld(t)
	for _, layout := range []string{http.TimeFormat, time.RFC1123Z} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.sb.Endpoint()+"/"+bucketB, nil)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC().Truncate(time.Second)
		req.Header.Set("Date", now.Format(layout))
		req.Header.Set("X-Amz-Content-Sha256", emptyHash)
		signWithDate(t, w.rootB, req, now)
		resp, err := w.rootB.cfg.HTTPClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Errorf("with Date %q: %s %s", req.Header.Get("Date"), resp.Status, text)
		}
	}
}

// A query parameter that S3 does not know is ignored; the selector of an operation that is
// not modelled is not.
func TestUnknownQueryParametersAreIgnored(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]int{"utm_source=mail": 200, "id=1": 200, "torrent": 501, "session": 501} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.sb.Endpoint()+"/"+bucketB+"?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Content-Sha256", emptyHash)
		creds := must[aws.Credentials](t)(w.rootB.cfg.Credentials.Retrieve(t.Context()))
		if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(), creds, req, emptyHash, "s3",
			region, time.Now()); err != nil {
			t.Fatal(err)
		}
		resp, err := w.rootB.cfg.HTTPClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want || want == 501 && !strings.Contains(string(text), "NotImplemented") {
			t.Errorf("?%s: %s %s, want %d", query, resp.Status, text, want)
		}
	}
}

// signWithDate signs a request without X-Amz-Date, which the SDK's signer always adds.
func signWithDate(t *testing.T, c *clients, req *http.Request, now time.Time) {
	t.Helper()
	creds := must[aws.Credentials](t)(c.cfg.Credentials.Retrieve(t.Context()))
	day, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
	scope := day + "/" + region + "/s3/aws4_request"
	canonical := strings.Join([]string{
		req.Method, req.URL.Path, "", "date:" + req.Header.Get("Date"), "host:" + req.URL.Host, "x-amz-content-sha256:" + emptyHash, "",
		"date;host;x-amz-content-sha256", emptyHash,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	key := []byte("AWS4" + creds.SecretAccessKey)
	for _, part := range []string{day, region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+creds.AccessKeyID+"/"+
		scope+", SignedHeaders=date;host;x-amz-content-sha256, Signature="+signature)
}
