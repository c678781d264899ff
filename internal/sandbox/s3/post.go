package s3

import (
	"encoding/xml"
	"errors"
	"io"
	"mime"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"

	forms "mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// HTML form uploads: the fields of a form take the place of headers, and a signed policy
// limits them.

const maxPostFields = 20 << 10

// postForm is a form up to its file.
type postForm struct {
	names  []string          // as they were sent, in order
	values map[string]string // by name in lower case
	file   *forms.Part
}

func (f *postForm) get(name string) string { return f.values[strings.ToLower(name)] }

func postArgument(name, value, format string, args ...any) error {
	return kernel.InvalidArgument(format, args...).With("ArgumentName", name).With("ArgumentValue", value)
}

func postObject(c *call) error {
	form, err := c.readPostForm()
	if err != nil {
		return err
	}
	if err := c.authenticatePost(form); err != nil {
		return err
	}
	policy, err := c.checkPostPolicy(form)
	if err != nil {
		return err
	}
	if err := c.applyPostFields(form); err != nil {
		return err
	}
	o, in, err := c.preparePost(policy, form)
	if err != nil {
		return err
	}
	data, err := c.store(in)
	if err != nil {
		return err
	}
	if data.size < policy.least {
		data.release()
		return kernel.Fail(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
			With("ProposedSize", strconv.FormatInt(data.size, 10)).With("MinSizeAllowed", strconv.FormatInt(policy.least, 10))
	}
	if err := c.commitBody(o, data, in); err != nil {
		return err
	}
	return c.answerPost(form, o)
}

// readPostForm reads the fields before the file; later fields are ignored.
func (c *call) readPostForm() (*postForm, error) {
	kind, params, err := mime.ParseMediaType(c.HTTP.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, preconditionFailed("Bucket POST must be of the enclosure-type multipart/form-data")
	}
	malformed := kernel.Fail(
		http.StatusBadRequest,
		"MalformedPOSTRequest",
		"The body of your POST request is not well-formed multipart/form-data.",
	)
	if params["boundary"] == "" {
		return nil, malformed
	}
	f := &postForm{values: map[string]string{}}
	parts := forms.NewReader(c.Payload, params["boundary"])
	for size := 0; ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, postArgument("file", "0", "POST requires exactly one file upload per request.")
		}
		if err != nil {
			return nil, malformed
		}
		name := part.FormName()
		if strings.EqualFold(name, "file") {
			f.file = part
			break
		}
		value, err := io.ReadAll(io.LimitReader(part, maxPostFields+1))
		if err != nil {
			return nil, malformed
		}
		if size += len(name) + len(value); size > maxPostFields {
			return nil,
				kernel.Fail(http.StatusBadRequest, "MaxPostPreDataLengthExceeded",
					"Your POST request fields preceding the upload file were too large.").
					With("MaxPostPreDataLengthBytes", strconv.Itoa(maxPostFields))
		}
		f.names = append(f.names, name)
		f.values[strings.ToLower(name)] = string(value)
	}
	if f.get("key") == "" {
		return nil, postArgument(
			"key",
			"",
			"Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
		)
	}
	return f, nil
}

// authenticatePost authenticates the signer of the form's policy. A form without a policy is
// anonymous.
func (c *call) authenticatePost(f *postForm) error {
	if f.get("AWSAccessKeyId") != "" {
		return kernel.UnsupportedSignature(&kernel.S3AuthErrors)
	}
	needed := []string{"policy", "x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm"}
	given := 0
	for _, name := range needed {
		if f.get(name) != "" {
			given++
		}
	}
	if given == 0 {
		return nil
	}
	for _, name := range needed {
		if f.get(name) == "" {
			return postArgument(
				name,
				"",
				"Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.",
				name,
			)
		}
	}
	if v := f.get("x-amz-algorithm"); v != kernel.SigAlgorithm {
		return postArgument("x-amz-algorithm", v, "Only AWS4-HMAC-SHA256 is supported")
	}
	sig := kernel.Signature{Token: f.get("x-amz-security-token"), Value: f.get("x-amz-signature")}
	credential := f.get("x-amz-credential")
	if err := sig.ParseScope(credential, "s3"); err != nil {
		return postArgument("x-amz-credential", credential, "%s", err.Error())
	}
	var err error
	if sig.Time, err = time.Parse(kernel.AmzTimeLayout, f.get("x-amz-date")); err != nil {
		return postArgument("x-amz-date", f.get("x-amz-date"), "X-Amz-Date must be formated via ISO8601 Long format")
	}
	return c.AuthenticateText(c.s.iam, &sig, f.get("policy"))
}

