package edit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

const stanza = `
    role: arn:aws:iam::111122223333:role/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd
    key: logs/{host}/{name}-{id}
`

const inBrackets = `{role: "arn:aws:iam::111122223333:role/Up", bucket: tenant-bucket, owner: "444455556666", region: eu-west-1, ` +
	`kms_key: "arn:aws:kms:eu-west-1:444455556666:key/1234abcd", key: "logs/{name}-{id}"}`

func wanted() Draft {
	no := false
	return Draft{Uploader: "app", RunsAs: config.RunsAs{Type: config.RunsEC2, Principal: "arn:aws:iam::111122223333:role/app-host"},
		Destination: Destination{
			Name: "second", Role: "arn:aws:iam::111122223333:role/path/Second", Bucket: "second-bucket", Owner: "444455556666", Region: "eu-west-1",
			KMSKey: "arn:aws:kms:eu-west-1:444455556666:key/5678", Key: KeyBelow("/in/"), ExternalID: "tenant:7", BucketKey: &no,
			Tags: map[string]string{"retention": "7 years", "team": "a"}, Durability: "spool",
		}}
}

// files are layouts that people use. Each has to take an addition.
var files = map[string]string{
	"usual": "# head\nsocket:\n  path: /run/a.sock # why\n\ndestinations: # all of them\n" +
		"  # the first\n  first:" + stanza + "\n# who\naccess:\n  - peer: {uid: app}\n    destinations: [first]\n    allow: [upload]\n",
	"no rules":              "destinations:\n  first:" + stanza,
	"no newline at the end": "destinations:\n  first:" + strings.TrimRight(stanza, "\n"),
	"rules first": "access:\n- peer: {uid: app}\n  destinations: [first]\n  allow: [upload]\n" +
		"destinations:\n    first:" + strings.ReplaceAll(stanza, "\n    ", "\n        "),
	"a tail of comments": "destinations:\n  first:" + stanza + "    # durability: spool\n  # older:\n  #   bucket: x\n# end\n",
	"windows": strings.ReplaceAll("# head\ndestinations:\n  first:"+stanza+"access:\n  - peer: {uid: app}\n"+
		"    destinations: [first]\n    allow: [upload]\n", "\n", "\r\n"),
	"brackets": "destinations: {first: " +
		inBrackets + "}\naccess: [{peer: {uid: app}, destinations: [first], allow: [upload]}]\n",
	"brackets over lines": "destinations: { # all\n  first: " + inBrackets + ",\n}\naccess: []\n",
	"JSON": `{"destinations": {"first": ` +
		strings.NewReplacer("role:", `"role":`, " bucket: tenant-bucket", ` "bucket": "tenant-bucket"`, "owner:", `"owner":`,
			"region: eu-west-1", `"region": "eu-west-1"`, "kms_key:", `"kms_key":`, " key:", ` "key":`).Replace(inBrackets) + `}}`,
	"empty rules":               "destinations:\n  first:" + stanza + "access:\nlog: {level: debug}\n",
	"a document's marks":        "---\n# x\ndestinations:\n  first:" + stanza + "...\n",
	"a block scalar at the end": "destinations:\n  first:" + stanza + "    session:\n      name: |-\n        brokerd-first\n\n",
	"kept newlines": "destinations:\n  first:" + stanza + "aws:\n  source:\n    type: process\n    command: |+\n" +
		"      print credentials\n\n\n",
	"only digits": "destinations:\n  \"0\":" + stanza,
	"several": "destinations:\n  first:" + stanza + "\n  # the other\n  other:" +
		stanza + "\naccess:\n  -\n    peer: {uid: app}\n    destinations: [first]\n    allow: [upload]\n\n  - peer:\n      gid: app\n" +
		"    destinations:\n    - other\n    allow:\n    - verify\n",
	"indented":      "  destinations:\n    first:" + strings.ReplaceAll(stanza, "\n    ", "\n      "),
	"other letters": "# größer — 日本\ndestinations: {\"first\": " + inBrackets + "} # 日本\n",
}

