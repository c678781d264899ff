package uploader_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/uploader"
)

func TestDestinationThatCompresses(t *testing.T) {
	lines := []byte(strings.Repeat(`{"level":"info","msg":"nothing happened"}`+"\n", 300_000))
	for kind, reader := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		t.Run(kind, func(t *testing.T) {
			st := testbedtest.New(t)
			st.Config.Destinations[testbed.Destination].Compression = kind
			r := rigOn(t, st)
			got, err := r.put(t.Context(), t, "n", lines, newBody(bytes.NewReader(lines)), int64(len(lines)))
			if err != nil {
				t.Fatal(err)
			}
			info, body, err := r.Sandbox.Object(testbed.Bucket, got.Key)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = body.Close() }()
			plain, err := reader(body)
			if err != nil {
				t.Fatal(err)
			}
			back, err := io.ReadAll(plain)
			if err != nil || !bytes.Equal(back, lines) {
				t.Errorf("%d bytes came back of %d: %v", len(back), len(lines), err)
			}
			if info.ContentEncoding != kind || got.Size >= int64(len(lines))/5 {
				t.Errorf("encoding %q, %d bytes of %d", info.ContentEncoding, got.Size, len(lines))
			}

			_, err = r.put(t.Context(), t, "n", []byte("something else"), newBody(bytes.NewReader(lines)), -1)
			if err == nil || !strings.Contains(err.Error(), "at the door") {
				t.Errorf("a body that is not what its sender says: %v", err)
			}
			broken := errors.New("the client went away")
			if _, err = r.put(t.Context(), t, "n", nil, newBody(io.MultiReader(bytes.NewReader(lines), failing{broken})),
				-1); !errors.Is(err, broken) {
				t.Errorf("a body that failed: %v", err)
			}
			if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 1 {
				t.Errorf("%d objects", n)
			}
			obj := uploader.Object{ID: ulid.Make().String(), Name: "n", Received: time.Now(), ContentEncoding: "br"}
			var encoded *uploader.EncodedError
			if _, err := r.up.Open(t.Context(), testbed.Destination, obj, newBody(nil)); !errors.As(err, &encoded) {
				t.Errorf("what is compressed already: %v", err)
			}
		})
	}
}

func TestWhatTheDestinationAddsToItsObjects(t *testing.T) {
	st := testbedtest.New(t)
	d := st.Config.Destinations[testbed.Destination]
	d.Metadata = map[string]string{"team": "audit", "app": "of the destination"}
	d.Tags, d.ACL = map[string]string{"retention": "7 years"}, "bucket-owner-full-control"
	d.StorageClass, d.ContentEncoding = "STANDARD_IA", "identity"
	d.EncryptionContext = map[string]string{"tenant": "seven"}
	// Tags and ACLs need rights of their own: make the documents for this destination.
	docs, err := setup.Desired(d, setup.Options{SourcePrincipalARN: st.UserARN})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.PutIdentity(t.Context(), string(docs.Identity)); err != nil {
		t.Fatal(err)
	}
	if err := st.PutBucketPolicy(t.Context(), string(docs.Bucket)); err != nil {
		t.Fatal(err)
	}
	r := rigOn(t, st)
	data := bytesOf(9 << 20)
	got, err := r.put(t.Context(), t, "n", data, newBody(bytes.NewReader(data)), -1)
	if err != nil {
		t.Fatal(err)
	}
	info, body, err := r.Sandbox.Object(testbed.Bucket, got.Key)
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	if info.Metadata["team"] != "audit" || info.Metadata["app"] != "of the destination" || info.StorageClass != "STANDARD_IA" ||
		info.ContentEncoding != "identity" || info.Tags["retention"] != "7 years" {
		t.Errorf("stored as %+v", info)
	}
}
