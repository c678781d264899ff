package recorded

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// form is an upload by a browser's form.
type form struct {
	key        string
	fields     [][2]string // further fields, in order
	conditions []any       // further conditions of the policy; each field has one anyway
	file       string
	plain      bool // the file is a field without a file name
}

// posted sends a form with a signed policy, as account A.
func posted(f form) Step {
	return Step{operation: "s3:PostObject", do: func(ctx context.Context, r *run) error {
		bucket, err := r.value(ctx, "BUCKET")
		if err != nil {
			return err
		}
		keys, err := r.target.A.Credentials.Retrieve(ctx)
		if err != nil {
			return fmt.Errorf("reading the keys: %w", err)
		}
		body, kind, err := f.body(bucket, r.target.Region, keys)
		if err != nil {
			return err
		}
		url := "https://" + bucket + ".s3." + r.target.Region + ".amazonaws.com/"
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", kind)
		res, err := r.wire.Do(req)
		if err != nil {
			return err
		}
		if err := res.Body.Close(); err != nil {
			return err
		}
		if res.StatusCode >= http.StatusMultipleChoices {
			return fmt.Errorf("s3:PostObject: status %d", res.StatusCode)
		}
		return nil
	}}
}

// body renders the form with its policy and signature.
func (f form) body(bucket, region string, keys aws.Credentials) ([]byte, string, error) {
	now := time.Now().UTC()
	scope := now.Format("20060102") + "/" + region + "/s3/aws4_request"
	fields := append([][2]string{
		{"key", f.key}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-credential", keys.AccessKeyID + "/" + scope},
		{"x-amz-date", now.Format("20060102T150405Z")},
	}, f.fields...)
	if keys.SessionToken != "" {
		fields = append(fields, [2]string{"x-amz-security-token", keys.SessionToken})
	}
	conditions := append([]any{map[string]string{"bucket": bucket}}, f.conditions...)
	for _, field := range fields {
		conditions = append(conditions, []string{"eq", "$" + field[0], field[1]})
	}
	document, err := json.Marshal(map[string]any{"expiration": now.Add(time.Hour).Format(time.RFC3339), "conditions": conditions})
	if err != nil {
		return nil, "", fmt.Errorf("rendering the policy: %w", err)
	}
	policy := base64.StdEncoding.EncodeToString(document)
	key := []byte("AWS4" + keys.SecretAccessKey)
	for _, part := range append(strings.Split(scope, "/"), policy) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	fields = append(fields, [2]string{"policy", policy}, [2]string{"x-amz-signature", hex.EncodeToString(key)})

	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, field := range fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, "", err
		}
	}
	create := func() (io.Writer, error) { return w.CreateFormFile("file", "name.txt") }
	if f.plain {
		create = func() (io.Writer, error) { return w.CreateFormField("file") }
	}
	part, err := create()
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write([]byte(f.file)); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

func postRows() []Row {
	const policies, tagging = "LocalStack, TestS3PresignedPost", "LocalStack, test_post_object_with_tags"
	tags := func(document string) form {
		return form{key: "k", fields: [][2]string{{"tagging", document}}, file: "x"}
	}
	return []Row{
		row("of a file", posted(form{key: "k", file: "x"}),
			answers(204).header("ETag", `"9dd4e461268c8034f5c8564e155c67a6"`).header("Location", "…/k"), suite(policies)),
		row("with a status of one's own", posted(form{key: "k", fields: [][2]string{{"success_action_status", "201"}}, file: "x"}),
			answers(201).field("Bucket", "$BUCKET").field("Key", "k").field("ETag", `"9dd4e461268c8034f5c8564e155c67a6"`).
				field("Location", "…"), suite(policies)),
		row("of a file's name", posted(form{key: "dir/${filename}", fields: [][2]string{{"success_action_status", "201"}}, file: "x"}),
			answers(201).field("Key", "dir/name.txt"), suite(policies)),
		row("of a plain field keeps the variable",
			posted(form{key: "dir/${filename}", fields: [][2]string{{"success_action_status", "201"}}, file: "x", plain: true}),
			answers(201).field("Key", "dir/${filename}"), suite("LocalStack, the file as a plain field")),
		row("with tags", posted(tags("<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")), answers(204),
			suite(tagging)),
		row("with tags of another root", posted(tags("<InvalidXml></InvalidXml>")), answers(204), suite(tagging)),
		row("that is too large", posted(form{key: "k", conditions: []any{[]any{"content-length-range", 1, 3}}, file: "ten bytes!"}),
			refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").field("ProposedSize", "10").
				field("MaxSizeAllowed", "3"), suite(policies)),
		row("that is too small", posted(form{key: "k", conditions: []any{[]any{"content-length-range", 9, 20}}, file: "four"}),
			refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").field("ProposedSize", "4").
				field("MinSizeAllowed", "9"), suite(policies)),
		row("that a condition excludes", posted(form{key: "k", conditions: []any{[]string{"starts-with", "$key", "other/"}}, file: "x"}),
			refused(403, "AccessDenied", `Invalid according to Policy: Policy Condition failed: ["starts-with",…"$key",…"other/"]`),
			suite(policies)),
	}
}
