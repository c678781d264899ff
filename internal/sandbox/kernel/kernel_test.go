package kernel

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestSecretsDoNotPrint(t *testing.T) {
	c := Credentials{AccessKeyID: "AKIAX", SecretAccessKey: "hush", SessionToken: "hush"}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s", c, c, c)} {
		if strings.Contains(text, "hush") {
			t.Errorf("printed %s", text)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
		strings.Repeat("a", 64))
	f.Add("AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;, Signature=")
	f.Fuzz(func(t *testing.T, header string) {
		sig, err := parseAuthorization(header, "s3")
		if err != nil {
			return
		}
		if sig.accessKey == "" || sig.service == "" || len(sig.date) != 8 || len(sig.signedHeaders) == 0 || sig.Value == "" {
			t.Errorf("accepted %q as %+v", header, sig)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b/k?x=1", nil)
		sig.matches(r, []byte("k"), PayloadUnsigned)
	})
}
