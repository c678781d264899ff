package intake

import (
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// FuzzHeader checks the guarantees about an admitted header: its key stays
// below the prefix, what becomes headers of a request forges none, and its
// identity is the same each time that it is sent.
func FuzzHeader(f *testing.F) {
	for _, h := range []*brokerdv1.UploadHeader{
		{Destination: "logs", Name: "a/b.log", ContentType: "text/plain", Metadata: map[string]string{"app": "x"},
			IdempotencyKey: "01HF7YAT0100000000000000ZZ"},
		{Destination: "logs", Name: "../x", ContentEncoding: "gzip, br", Metadata: map[string]string{"app": "../.."}},
		{Destination: "l", Name: "a", ContentType: "a\r\nx-amz-acl: public-read", IdempotencyKey: "k"},
	} {
		raw, err := proto.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	tmpl, err := config.ParseKeyTemplate("logs/{meta.app}/{name}-{id}")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &brokerdv1.UploadHeader{}
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		h := &Header{
			Destination: m.GetDestination(), Name: m.GetName(), ContentType: m.GetContentType(), ContentEncoding: m.GetContentEncoding(),
			Metadata: m.GetMetadata(), IdempotencyKey: m.GetIdempotencyKey(), Size: m.Size,
		}
		if h.validate() != nil {
			return
		}
		if len(h.Name) > 512 {
			t.Errorf("took a name of %d bytes", len(h.Name))
		}
		text := []string{h.ContentType, h.ContentEncoding}
		for k, v := range h.Metadata {
			text = append(text, k, v)
			if strings.HasPrefix(k, "brokerd-") {
				t.Errorf("the daemon's own metadata: %q", k)
			}
		}
		for _, s := range text {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("not for a header: %q", s)
			}
		}
		uploads := newUploadRegistry()
		identify := func(uid uint32, now time.Time) (string, time.Time) {
			r := record{uid: uid, party: quota.Party{UID: uid}, destination: h.Destination}
			at := uploads.identify(&r, h.IdempotencyKey, now)
			return r.id, at
		}
		id, at := identify(7, now)
		if _, err := ulid.ParseStrict(id); err != nil || at.Before(now.Add(-keyMaxAge-time.Second)) || at.After(now.Add(keyMaxLead+time.Second)) {
			t.Errorf("id %q at %s: %v", id, at, err)
		}
		if h.IdempotencyKey != "" {
			if again, _ := identify(7, now.Add(time.Hour)); again != id {
				t.Errorf("the same key is %s and %s", id, again)
			}
			if other, _ := identify(8, now); other == id {
				t.Error("two users have one id")
			}
		}
		key, err := tmpl.Render(config.KeyValues{Name: h.Name, ID: id, UID: 7, Meta: h.Metadata, Time: at})
		if err != nil {
			return // too long, or without the metadata
		}
		if !strings.HasPrefix(key, "logs/") || !strings.HasSuffix(key, "-"+id) || strings.Count(key, "/") != strings.Count(h.Name, "/")+2 {
			t.Errorf("key %q of name %q", key, h.Name)
		}
		for segment := range strings.SplitSeq(key, "/") {
			if segment == "" || segment == "." || segment == ".." {
				t.Errorf("segment %q in key %q", segment, key)
			}
		}
	})
}
