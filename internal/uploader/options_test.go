package uploader_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/uploader"
)

// The tests check every option of a destination in the requests that a store receives.

// always is a broker whose sessions are always valid.
type always struct{}

func (always) Credentials(string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "token")
}
func (always) Invalidate(string, string) {}
func (always) AwaitReplacement(context.Context, string, string) (*broker.Session, error) {
	return nil, fmt.Errorf("there is no other")
}

// wiretap is a store that records the requests and confirms them.
type wiretap struct {
	*httptest.Server
	ca string

	mu       sync.Mutex
	requests []*http.Request
	present  int // PUTs in flight
	most     int
	meet     int // how many PUTs wait for each other; 0: none
	met      chan struct{}
}

func tapped(t *testing.T) *wiretap {
	t.Helper()
	w := &wiretap{}
	w.Server = httptest.NewTLSServer(w)
	t.Cleanup(w.Close)
	w.ca = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Certificate().Raw})
	if err := os.WriteFile(w.ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *wiretap) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.requests = append(w.requests, r)
	w.present++
	w.most = max(w.most, w.present)
	met := w.met
	if w.present == w.meet && r.Method == http.MethodPut {
		w.meet = 0
		close(met)
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.present--
		w.mu.Unlock()
	}()
	crc := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, _ = io.Copy(crc, r.Body)
	if r.Method == http.MethodPut && met != nil {
		select {
		case <-met:
		case <-r.Context().Done():
		}
	}
	h := out.Header()
	h.Set("Etag", `"e"`)
	h.Set("X-Amz-Server-Side-Encryption", "aws:kms")
	h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "arn:aws:kms:eu-west-1:444455556666:key/1")
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc.Sum32()))
	if r.Method == http.MethodPost {
		sum = r.Header.Get("X-Amz-Checksum-Crc32c")
	}
	h.Set("X-Amz-Checksum-Crc32c", sum)
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
		_, _ = io.WriteString(out, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPost:
		_, _ = io.WriteString(out, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
	}
}