func TestAddKeepsEverythingAndAddsTheDestination(t *testing.T) {
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			out, err := Add("f", []byte(text), wanted())
			if err != nil {
				t.Fatal(err)
			}
			if err := keeps([]byte(text), out, wanted()); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			// The result can be added to again.
			again := wanted()
			again.Destination.Name, again.Uploader = "third", "other"
			more, err := Add("f", out, again)
			if err != nil {
				t.Fatal(err)
			}
			if err := keeps(out, more, again); err != nil {
				t.Errorf("%v\n%s", err, more)
			}
			var exists *ExistsError
			if _, err := Add("f", out, wanted()); !errors.As(err, &exists) || !exists.Same {
				t.Errorf("added twice: %v", err)
			}
			other := wanted()
			other.Destination.Bucket = "another-bucket"
			if _, err := Add("f", out, other); !errors.As(err, &exists) || exists.Same || exists.Line == 0 {
				t.Errorf("another destination of this name: %v", err)
			}
		})
	}
}

// keeps compares without the means of Add: every line of old is in now, in its
// order (in brackets: every byte), and now says what both say.
func keeps(old, now []byte, d Draft) error {
	c, err := config.Parse("now", now)
	if err != nil {
		return err
	}
	got := c.Destinations[d.Destination.Name]
	if got == nil || got.Bucket != d.Destination.Bucket || got.Role != d.Destination.Role ||
		got.Session.ExternalID != d.Destination.ExternalID || *got.BucketKey != *d.Destination.BucketKey ||
		got.Tags["retention"] != d.Destination.Tags["retention"] || got.Key != d.Destination.Key || got.Durability != d.Destination.Durability {
		return fmt.Errorf("the new destination is %+v", got)
	}
	rest := now
	for i, b := range old {
		at := bytes.IndexByte(rest, b)
		if at < 0 {
			return fmt.Errorf("byte %d of what was there is gone", i)
		}
		rest = rest[at+1:]
	}
	if b, err := config.Parse("old", old); err == nil {
		if len(c.Destinations) != len(b.Destinations)+1 {
			return fmt.Errorf("%d destinations", len(c.Destinations))
		}
		for _, w := range b.Warnings() {
			if !strings.Contains(strings.Join(c.Warnings(), "\n"), w) {
				return fmt.Errorf("something else changed: it no longer warns %q", w)
			}
		}
	}
	return nil
}

func TestAddStandsAtTheEndInTheLayoutOfTheFile(t *testing.T) {
	out, err := Add("f", []byte(files["usual"]), wanted())
	if err != nil {
		t.Fatal(err)
	}
	const want = `# head
socket:
  path: /run/a.sock # why

destinations: # all of them
  # the first
  first:
    role: arn:aws:iam::111122223333:role/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd
    key: logs/{host}/{name}-{id}
  second:
    # account A: what the daemon assumes
    role: arn:aws:iam::111122223333:role/path/Second
    # account B
    bucket: second-bucket
    # account B; a bucket of another owner gets nothing
    owner: "444455556666"
    region: eu-west-1
    # account B
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/5678
    bucket_key: false
    # objects are written below its fixed beginning only
    key: in/{host}/{yyyy}/{mm}/{dd}/{name}-{id}
    # acknowledged when it is on this host's disk, delivered from there
    durability: spool
    tags:
      retention: "7 years"
      team: a
    session:
      external_id: tenant:7
    setup:
      runs_as:
        type: ec2
        principal: arn:aws:iam::111122223333:role/app-host

# who
access:
  - peer: {uid: app}
    destinations: [first]
    allow: [upload]
  - peer:
      uid: app
    destinations: [second]
    allow: [upload, verify]
`
	if string(out) != want {
		t.Errorf("got\n%s", out)
	}
}

func TestAddNeedsNoRuleWhereOneIsForAll(t *testing.T) {
	text := "destinations:\n  first:" + stanza + "access:\n  - peer: {uid: app}\n    destinations: [\"*\"]\n    allow: [upload]\n"
	out, err := Add("f", []byte(text), wanted())
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("f", out)
	if err != nil || len(c.Access) != 1 {
		t.Errorf("%v, %d rules", err, len(c.Access))
	}
}

