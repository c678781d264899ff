package sandbox_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	forms "mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// post sends a form as a browser does: the fields in order, the file last. It
// returns the status, the headers and the body of the answer.
func post(t *testing.T, c *clients, bucket string, fields [][2]string, file string) (int, http.Header, string) {
	t.Helper()
	var body bytes.Buffer
	w := forms.NewWriter(&body)
	for _, f := range fields {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", `C:\logs\today.log`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.sb.Endpoint()+"/"+bucket, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	client := httpClient(t, c.sb)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// signedForm has the SDK sign a form for a key, with conditions of its own.
func signedForm(t *testing.T, c *clients, key string, conditions ...any) [][2]string {
	t.Helper()
	out, err := s3.NewPresignClient(c.s3).PresignPostObject(t.Context(),
		&s3.PutObjectInput{Bucket: aws.String(bucketB), Key: aws.String(key)}, func(o *s3.PresignPostOptions) {
			o.Conditions, o.Expires = conditions, time.Minute
		})
	if err != nil {
		t.Fatal(err)
	}
	var fields [][2]string
	for name, value := range out.Values {
		fields = append(fields, [2]string{name, value})
	}
	return fields
}

func TestFormUploads(t *testing.T) {
	w := newWorld(t)
	sse := func(fields [][2]string) [][2]string {
		return append(fields, [2]string{"x-amz-server-side-encryption", "aws:kms"},
			[2]string{"x-amz-server-side-encryption-aws-kms-key-id", w.key})
	}
	kms := []any{[]any{"eq", "$x-amz-server-side-encryption", "aws:kms"},
		[]any{"starts-with", "$x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:"}}

	status, header, text := post(t, w.uploader, bucketB, sse(signedForm(t, w.uploader, "logs/form", kms...)), "a text")
	if status != http.StatusNoContent || header.Get("x-amz-server-side-encryption-aws-kms-key-id") != w.key ||
		!strings.HasSuffix(header.Get("Location"), "/"+bucketB+"/logs/form") {
		t.Errorf("the role's form: %d %s %v", status, text, header)
	}
	if info, data := stored(t, w.sb, bucketB, "logs/form"); string(data) != "a text" || info.ETag == "" {
		t.Errorf("stored %q", data)
	}

	fields := signedForm(t, w.rootB, "in/${filename}", []any{"starts-with", "$x-amz-meta-from", ""},
		[]any{"eq", "$Content-Type", "text/plain"},
		map[string]string{"tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"},
		[]any{"eq", "$success_action_status", "201"})
	fields = append(fields, [2]string{"x-amz-meta-from", "a form"}, [2]string{"Content-Type", "text/plain"},
		[2]string{"success_action_status", "201"},
		[2]string{"tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"}, [2]string{"x-ignore-this", "x"})
	status, _, text = post(t, w.rootB, bucketB, fields, "log")
	if status != http.StatusCreated || !strings.Contains(text, "<Key>in/today.log</Key>") ||
		!strings.Contains(text, "<Bucket>"+bucketB+"</Bucket>") {
		t.Errorf("with status 201: %d %s", status, text)
	}
	head := must[*s3.HeadObjectOutput](t)(
		w.rootB.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucketB), Key: aws.String("in/today.log")}),
	)
	tags := must[*s3.GetObjectTaggingOutput](t)(
		w.rootB.s3.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String(bucketB), Key: aws.String("in/today.log")}),
	)
	if head.Metadata["from"] != "a form" || *head.ContentType != "text/plain" || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "b c" {
		t.Errorf("the object: %v %s %v", head.Metadata, *head.ContentType, tags.TagSet)
	}

	fields = append(signedForm(t, w.rootB, "x", []any{"starts-with", "$success_action_redirect", "https://example.com/"}),
		[2]string{"success_action_redirect", "https://example.com/done?a=b"})
	status, header, _ = post(t, w.rootB, bucketB, fields, "log")
	if at := header.Get("Location"); status != http.StatusSeeOther ||
		!strings.HasPrefix(at, "https://example.com/done?a=b&bucket="+bucketB+"&etag=%22") || !strings.HasSuffix(at, "&key=x") {
		t.Errorf("with a redirect: %d %s", status, at)
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	with := func(fields [][2]string, name, value string) [][2]string {
		return append(fields, [2]string{name, value})
	}
	change := func(fields [][2]string, name, value string) [][2]string {
		for i := range fields {
			if strings.EqualFold(fields[i][0], name) {
				fields[i][1] = value
			}
		}
		return fields
	}
	short := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2020-01-01T00:00:00Z","conditions":[]}`))
	rows := []struct {
		name   string
		fields [][2]string
		file   string
		status int
		want   string
	}{
		{"another key than the policy's", change(signedForm(t, w.rootB, "x"), "key", "y"), "", 403, "Policy Condition failed: [&#34;eq&#34;"},
		{"a field that the policy does not know", with(signedForm(t, w.rootB, "x"), "x-amz-meta-a", "b"), "", 403,
			"Extra input fields: x-amz-meta-a"},
		{"a policy that was changed", change(signedForm(t, w.rootB, "x"), "policy", short), "", 403, "SignatureDoesNotMatch"},
		{"a role that may not write there", signedForm(t, w.uploader, "elsewhere/x"), "", 403, "Access Denied"},
		{"no caller", [][2]string{{"key", "x"}}, "", 403, "AccessDenied"},
		{"too large", signedForm(t, w.rootB, "x", []any{"content-length-range", 1, 10}), "twelve bytes", 400, "EntityTooLarge"},
		{"too small", signedForm(t, w.rootB, "x", []any{"content-length-range", 10, 100}), "five!", 400, "EntityTooSmall"},
		{
			"a checksum that is wrong", with(signedForm(t, w.rootB, "x", []any{"starts-with", "$x-amz-checksum-crc32", ""}), "x-amz-checksum-crc32",
				"AAAAAA=="), "text", 400, "BadDigest",
		},
		{"no key", change(signedForm(t, w.rootB, "x"), "key", ""), "", 400, "Bucket POST must contain a field named &#39;key&#39;"},
		{"half a signature", change(signedForm(t, w.rootB, "x"), "x-amz-signature", ""), "", 400, "x-amz-signature"},
		{"an old kind of signature", [][2]string{{"key", "x"}, {"AWSAccessKeyId", "AKIA"}, {"policy", short}, {"signature", "x"}}, "", 400,
			"Please use AWS4-HMAC-SHA256"},
		{"too many fields", with([][2]string{{"key", "x"}}, "x-ignore-it", strings.Repeat("x", 21<<10)), "", 400, "MaxPostPreDataLengthExceeded"},
		{"tags that are none", with(signedForm(t, w.rootB, "x", []any{"starts-with", "$tagging", ""}), "tagging", "none"), "", 400,
			"MalformedXML"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			status, _, text := post(t, w.rootB, bucketB, row.fields, row.file)
			if status != row.status || !strings.Contains(text, row.want) {
				t.Errorf("%d %s, want %d and %q", status, text, row.status, row.want)
			}
		})
	}
	if left := w.sb.Objects(bucketB); len(left) != 0 {
		t.Errorf("stored all the same: %v", left)
	}
	if status, _, text := post(t, w.rootB, "no-such-bucket", signedForm(t, w.rootB, "x"), ""); status != 403 {
		t.Errorf("a form for another bucket: %d %s", status, text)
	}
}