// send delivers an object of n bytes, and returns the request that describes it.
func (w *wiretap) send(t *testing.T, n int, change func(*config.Destination)) (*http.Request, error) {
	t.Helper()
	tmpl, err := config.ParseKeyTemplate("logs/{name}-{id}")
	if err != nil {
		t.Fatal(err)
	}
	d := &config.Destination{Name: "logs", Bucket: "tenant-logs", Owner: "444455556666", Region: "eu-west-1",
		KMSKey: "arn:aws:kms:eu-west-1:444455556666:key/1", KeyTemplate: tmpl, PathStyle: true, CABundle: w.ca,
		Endpoints: config.Endpoints{S3: w.URL}}
	change(d)
	budget, err := uploader.NewBudget(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	up, err := uploader.New(uploader.Options{
		Config: &config.Config{Destinations: map[string]*config.Destination{"logs": d}}, Sessions: always{}, Budget: budget, Host: "h",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close(); _ = budget.Close() })
	w.mu.Lock()
	w.requests, w.most = nil, 0
	w.mu.Unlock()
	obj := uploader.Object{ID: ulid.Make().String(), Name: "n", Received: time.Now(), Size: int64(n),
		Metadata: map[string]string{"app": "billing"}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	del, err := up.Open(ctx, "logs", obj, newBody(bytes.NewReader(make([]byte, n))))
	if err != nil {
		t.Fatal(err)
	}
	defer del.Close()
	_, err = up.Put(ctx, del)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.requests) == 0 {
		return nil, err
	}
	return w.requests[0], err
}

func TestEveryHeaderOptionReachesTheWire(t *testing.T) {
	w := tapped(t)
	off, on := false, true
	const sse = "X-Amz-Server-Side-Encryption"
	for name, row := range map[string]struct {
		change func(*config.Destination)
		header string
		want   string // empty: not sent
	}{
		"owner":                 {func(d *config.Destination) {}, "X-Amz-Expected-Bucket-Owner", "444455556666"},
		"kms_key":               {func(d *config.Destination) {}, sse + "-Aws-Kms-Key-Id", "arn:aws:kms:eu-west-1:444455556666:key/1"},
		"encryption by kms_key": {func(d *config.Destination) {}, sse, "aws:kms"},
		"bucket_key, default":   {func(d *config.Destination) {}, sse + "-Bucket-Key-Enabled", "true"},
		"bucket_key on":         {func(d *config.Destination) { d.BucketKey = &on }, sse + "-Bucket-Key-Enabled", "true"},
		"bucket_key off":        {func(d *config.Destination) { d.BucketKey = &off }, sse + "-Bucket-Key-Enabled", "false"},
		"encryption_context": {func(d *config.Destination) { d.EncryptionContext = map[string]string{"a": "b"} }, sse + "-Context",
			base64.StdEncoding.EncodeToString([]byte(`{"a":"b"}`))},
		"no encryption_context":  {func(d *config.Destination) {}, sse + "-Context", ""},
		"acl":                    {func(d *config.Destination) { d.ACL = "bucket-owner-full-control" }, "X-Amz-Acl", "bucket-owner-full-control"},
		"no acl":                 {func(d *config.Destination) {}, "X-Amz-Acl", ""},
		"storage_class":          {func(d *config.Destination) { d.StorageClass = "GLACIER_IR" }, "X-Amz-Storage-Class", "GLACIER_IR"},
		"tags":                   {func(d *config.Destination) { d.Tags = map[string]string{"a b": "c&d"} }, "X-Amz-Tagging", "a+b=c%26d"},
		"metadata":               {func(d *config.Destination) { d.Metadata = map[string]string{"team": "audit"} }, "X-Amz-Meta-Team", "audit"},
		"metadata of the client": {func(d *config.Destination) {}, "X-Amz-Meta-App", "billing"},
		"metadata, the stronger": {func(d *config.Destination) { d.Metadata = map[string]string{"app": "ours"} }, "X-Amz-Meta-App", "ours"},
		"content_type": {func(d *config.Destination) { d.ContentType = "application/x-ndjson" }, "Content-Type",
			"application/x-ndjson"},
		"content_encoding": {func(d *config.Destination) { d.ContentEncoding = "gzip" }, "Content-Encoding", "gzip"},
		"compression":      {func(d *config.Destination) { d.Compression = "zstd" }, "Content-Encoding", "zstd"},
	} {
		for kind, n := range map[string]int{"one request": 1000, "parts": 5<<20 + 1} {
			t.Run(name+", "+kind, func(t *testing.T) {
				r, err := w.send(t, n, func(d *config.Destination) {
					d.PartSize = 5 << 20
					row.change(d)
				})
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(r.Header.Values(row.header), "|"); got != row.want {
					t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL, row.header, got, row.want)
				}
				signed := strings.Contains(r.Header.Get("Authorization"), strings.ToLower(row.header))
				if row.want != "" && !signed {
					t.Errorf("%s is not signed: %s", row.header, r.Header.Get("Authorization"))
				}
			})
		}
	}
}

