package s3client_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 7}).Read(out)
	return out
}

func payload(data []byte) s3client.Payload {
	return s3client.Payload{
		Open: func() (io.Reader, error) { return bytes.NewReader(data), nil },
		Size: int64(len(data)), CRC32C: crc32.Checksum(data, castagnoli),
	}
}

// rig is a client of the sandbox's bucket, under the role that may write to it.
type rig struct {
	*testbedtest.Bed
	opts   s3client.Options
	client *s3client.Client
}

func rigged(t testing.TB) *rig {
	t.Helper()
	st := testbedtest.New(t)
	b, err := broker.New(broker.Options{Config: st.Config, HTTPClient: st.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(st.Sandbox.CABundlePEM()) {
		t.Fatal("no roots")
	}
	transport := s3client.NewTransport(s3client.TransportOptions{RootCAs: roots})
	t.Cleanup(transport.CloseIdleConnections)
	r := &rig{Bed: st, opts: s3client.Options{
		Endpoint: st.Sandbox.Endpoint(), Region: st.Dest.Region, Bucket: st.Dest.Bucket, PathStyle: true, Owner: st.Dest.Owner,
		Credentials: b.Credentials(testbed.Destination), Transport: transport, UserAgent: "s3client-test",
	}}
	r.client = r.with(t, func(*s3client.Options) {})
	return r
}

func (r *rig) with(t testing.TB, change func(*s3client.Options)) *s3client.Client {
	t.Helper()
	o := r.opts
	change(&o)
	c, err := s3client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// owner returns a client of the bucket's own account, which may read.
func (r *rig) owner(t testing.TB) *s3client.Client {
	t.Helper()
	root := r.Sandbox.RootKeys(r.Sandbox.AccountB())
	return r.with(t, func(o *s3client.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, "")
	})
}

func (r *rig) object(key string) s3client.Object {
	return s3client.Object{
		Key: key, ContentType: "text/plain", Encryption: "aws:kms", KMSKey: r.KeyARN, BucketKey: aws.Bool(true),
		Metadata: map[string]string{"App": "  two  words ", "brokerd-id": "1"}, IfNoneMatch: "*",
	}
}

func (r *rig) holds(t *testing.T, key string, data []byte) sandbox.ObjectInfo {
	t.Helper()
	info, body, err := r.Sandbox.Object(testbed.Bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	stored, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(stored, data) {
		t.Fatalf("%s differs: %d bytes, want %d, %v", key, len(stored), len(data), err)
	}
	return info
}

func TestObjectsArriveByteForByte(t *testing.T) {
	r := rigged(t)
	for _, n := range []int{0, 1, 4096, 16 << 10, 33 << 10, 64 << 10, 256 << 10, 256<<10 + 1, 2 << 20, 2<<20 + 1, 9 << 20} {
		t.Run(fmt.Sprintf("%d bytes", n), func(t *testing.T) {
			data, key := noise(n), fmt.Sprintf("logs/%d", n)
			got, err := r.client.PutObject(t.Context(), r.object(key), payload(data))
			if err != nil {
				t.Fatal(err)
			}
			info := r.holds(t, key, data)
			if got.ETag == "" || got.ETag != strings.Trim(info.ETag, `"`) || got.ChecksumCRC32C != info.Checksum || got.Encryption != "aws:kms" ||
				got.KMSKey != r.KeyARN || got.RequestID == "" {
				t.Errorf("confirmed %+v of %+v", got, info)
			}
			if info.ContentType != "text/plain" || !info.BucketKeyEnabled || info.Metadata["brokerd-id"] != "1" ||
				info.ChecksumAlgorithm != "CRC32C" {
				t.Errorf("stored as %+v", info)
			}
		})
	}
}

func TestKeysOfAnyBytesAreSignedAndStored(t *testing.T) {
	r := rigged(t)
	for _, key := range []string{
		"logs/a b", "logs//double", "logs/../up", "logs/./here", "logs/per%20cent%", "logs/ünïcödé/日本", "logs/a+b&c=d?e#f", "logs/~-_.!*'()",
		"logs/:@,;$[]", "logs/trailing/", "logs/\"<>\\^`{|}", "logs/ends in a dot.", "logs/..",
	} {
		if _, err := r.client.PutObject(t.Context(), r.object(key), payload([]byte(key))); err != nil {
			t.Errorf("%q: %v", key, err)
			continue
		}
		r.holds(t, key, []byte(key))
	}
}

func TestMultipartUploadBecomesOneObjectWithOneChecksum(t *testing.T) {
	r := rigged(t)
	data := noise(11<<20 + 17)
	const key, part = "logs/large <&>", 5 << 20
	created, err := r.client.CreateMultipartUpload(t.Context(), r.object(key))
	if err != nil {
		t.Fatal(err)
	}
	if created.Encryption != "aws:kms" || created.KMSKey != r.KeyARN || created.UploadID == "" || created.RequestID == "" {
		t.Errorf("created %+v", created)
	}
	var parts []s3client.Part
	for n := int32(1); int(n-1)*part < len(data); n++ {
		p := payload(data[int(n-1)*part : min(int(n)*part, len(data))])
		got, err := r.client.UploadPart(t.Context(), key, created.UploadID, n, p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, s3client.Part{Number: n, ETag: got.ETag, CRC32C: p.CRC32C})
	}
	listed, err := r.owner(t).ListParts(t.Context(), key, created.UploadID)
	if err != nil || fmt.Sprint(listed) != fmt.Sprint(parts) {
		t.Errorf("listed %v, want %v, %v", listed, parts, err)
	}
	whole := s3client.Completion{Key: key, UploadID: created.UploadID, Parts: parts, Size: int64(len(data)),
		CRC32C: crc32.Checksum(data, castagnoli), IfNoneMatch: "*"}
	wrong := whole
	wrong.CRC32C++
	if _, err := r.client.CompleteMultipartUpload(t.Context(), wrong); awserr.Classify(err, "s3").Class != awserr.Integrity {
		t.Errorf("a wrong checksum of the whole: %v", err)
	}
	wrong = whole
	wrong.Size--
	if _, err := r.client.CompleteMultipartUpload(t.Context(), wrong); awserr.Classify(err, "s3").Class != awserr.Invalid {
		t.Errorf("a wrong size: %v", err)
	}
	got, err := r.client.CompleteMultipartUpload(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	info := r.holds(t, key, data)
	if got.ChecksumCRC32C != info.Checksum || info.ChecksumType != "FULL_OBJECT" || got.KMSKey != r.KeyARN ||
		!strings.HasSuffix(got.ETag, "-3") || strings.Contains(got.ETag, `"`) {
		t.Errorf("confirmed %+v of %+v", got, info)
	}
	if err := r.client.AbortMultipartUpload(t.Context(), key, created.UploadID); awserr.Classify(err, "s3").Class != awserr.NoSuchUpload {
		t.Errorf("aborting what was completed: %v", err)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	r := rigged(t)
	created, err := r.client.CreateMultipartUpload(t.Context(), r.object("logs/a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.client.AbortMultipartUpload(t.Context(), "logs/a", created.UploadID); err != nil {
		t.Fatal(err)
	}
	if ups := r.Sandbox.MultipartUploads(testbed.Bucket); len(ups) != 0 {
		t.Errorf("left: %v", ups)
	}
}

func TestHeadTellsWhatIsStored(t *testing.T) {
	r := rigged(t)
	reader := r.owner(t)
	data := noise(100)
	put, err := r.client.PutObject(t.Context(), r.object("logs/h"), payload(data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := reader.HeadObject(t.Context(), "logs/h")
	if err != nil {
		t.Fatal(err)
	}
	if got.Size != 100 || got.ETag != put.ETag || got.ChecksumCRC32C != put.ChecksumCRC32C || got.KMSKey != r.KeyARN ||
		got.Metadata["app"] != "two words" && got.Metadata["app"] != "two  words" {
		t.Errorf("got %+v", got)
	}
	if _, err := reader.HeadObject(t.Context(), "logs/none"); awserr.Classify(err, "s3").Class != awserr.NotFound {
		t.Errorf("an object that is not there: %v", err)
	}
	if _, err := r.client.HeadObject(t.Context(), "logs/h"); awserr.Classify(err, "s3").Class != awserr.AccessDenied {
		t.Errorf("a role that may not read: %v", err)
	}
}

func TestRefusalsAreClassifiedAsTheSDKs(t *testing.T) {
	r := rigged(t)
	root := r.Sandbox.RootKeys(r.Sandbox.AccountB())
	as := func(id, secret string) func(*s3client.Options) {
		return func(o *s3client.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(id, secret, "") }
	}
	put := func(change func(*s3client.Options), object func(*s3client.Object), body func(*s3client.Payload)) func(*testing.T) error {
		return func(t *testing.T) error {
			o, p := r.object("logs/refused"), payload(noise(3<<20))
			if object != nil {
				object(&o)
			}
			if body != nil {
				body(&p)
			}
			if change == nil {
				change = func(*s3client.Options) {}
			}
			_, err := r.with(t, change).PutObject(t.Context(), o, p)
			return err
		}
	}
	if _, err := r.client.PutObject(t.Context(), r.object("logs/taken"), payload(nil)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call  func(*testing.T) error
		code  string
		class awserr.Class
	}{
		"a wrong secret":   {put(as(root.AccessKeyID, "wrong"), nil, nil), "SignatureDoesNotMatch", awserr.BadCredentials},
		"an unknown key":   {put(as("AKIAUNKNOWN", "wrong"), nil, nil), "InvalidAccessKeyId", awserr.BadCredentials},
		"a wrong checksum": {put(nil, nil, func(p *s3client.Payload) { p.CRC32C++ }), "BadDigest", awserr.Integrity},
		"another owner": {put(func(o *s3client.Options) { o.Owner = r.Sandbox.AccountA() }, nil, nil), "AccessDenied",
			awserr.AccessDenied},
		"no such bucket": {put(func(o *s3client.Options) { o.Bucket = "nobodys-bucket"; o.Owner = "" }, nil, nil), "NoSuchBucket",
			awserr.NotFound},
		"a key that is taken": {put(nil, func(o *s3client.Object) { o.Key = "logs/taken" }, nil), "PreconditionFailed", awserr.Precondition},
		"another prefix":      {put(nil, func(o *s3client.Object) { o.Key = "elsewhere/x" }, nil), "AccessDenied", awserr.AccessDenied},
		"no encryption": {put(nil, func(o *s3client.Object) { o.Encryption, o.KMSKey, o.BucketKey = "AES256", "", nil }, nil),
			"AccessDenied", awserr.AccessDenied},
		"an upload that is gone": {func(t *testing.T) error { return r.client.AbortMultipartUpload(t.Context(), "logs/x", "gone") },
			"NoSuchUpload", awserr.NoSuchUpload},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call(t)
			info := awserr.Classify(err, "s3")
			if info.Code != c.code || info.Class != c.class || info.RequestID == "" || info.HTTPStatus < 400 {
				t.Errorf("got %+v of %v", info, err)
			}
			if strings.Contains(fmt.Sprint(err), root.SecretAccessKey) {
				t.Error("the error tells a secret")
			}
		})
	}
	if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 1 {
		t.Errorf("%d objects", n)
	}
}

func TestClockThatIsWrongIsCorrectedByTheFirstRefusal(t *testing.T) {
	r := rigged(t)
	if _, err := r.opts.Credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err) // before the clocks differ
	}
	r.Sandbox.SetClockOffset(40 * time.Minute)
	_, err := r.client.PutObject(t.Context(), r.object("logs/1"), payload(noise(10)))
	if info := awserr.Classify(err, "s3"); info.Class != awserr.ClockSkew {
		t.Fatalf("got %v", err)
	}
	if _, err := r.client.PutObject(t.Context(), r.object("logs/1"), payload(noise(10))); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestErrorInsideAGoodAnswerIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		class awserr.Class
	}{
		"an error": {`  <?xml version="1.0"?><Error><Code>InternalError</Code><Message>We encountered an internal ` +
			`error.</Message><RequestId>R</RequestId></Error>`, awserr.Transient},
		"an unknown code":      {"<Error><Code>Strange</Code></Error>", awserr.Transient},
		"a page of a proxy":    {"<html><body>hello</body></html>", awserr.Transient},
		"no XML":               {"hello", awserr.Transient},
		"nothing":              {"", awserr.Transient},
		"an answer cut in two": {"<CompleteMultipartUploadResult><ETag>x</ET", awserr.Transient},
		"an answer of its own": {
			" \n \n<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>&quot;x-1&quot;</ETag></CompleteMultipartUploadResult>", awserr.None,
		},
		"an answer in namespace": {`<CompleteMultipartUploadResult ` +
			`xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>"x-1"</ETag></CompleteMultipartUploadResult>`, awserr.None},
	} {
		c200 := answering(t, http.StatusOK, c.text)
		_, err := c200.CompleteMultipartUpload(t.Context(), s3client.Completion{Key: "k", UploadID: "u"})
		if info := awserr.Classify(err, "s3"); info.Class != c.class {
			t.Errorf("%s: got %+v of %v", name, info, err)
		}
	}
}

// answering returns a client whose requests all get the same response.
func answering(t *testing.T, status int, text string) *s3client.Client {
	t.Helper()
	c, err := s3client.New(s3client.Options{
		Region: "eu-west-1", Bucket: "bucket", Credentials: credentials.NewStaticCredentialsProvider("AK", "SK", "TOK"),
		Transport: to(t, func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body)
			w.Header().Set("X-Amz-Request-Id", "R")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// to returns a transport that sends every request to h.
func to(t testing.TB, h http.HandlerFunc) *s3client.Transport {
	t.Helper()
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	tr := s3client.Leading(plain.Listener.Addr().String(), secure.Listener.Addr().String())
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		plain.Close()
		secure.Close()
	})
	return tr
}

var errGone = errors.New("gone")

func TestPayloadErrorsAreThePayloads(t *testing.T) {
	r := rigged(t)
	for name, p := range map[string]s3client.Payload{
		"cannot be opened": {Open: func() (io.Reader, error) { return nil, errGone }, Size: 10},
		"fails":            {Open: func() (io.Reader, error) { return io.MultiReader(strings.NewReader("abc"), broken{}), nil }, Size: 10},
		"fails late": {Open: func() (io.Reader, error) { return io.MultiReader(bytes.NewReader(noise(1<<20)), broken{}), nil },
			Size: 5 << 20},
		"is short": {Open: func() (io.Reader, error) { return strings.NewReader("abc"), nil }, Size: 10},
		"is long":  {Open: func() (io.Reader, error) { return strings.NewReader("abcdefghijk"), nil }, Size: 10},
	} {
		_, err := r.client.PutObject(t.Context(), r.object("logs/bad"), p)
		if err == nil || !strings.Contains(err.Error(), "the body") || awserr.Classify(err, "s3").Class == awserr.Network {
			t.Errorf("%s: got %v", name, err)
		}
		if strings.Contains(name, "fails") && !errors.Is(err, errGone) {
			t.Errorf("%s: the cause is gone from %v", name, err)
		}
	}
	if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 0 {
		t.Errorf("%d objects came of it", n)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errGone }

func TestCancelIsACancel(t *testing.T) {
	r := rigged(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	p := s3client.Payload{Size: 1 << 32}
	p.Open = func() (io.Reader, error) {
		return readerFunc(func(p []byte) (int, error) { cancel(errGone); return len(p), nil }), nil
	}
	_, err := r.client.PutObject(ctx, r.object("logs/c"), p)
	if !errors.Is(err, context.Canceled) || awserr.Classify(err, "s3").Class != awserr.Canceled {
		t.Errorf("got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
