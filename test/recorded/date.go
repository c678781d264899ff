package recorded

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// signWithDate signs by SigV4 over the header Date, which the SDK's signer never
// does. It knows the one form that a row needs: no query, no body, two headers.
func signWithDate(req *http.Request, keys aws.Credentials, region string, s *signing) error {
	if req.URL.RawQuery != "" {
		return fmt.Errorf("signing with Date knows no query: %s", req.URL.RawQuery)
	}
	stamp := s.at.UTC()
	req.Header.Set("Date", stamp.Format(http.TimeFormat))
	names := "date;host;x-amz-content-sha256"
	canonical := strings.Join([]string{
		req.Method, req.URL.EscapedPath(), "",
		"date:" + req.Header.Get("Date"), "host:" + req.URL.Host, "x-amz-content-sha256:" + s.hash, "",
		names, s.hash,
	}, "\n")
	if keys.SessionToken != "" {
		return fmt.Errorf("signing with Date knows no session token: use keys of a user")
	}
	scope := stamp.Format("20060102") + "/" + region + "/" + s.service + "/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + stamp.Format("20060102T150405Z") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + keys.SecretAccessKey)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		keys.AccessKeyID, scope, names, hex.EncodeToString(key)))
	return nil
}