func TestAddRefusesWhatWouldNotBeValid(t *testing.T) {
	var faults config.Errors
	if _, err := Add("f", []byte("destinations: {}\n"), wanted()); !errors.As(err, &faults) {
		t.Errorf("a file with a fault: %v", err)
	}
	same := wanted()
	out, err := Add(
		"f", []byte("setup: {runs_as: {type: ec2, principal: \"arn:aws:iam::111122223333:role/app-host\"}}\n"+files["usual"]), same,
	)
	if err != nil || strings.Count(string(out), "runs_as") != 1 {
		t.Errorf("who runs the daemon is said twice: %v\n%s", err, out)
	}
	bad := wanted()
	bad.Destination.Region = "us-east-1"
	if _, err := Add("f", []byte(files["usual"]), bad); !errors.As(err, &faults) || !strings.Contains(err.Error(), "Region") {
		t.Errorf("a key of another Region: %v", err)
	}
	// Alone it is valid; with the source of this file it is not.
	text := "aws:\n  source: {type: web-identity}\n" + files["no rules"]
	token := wanted()
	token.RunsAs = config.RunsAs{Type: config.RunsWebIdentity, Provider: "arn:aws:iam::111122223333:oidc-provider/oidc.example.org",
		Subject: "system:serviceaccount:a:b"}
	if _, err := Add("f", []byte(text), token); !errors.As(err, &faults) || !strings.Contains(err.Error(), "external_id") {
		t.Errorf("an external id for a web identity: %v", err)
	}
	token.Destination.ExternalID = ""
	if out, err := Add("f", []byte(text), token); err != nil || keeps([]byte(text), out, token) != nil {
		t.Errorf("a web identity: %v\n%s", err, out)
	}
}

func TestWhereThereIsNoPlaceTheLinesAreShown(t *testing.T) {
	var none *NoPlaceError
	_, err := Add("f", []byte("destinations:\n  first:"+stanza+"access: null\n"), wanted())
	if !errors.As(err, &none) || !strings.Contains(none.Lines, "second-bucket") {
		t.Fatalf("got %v", err)
	}
	if _, err := config.Parse("lines", []byte(none.Lines)); err != nil {
		t.Errorf("the lines are of no use: %v", err)
	}
}

func TestNewIsValidAndTakesMore(t *testing.T) {
	for _, source := range []string{"", config.SourceIMDS, config.SourceContainer, config.SourceDefault} {
		d := wanted()
		d.Source = source
		out, err := New("f", d)
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse("f", out)
		if err != nil || len(c.Access) != 1 || (source != "" && c.AWS.Source.Type != source) {
			t.Errorf("source %q: %v\n%s", source, err, out)
		}
		more := wanted()
		more.Destination.Name = "third"
		added, err := Add("f", out, more)
		if err != nil {
			t.Fatal(err)
		}
		if err := keeps(out, added, more); err != nil {
			t.Error(err)
		}
	}
}

// init shows the lines with a mark of two columns in front, on a terminal of 80. Only a key
// with an ARN, which has no place to break, may be wider.
func TestTheLinesFitATerminal(t *testing.T) {
	const columns = 80 - len("+ ")
	bare := wanted()
	bare.Destination.Durability, bare.Destination.Tags, bare.Destination.ExternalID = "", nil, ""
	waits := wanted()
	waits.Destination.Durability = config.DurabilitySpoolWait
	inSandbox := wanted()
	inSandbox.Sandbox = &Sandbox{"https://127.0.0.1:4566", "/run/s/ca.pem", "/run/s/credentials", "/run/s"}
	token := wanted()
	token.RunsAs = config.RunsAs{Type: config.RunsWebIdentity, Subject: "system:serviceaccount:apps:brokerd",
		Provider: "arn:aws:iam::111122223333:oidc-provider/oidc.example.org"}
	token.Source, token.Destination.ExternalID = config.SourceWebIdentity, ""
	drafts := map[string]Draft{"with all": wanted(), "bare": bare, "spool-wait": waits, "sandbox": inSandbox, "web identity": token}
	for _, source := range []string{config.SourceIMDS, config.SourceContainer} {
		d := wanted()
		d.Source = source
		drafts[source] = d
	}
	for name, d := range drafts {
		d.Destination.KMSKey = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		out, err := New("f", d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for line := range strings.Lines(string(out)) {
			line = strings.TrimRight(line, "\n")
			if len(line) > columns && !strings.HasPrefix(strings.TrimSpace(line), "kms_key: arn:") {
				t.Errorf("%s: %d columns: %s", name, len(line), line)
			}
		}
	}
}

func FuzzAdd(f *testing.F) {
	for _, text := range files {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		out, err := Add("f", data, wanted())
		if !bytes.Equal(before, data) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		if err := keeps(data, out, wanted()); err != nil {
			t.Fatalf("%v\n%q\n%q", err, data, out)
		}
	})
}
