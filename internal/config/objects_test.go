package config

import (
	"strings"
	"testing"
	"time"
)

// stanza is a correct file with lines added to its one destination.
func stanza(lines ...string) []byte {
	text := `destinations:
  logs:
    role: arn:aws:iam::111122223333:role/up
    bucket: tenant-logs
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: logs/{name}-{id}
`
	for _, l := range lines {
		if strings.HasPrefix(l, "key:") {
			text = strings.Replace(text, "    key: logs/{name}-{id}\n", "", 1)
		}
		text += "    " + l + "\n"
	}
	return []byte(text)
}

func TestWhatObjectsGet(t *testing.T) {
	c, err := Parse("f.yaml", stanza(
		"durability: spool", "spool: {max: 1GiB, max_objects: 10}", "metadata: {team: audit}", "tags: {retention: 7y}",
		"storage_class: STANDARD_IA", "acl: bucket-owner-full-control", "compression: zstd", "encryption_context: {tenant: seven}",
		"rate: 50MiB", "proxy: http://proxy.example.org:3128", "dual_stack: true", "content_type: application/x-ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Destinations["logs"]
	if !c.Spools() || d.Spool.Max != GiB || d.Tags["retention"] != "7y" || d.Rate != 50*MiB || d.Compression != "zstd" || c.Memory.Max != 0 {
		t.Errorf("got %+v", d)
	}
	want := "s3:PutObject s3:AbortMultipartUpload s3:PutObjectTagging s3:PutObjectAcl"
	if got := strings.Join(d.WriteActions(), " "); got != want {
		t.Errorf("actions %s, want %s", got, want)
	}
}

func TestWhatObjectsDoNotGet(t *testing.T) {
	for _, row := range []struct{ line, path string }{
		{"durability: fast", "durability"},
		{"metadata: {Team: audit}", "metadata.Team"},
		{"metadata: {brokerd-id: x}", "metadata.brokerd-id"},
		{"metadata: {team: \"zwölf\"}", "metadata.team"},
		{"tags: {\"aws:x\": y}", "tags.aws:x"},
		{"tags: {a: \"<\"}", "tags.a"},
		{"storage_class: COLD", "storage_class"},
		{"acl: public-read", "acl"},
		{"compression: lz4", "compression"},
		{"encryption_context: {\"aws:s3:arn\": x}", "encryption_context.aws:s3:arn"},
		{"rate: 1KiB", "rate"},
		{"proxy: ftp://x", "proxy"},
		{"proxy: http://user:secret@proxy:1", "proxy"},
		{"spool: {max: 1GiB}", "spool"},
		{"key: logs/{name}", "key"},
		{"key: logs/{meta.Not-A-Key}-{id}", "key"},
		{"fixed_key: true", "key"},
		{"content_encoding: aws-chunked", "content_encoding"},
		{"ca_bundle: relative.pem", "ca_bundle"},
	} {
		t.Run(row.line, func(t *testing.T) {
			_, err := Parse("f.yaml", stanza(row.line))
			if err == nil || !strings.Contains(err.Error(), "destinations.logs."+row.path+":") {
				t.Errorf("got %v, want a fault at %s", err, row.path)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats a password: %v", err)
			}
		})
	}
	for _, both := range [][]string{
		{"compression: gzip", "content_encoding: gzip"},
		{"fips: true", "endpoints: {s3: \"https://s3.example.org\"}"},
	} {
		if _, err := Parse("f.yaml", stanza(both...)); err == nil {
			t.Errorf("%v were accepted together", both)
		}
	}
}

func TestKeysOfPeersAndMetadata(t *testing.T) {
	tmpl, err := ParseKeyTemplate("logs/{unit}/{pod}/{gid}/{meta.service}/{name}-{id}")
	if err != nil {
		t.Fatal(err)
	}
	v := KeyValues{Name: "a.log", ID: "01J", GID: 7, Unit: "app.service", Pod: "p-1", Meta: map[string]string{"service": "../../x y"},
		Time: time.Now()}
	got, err := tmpl.Render(v)
	if want := "logs/app.service/p-1/7/..%2F..%2Fx%20y/a.log-01J"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, lacking := range []func(*KeyValues){
		func(v *KeyValues) { v.Unit = "" }, func(v *KeyValues) { v.Pod = "" }, func(v *KeyValues) { v.Meta = nil },
	} {
		w := v
		lacking(&w)
		if _, err := tmpl.Render(w); err == nil {
			t.Errorf("a key without a value: %+v", w)
		}
	}
	if _, err := ParseKeyTemplate("logs/{name}"); err == nil {
		t.Error("a key without {id} was accepted without fixed_key")
	}
}