func TestAFixedKeyIsWrittenWithoutCondition(t *testing.T) {
	w := tapped(t)
	r, err := w.send(t, 10, func(*config.Destination) {})
	if err != nil || r.Header.Get("If-None-Match") != "*" {
		t.Errorf("%v, %v", r, err)
	}
	var fixed config.Config
	c, err := config.Parse(
		"f.yaml",
		[]byte("destinations:\n  logs:\n    bucket: b-b\n    region: eu-west-1\n    compatible: true\n    fixed_key: true\n"+
			"    key: logs/{name}\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	fixed = *c
	r, err = w.send(t, 10, func(d *config.Destination) {
		d.FixedKey, d.KeyTemplate = true, fixed.Destinations["logs"].KeyTemplate
	})
	if err != nil || r.Header.Get("If-None-Match") != "" || r.URL.Path != "/tenant-logs/logs/n" {
		t.Errorf("%v, %v", r, err)
	}
}

func TestEveryOptionOfTheWayReachesTheWire(t *testing.T) {
	w := tapped(t)
	t.Run("bucket, key, region and path_style", func(t *testing.T) {
		r, err := w.send(t, 10, func(d *config.Destination) { d.Region = "ap-south-2"; d.Bucket = "another" })
		if err != nil || !strings.HasPrefix(r.URL.Path, "/another/logs/n-") ||
			!strings.Contains(r.Header.Get("Authorization"), "/ap-south-2/s3/") {
			t.Errorf("%v, %v", r, err)
		}
	})
	t.Run("part_size", func(t *testing.T) {
		if _, err := w.send(t, 12<<20, func(d *config.Destination) { d.PartSize = 5 << 20 }); err != nil {
			t.Fatal(err)
		}
		var sizes []int64
		for _, r := range w.requests {
			if r.Method == http.MethodPut {
				sizes = append(sizes, r.ContentLength)
			}
		}
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int64{2 << 20, 5 << 20, 5 << 20}) {
			t.Errorf("parts of %v", sizes)
		}
	})
	t.Run("concurrency", func(t *testing.T) {
		defer func() { w.met = nil }()
		for _, n := range []int{1, 3} {
			w.meet, w.met = n, make(chan struct{}) // respond only when n are in flight
			if _, err := w.send(t, 20<<20, func(d *config.Destination) { d.PartSize, d.Concurrency = 5<<20, n }); err != nil || w.most != n {
				t.Errorf("%d at a time, want %d; %v", w.most, n, err)
			}
		}
	})
	t.Run("rate", func(t *testing.T) {
		began := time.Now()
		if _, err := w.send(t, 320<<10, func(d *config.Destination) { d.Rate = 512 << 10 }); err != nil {
			t.Fatal(err)
		}
		// At most 128 KiB are sent at once; the rest is paced.
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("320 KiB at 512 KiB/s took %s", took)
		}
	})
	t.Run("ca_bundle", func(t *testing.T) {
		if r, err := w.send(t, 10, func(d *config.Destination) { d.CABundle = "" }); err == nil {
			t.Errorf("an untrusted store got %v", r)
		}
	})
	t.Run("proxy, fips and dual_stack", func(t *testing.T) {
		var asked []string
		proxy := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.Host)
			out.WriteHeader(http.StatusForbidden)
		}))
		defer proxy.Close()
		for want, change := range map[string]func(*config.Destination){
			"tenant-logs.s3.eu-west-1.amazonaws.com:443":                func(*config.Destination) {},
			"tenant-logs.s3-fips.eu-west-1.amazonaws.com:443":           func(d *config.Destination) { d.FIPS = true },
			"tenant-logs.s3.dualstack.eu-west-1.amazonaws.com:443":      func(d *config.Destination) { d.DualStack = true },
			"tenant-logs.s3-fips.dualstack.eu-west-1.amazonaws.com:443": func(d *config.Destination) { d.FIPS, d.DualStack = true, true },
		} {
			asked = nil
			if _, err := w.send(t, 10, func(d *config.Destination) {
				d.Endpoints.S3, d.PathStyle, d.CABundle, d.Proxy = "", false, "", proxy.URL
				change(d)
			}); err == nil {
				t.Error("a proxy that refuses let it through")
			}
			if len(asked) == 0 || asked[0] != "CONNECT "+want {
				t.Errorf("the proxy was asked for %v, want %s", asked, want)
			}
		}
		t.Setenv("HTTPS_PROXY", proxy.URL)
		if _, err := w.send(t, 10, func(d *config.Destination) { d.Proxy = "none" }); err != nil {
			t.Errorf("proxy: none goes through one: %v", err)
		}
	})
}

// An option without a row here would be untested.
func TestNoOptionIsForgotten(t *testing.T) {
	seen := map[string]string{
		"Name": "", "KeyTemplate": "", "Line": "", // not of the file
		"Role": "broker", "Chain": "broker", "Session": "broker", "Profile": "broker", // of the session
		"Durability": "daemon", "Spool": "daemon",
		"Compatible": "interop", "Setup": "setup", // the latter has no effect on an upload
		"Bucket": "here", "Owner": "here", "Region": "here", "KMSKey": "here", "BucketKey": "here", "Key": "here", "PartSize": "here",
		"EqualParts": "part_test.go", "Concurrency": "here", "PathStyle": "here", "Endpoints": "here", "Proxy": "here", "CABundle": "here",
		"FIPS": "here", "DualStack": "here", "FixedKey": "here", "ContentType": "here", "ContentEncoding": "here", "Metadata": "here",
		"Tags": "here", "StorageClass": "here", "ACL": "here", "Compression": "here",
		"EncryptionContext": "here", "Rate": "here",
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Destination]()) {
		if _, ok := seen[f.Name]; !ok {
			t.Errorf("the option %s reaches no test; known are %v", f.Name, slices.Sorted(maps.Keys(seen)))
		}
	}
}