// A public bucket takes unsigned forms.
func TestAFormOfNobody(t *testing.T) {
	w := newWorld(t)
	must[*s3.PutPublicAccessBlockOutput](t)(
		w.rootB.s3.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
			Bucket: aws.String(bucketB), PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{},
		}),
	)
	w.putBucketPolicy(
		t,
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:PutObject",`+
			`"Resource":"arn:aws:s3:::%s/open/*"}}`, bucketB),
	)
	if status, _, text := post(t, w.rootB, bucketB, [][2]string{{"key", "open/x"}}, "text"); status != http.StatusNoContent {
		t.Errorf("%d %s", status, text)
	}
	if _, data := stored(t, w.sb, bucketB, "open/x"); string(data) != "text" {
		t.Errorf("stored %q", data)
	}
}

func TestPoliciesOfFormsThatAreNone(t *testing.T) {
	w := newWorld(t)
	const later = `"expiration":"2144-11-08T04:19:33Z",`
	for text, want := range map[string]string{
		`not json`:                                                                    "Invalid JSON.",
		`{"conditions":[]}`:                                                           "Policy missing expiration.",
		`{` + later + `"x":1}`:                                                        "Unexpected: &#34;x&#34;",
		`{"expiration":"later"}`:                                                      "Invalid &#39;expiration&#39; value: &#39;later&#39;",
		`{"expiration":"2144-11-08T04:19:33Z"}`:                                       "Policy missing conditions.",
		`{` + later + `"conditions":true}`:                                            "must be a List.",
		`{` + later + `"conditions":[true]}`:                                          "must be a List or Object.",
		`{` + later + `"conditions":[[]]}`:                                            "missing operation identifier.",
		`{` + later + `"conditions":[["is","$key","x"]]}`:                             "unknown operation &#39;is&#39;.",
		`{` + later + `"conditions":[["eq","$key"]]}`:                                 "wrong number of arguments.",
		`{` + later + `"conditions":[["eq","$key",1]]}`:                               "Invalid JSON.",
		`{` + later + `"conditions":[["content-length-range",1,-2]]}`:                 "Invalid JSON.",
		`{` + later + `"conditions":[{"a":"b","c":"d"}]}`:                             "exactly one property",
		`{` + later + `"conditions":[{"a":1}]}`:                                       "value must be a string.",
		`{"expiration":"2020-01-01T00:00:00Z","conditions":[]}`:                       "Policy expired.",
		`{` + later + `"conditions":[["eq","key","x"],{"bucket":"` + bucketB + `"}]}`: "Policy Condition failed",
	} {
		// An unsigned policy is checked, too.
		status, _, got := post(t, w.rootB, bucketB, [][2]string{{"key", "x"}, {"policy", base64.StdEncoding.EncodeToString([]byte(text))}}, "")
		if status != 400 || !strings.Contains(got, "x-amz-signature") {
			t.Errorf("a policy without its signature: %d %s", status, got)
		}
		fields := resign(t, w, text)
		if status, _, got := post(t, w.rootB, bucketB, fields, ""); status < 400 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s, want %q", text, status, got, want)
		}
	}
}

// resign signs a policy as account B's root, whatever it says.
func resign(t *testing.T, w *world, policy string) [][2]string {
	t.Helper()
	keys := w.sb.RootKeys(accountB)
	stamp := time.Now().UTC().Format("20060102T150405Z")
	key := []byte("AWS4" + keys.SecretAccessKey)
	sum := func(data string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(data))
		return h.Sum(nil)
	}
	for _, data := range []string{stamp[:8], region, "s3", "aws4_request"} {
		key = sum(data)
	}
	text := base64.StdEncoding.EncodeToString([]byte(policy))
	return [][2]string{
		{"key", "x"}, {"policy", text}, {"x-amz-signature", hex.EncodeToString(sum(text))}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"},
		{"x-amz-credential", keys.AccessKeyID + "/" + stamp[:8] + "/" + region + "/s3/aws4_request"}, {"x-amz-date", stamp},
	}
}