// postHeaders are the form's fields that mean the header of their name.
var postHeaders = []string{"Cache-Control", "Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}

// otherRoot reports whether a form's tagging is XML of another root element, which
// S3 ignores.
func otherRoot(text string) bool {
	var root struct{ XMLName xml.Name }
	return xml.Unmarshal([]byte(text), &root) == nil && root.XMLName.Local != "Tagging"
}

// applyPostFields copies the fields to the headers that the rest of S3 reads.
func (c *call) applyPostFields(f *postForm) error {
	h := http.Header{}
	for _, name := range postHeaders {
		if v := f.get(name); v != "" {
			h.Set(name, v)
		}
	}
	for name, value := range f.values {
		if strings.HasPrefix(name, "x-amz-") && name != "x-amz-tagging" {
			h.Set(name, value)
		}
	}
	if v := f.get("acl"); v != "" {
		h.Set("X-Amz-Acl", v)
	}
	if text := f.get("tagging"); text != "" && !otherRoot(text) {
		list, err := readTagging([]byte(text), maxObjectTags)
		if err != nil {
			return err
		}
		tags := url.Values{}
		for _, t := range list {
			tags.Add(t.Key, t.Value)
		}
		h.Set("X-Amz-Tagging", tags.Encode())
	}
	for _, name := range []string{"User-Agent", "Referer", "Origin"} {
		h[name] = c.HTTP.Header[name]
	}
	r := c.HTTP.Clone(c.HTTP.Context())
	r.Header = h
	c.HTTP, c.payloadHash = r, ""
	c.key = f.get("key")
	if name := f.file.FileName(); name != "" { // a plain field has none
		// Old browsers send whole paths.
		c.key = strings.ReplaceAll(c.key, "${filename}", path.Base(strings.ReplaceAll(name, `\`, "/")))
	}
	c.Record.Resource = c.resource()
	if len(c.key) > maxKeyLength {
		return kernel.Fail(http.StatusBadRequest, "KeyTooLongError", "Your key is too long").
			With("Size", strconv.Itoa(len(c.key))).
			With("MaxSizeAllowed", strconv.Itoa(maxKeyLength))
	}
	return nil
}

// preparePost makes all checks that do not need the file. It takes mu.
func (c *call) preparePost(policy *postPolicy, f *postForm) (*object, *incoming, error) {
	w := c.s
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.buckets[c.bucketName]
	if b == nil {
		return nil, nil, noSuchBucket(c.bucketName)
	}
	if c.Signature != nil && c.Signature.Region != b.region {
		return nil, nil, postArgument(
			"x-amz-credential",
			f.get("x-amz-credential"),
			"the region '%s' is wrong; expecting '%s'",
			c.Signature.Region,
			b.region,
		)
	}
	c.tellCORS(b)
	if err := c.checkPayer(b); err != nil {
		return nil, nil, err
	}
	if err := c.allow(b, "s3:PutObject", c.resource()); err != nil {
		return nil, nil, err
	}
	c.HTTP.ContentLength = policy.most
	o, in, err := c.preparePut(b)
	if err != nil {
		return nil, nil, err
	}
	in.reader, in.unsized = f.file, true
	return o, in, nil
}

// answerPost answers a successful upload in the way that the form asks for.
func (c *call) answerPost(f *postForm, o *object) error {
	etag := `"` + o.etag + `"`
	h := c.Out.Header()
	target := f.get("success_action_redirect")
	if target == "" {
		target = f.get("redirect")
	}
	if u, err := url.Parse(target); target != "" && err == nil && u.IsAbs() {
		q := u.Query()
		q.Set("bucket", c.bucketName)
		q.Set("key", c.key)
		q.Set("etag", etag)
		u.RawQuery = q.Encode()
		h.Set("Location", u.String())
		return c.done(http.StatusSeeOther)
	}
	scheme := "https://"
	if c.HTTP.TLS == nil {
		scheme = "http://"
	}
	location := scheme + c.HTTP.Host + "/" + c.bucketName + "/" + kernel.URIEncode(c.key, false)
	if bucket, _ := kernel.BucketAndKey(c.HTTP); c.HTTP.URL.Path == "/" && bucket == c.bucketName {
		location = scheme + c.HTTP.Host + "/" + kernel.URIEncode(c.key, false)
	}
	h.Set("Location", location)
	switch f.get("success_action_status") {
	case "200":
		return c.done(http.StatusOK)
	case "201":
		body, err := xml.Marshal(struct {
			XMLName                     xml.Name `xml:"PostResponse"`
			Location, Bucket, Key, ETag string
		}{Location: location, Bucket: c.bucketName, Key: c.key, ETag: etag})
		if err != nil {
			return err
		}
		h.Set("Content-Type", "application/xml")
		c.Reply(http.StatusCreated)
		_, err = c.Out.Write(append([]byte(xml.Header), body...))
		return err
	}
	return c.done(http.StatusNoContent)
}
