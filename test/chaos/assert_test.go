package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// assertDelivered compares the bucket, the spool and the logs with the items, after
// everything has ended.
func (r *torture) assertDelivered(t *testing.T) {
	r.trail.close()
	for _, s := range r.all.strange {
		t.Errorf("told to a caller: %s", s)
	}
	r.assertObjects(t)
	r.assertVersions(t)
	r.assertNoOrphans(t)
	r.assertSpoolEmpty(t)
	r.assertNoSecrets(t)
}

// unreadable is the log line about an object that the daemon cannot read.
const unreadable = "an accepted object cannot be read"

var itemKey = regexp.MustCompile(`^logs/([a-z-]+)/\d{4}/\d\d/\d\d/item/(\d{6})-([0-9A-Z]{26})$`)

// assertObjects fails t unless the bucket holds each item once, with the bytes that
// were sent, and no other object.
func (r *torture) assertObjects(t *testing.T) {
	stored := map[int]string{}
	for _, o := range r.st.Sandbox.Objects(testbed.Bucket) {
		m := itemKey.FindStringSubmatch(o.Key)
		if m == nil {
			t.Errorf("%s: no item has this key", o.Key)
			continue
		}
		n, err := strconv.Atoi(m[2])
		if err != nil || n >= len(r.items) || r.items[n].destination != m[1] {
			t.Errorf("%s: no item has this key", o.Key)
			continue
		}
		i := r.items[n]
		if other := stored[n]; other != "" {
			t.Errorf("%s is there twice: %s and %s", i.name(), other, o.Key)
		}
		stored[n] = o.Key
		switch {
		case i.cut >= 0:
			t.Errorf("%s: its caller gave it up after %d of %d bytes", o.Key, i.cut, i.size)
		case i.acked != m[3]:
			t.Errorf("%s: the upload was acknowledged as %q, want %q", o.Key, i.acked, m[3])
		case o.Size != i.size || o.Checksum != base64CRC(i.crc) || o.ChecksumType != "FULL_OBJECT":
			t.Errorf("%s holds %d bytes, %s %s; sent were %d, %s", o.Key, o.Size, o.ChecksumType, o.Checksum, i.size, base64CRC(i.crc))
		case o.KMSKeyARN != r.st.KeyARN:
			t.Errorf("%s is encrypted with %q, want %q", o.Key, o.KMSKeyARN, r.st.KeyARN)
		case n%8 == 0 || i.size > partSize:
			if err := r.sameBytes(o, i); err != nil {
				t.Errorf("%s: %v", o.Key, err)
			}
		}
	}
	for n, i := range r.items {
		if i.acked != "" && stored[n] == "" {
			t.Errorf("%s (%s, %d bytes) was acknowledged as %s, and is not in the bucket", i.name(), i.destination, i.size, i.acked)
		}
	}
}

// sameBytes compares a stored object with the item's bytes.
func (r *torture) sameBytes(o sandbox.ObjectInfo, i *item) error {
	_, got, err := r.st.Sandbox.Object(testbed.Bucket, o.Key)
	if err != nil {
		return err
	}
	defer func() { _ = got.Close() }()
	want := i.open()
	a, b := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(want, a)
		m, gerr := io.ReadFull(got, b)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("its bytes differ from those that were sent, after %d", at)
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil || gerr != nil {
			return errors.Join(err, gerr)
		}
	}
}

// assertVersions fails t unless each object has exactly one version.
func (r *torture) assertVersions(t *testing.T) {
	pages := s3.NewListObjectVersionsPaginator(r.st.S3, &s3.ListObjectVersionsInput{Bucket: aws.String(testbed.Bucket)})
	versions := map[string]int{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			versions[aws.ToString(v.Key)]++
		}
		for _, d := range page.DeleteMarkers {
			t.Errorf("%s was deleted", aws.ToString(d.Key))
		}
	}
	for key, n := range versions {
		if n != 1 {
			t.Errorf("%s has %d versions, want 1", key, n)
		}
	}
}

// assertNoOrphans fails t for each multipart upload that is left, unless brokerd can
// never have had its id.
func (r *torture) assertNoOrphans(t *testing.T) {
	lost, cut := 0, 0
	for _, u := range r.st.Sandbox.MultipartUploads(testbed.Bucket) {
		use := r.trail.lastUse(u.UploadID)
		killed := r.brokerd.killedBetween(u.Initiated.Add(-time.Second), u.Initiated.Add(2*time.Second))
		switch {
		case use != "":
			t.Errorf("an orphan: %s of %s, begun %s, with %d parts; brokerd knew it, its last call for it was %s",
				u.UploadID, u.Key, u.Initiated.Format(time.RFC3339Nano), u.Parts, use)
		case r.crash.wroteDown(u.UploadID):
			t.Errorf("an orphan: %s of %s, begun %s; brokerd had written it down", u.UploadID, u.Key, u.Initiated.Format(time.RFC3339Nano))
		case r.faults.lost(u.Initiated):
			lost++
		case killed:
			cut++
		default:
			t.Errorf("an orphan: %s of %s, begun %s; no answer was lost then, and brokerd was not killed",
				u.UploadID, u.Key, u.Initiated.Format(time.RFC3339Nano))
		}
	}
	t.Logf("multipart uploads that are left because brokerd never had their id: %d where answers were lost, %d at a kill", lost, cut)
}

// assertSpoolEmpty wants nothing left in the spool.
func (r *torture) assertSpoolEmpty(t *testing.T) {
	for _, dir := range []string{"spool/queue", "spool/dead", "spool/quarantine", "spool.streams"} {
		entries, err := os.ReadDir(filepath.Join(r.dir, dir))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		for _, e := range entries {
			t.Errorf("left: %s/%s", dir, e.Name())
		}
	}
}

// assertNoSecrets wants neither a secret nor a crash in what brokerd wrote.
func (r *torture) assertNoSecrets(t *testing.T) {
	credentials, err := os.ReadFile(filepath.Join(r.dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, ok := strings.Cut(string(credentials), "aws_secret_access_key = ")
	if !ok {
		t.Fatal("no secret in the credentials file")
	}
	always := []string{strings.TrimSpace(secret)}
	sessions := 0
	for _, l := range r.brokerd.lives {
		text, err := os.ReadFile(l.log)
		if err != nil {
			t.Error(err)
		}
		sessions += len(l.secrets)
		for _, s := range append(always, l.secrets...) {
			if s != "" && bytes.Contains(text, []byte(s)) {
				t.Errorf("a secret is in the log of a life of brokerd that ended %s", l.ended.Format(time.RFC3339Nano))
			}
		}
		for _, bad := range []string{"panic", "fatal error:", "goroutine ", "DATA RACE", `"level":"dpanic"`, "moved to quarantine", unreadable} {
			if bad == unreadable && l.host == fewFiles {
				continue // without a free descriptor the daemon cannot read a file; it reads it again
			}
			if at := bytes.Index(text, []byte(bad)); at >= 0 {
				t.Errorf("%q in the log of a life of brokerd:\n%s", bad, text[max(0, at-200):min(len(text), at+4000)])
			}
		}
	}
	if sessions == 0 {
		t.Error("no secrets were looked for: no life of brokerd gave its credentials")
	}
}
