package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `socket:
  path: /run/brokerd/brokerd.sock
destinations:
  audit-logs:
    role: arn:aws:iam::111122223333:role/CrossAccountS3Uploader
    bucket: tenant-s3-test-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}
    session:
      external_id: tenant-7
access:
  - peer: {uid: app}
    destinations: [audit-logs]
    allow: [upload, verify]
`

// replace changes one text of the good configuration, and fails when it is not there.
func replace(t *testing.T, old, with string) string {
	t.Helper()
	if !strings.Contains(good, old) {
		t.Fatalf("the good configuration has no %q", old)
	}
	return strings.Replace(good, old, with, 1)
}

func TestParseFillsInDefaults(t *testing.T) {
	c, err := Parse("brokerd.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Destinations["audit-logs"]
	got := fmt.Sprintln(c.Socket.Mode, c.Metrics.Address, c.Log.Level, c.Shutdown.Grace, c.Limits.IdleTimeout, c.Limits.MaxObject,
		c.Memory.Max, d.Name, *d.BucketKey, d.Durability, d.PartSize, d.Concurrency, d.Session.Name, d.Session.Duration, d.KeyTemplate.Prefix(),
		d.Line, c.Access[0].Line, c.Path)
	want := fmt.Sprintln("0660", "", "info", "30s", "1m0s", "5TiB", "0",
		"audit-logs", true, "direct", "8MiB", 4, "brokerd-audit-logs", "1h0m0s", "logs/", 4, 14, "brokerd.yaml")
	if got != want {
		t.Errorf("defaults\n got %s\nwant %s", got, want)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("unexpected warnings: %q", w)
	}
}

func TestParseReadsEveryKindOfValue(t *testing.T) {
	c, err := Parse("f", []byte(replace(t, "    session:\n", `    bucket_key: false
    part_size: 16MiB
    concurrency: 2
    path_style: true
    session:
      duration: 15m
      tags: {team: "audit", cost: 12}
`)+"limits: {idle_timeout: 5s, max_object: 1000}\nmetrics: {address: \"\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := c.Destinations["audit-logs"]
	if *d.BucketKey || d.PartSize != 16*MiB || d.Concurrency != 2 || !d.PathStyle || d.Session.Duration.Std() != 15*time.Minute ||
		d.Session.Tags["team"] != "audit" || d.Session.Tags["cost"] != "12" || c.Limits.MaxObject != 1000 || c.Metrics.Address != "" {
		t.Errorf("got %+v, limits %+v, metrics %+v", d, c.Limits, c.Metrics)
	}
}

func TestParseRefuses(t *testing.T) {
	const kms = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	const role = "arn:aws:iam::111122223333:role/CrossAccountS3Uploader"
	const key = "logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}"
	sub := func(old, with string) string { return replace(t, old, with) }
	inDestination := func(line string) string { return sub("    session:\n", "    "+line+"\n    session:\n") }
	inSession := func(line string) string { return sub("      external_id: tenant-7\n", "      "+line+"\n") }
	appended := func(s string) string { return good + s + "\n" }

	for name, c := range map[string]struct{ in, want string }{
		"an unknown key at the top": {appended("metric: {}"), "17:1: metric: unknown key (did you mean metrics?)"},
		"an unknown key in a destination": {inDestination("buckt: x"),
			"11:5: destinations.audit-logs.buckt: unknown key (did you mean bucket?)"},
		"a key that belongs one section lower": {inDestination("external_id: x"),
			"(did you mean session.external_id? It belongs under session)"},
		"a duplicate destination": {sub("access:\n", "  audit-logs: {}\naccess:\n"),
			"13:3: destinations.audit-logs: this key is given twice (it was first given in line 4; keep one of them)"},
		"a duplicate key": {inDestination("bucket: other"),
			"11:5: destinations.audit-logs.bucket: this key is given twice (it was first given in line 6"},
		"text where a list belongs": {sub("allow: [upload, verify]", "allow: upload"),
			"16:12: access[0].allow: wrong type: text where a list belongs"},
		"a list where text belongs": {sub("bucket: tenant-s3-test-bucket", "bucket: [a]"),
			"6:13: destinations.audit-logs.bucket: wrong type: a list where text belongs"},
		"text where true belongs": {inDestination("path_style: \"yes\""),
			"11:17: destinations.audit-logs.path_style: wrong type: text where true or false belongs"},
		"text where a number belongs": {inDestination("concurrency: many"),
			"11:18: destinations.audit-logs.concurrency: wrong type: text where a whole number belongs"},
		"a list where a mapping belongs": {appended("log: [info]"), "17:6: log: wrong type: a list where a mapping belongs"},
		"a true where text belongs": {appended("log: {level: true}"),
			"log.level: wrong type: true/false where text belongs (write it in quotes: \"true\")"},
		"nothing where text belongs": {sub("region: eu-west-1", "region:"),
			"destinations.audit-logs.region: wrong type: nothing where text belongs"},
		"a file that is not YAML": {"socket: [", "1:9: not YAML: "},
		"a second document":       {good + "---\nlog: {level: info}\n", "a second YAML document"},
		"an anchor":               {sub("bucket: tenant", "bucket: &b tenant"), "anchors, aliases and merges are not supported"},
		"an empty file":           {"", "1:1: destinations: no destination is configured"},
		"empty destinations":      {"destinations: {}\n", "1:1: destinations: no destination is configured"},
		"a role in another partition": {sub(role, "arn:aws-cn:iam::111122223333:role/x"),
			"5:11: destinations.audit-logs.role: the role is in partition aws-cn, Region eu-west-1 in aws"},
		"a key in another partition": {sub(kms, "arn:aws-cn:kms:eu-west-1:444455556666:key/a"),
			"9:14: destinations.audit-logs.kms_key: the key is in partition aws-cn"},
		"a key in another Region": {sub(kms, "arn:aws:kms:eu-west-2:444455556666:key/a"),
			"the key is in Region eu-west-2, the bucket in eu-west-1"},
		"a key alias": {sub(kms, "alias/audit"),
			"\"alias/audit\" is an alias (an alias is looked up in the caller's account"},
		"a key alias ARN": {sub(kms, "arn:aws:kms:eu-west-1:444455556666:alias/x"), "is an alias"},
		"a bare key id": {sub(kms, "1234abcd-12ab-34cd-56ef-1234567890ab"),
			"is not an ARN (a bare key id is looked up in the caller's account"},
		"a key of another account": {sub(kms, "arn:aws:kms:eu-west-1:111122223333:key/a"),
			"the key belongs to account 111122223333, the bucket to 444455556666"},
		"a missing key": {sub("    kms_key: "+kms+"\n", ""),
			"4:3: destinations.audit-logs.kms_key: the KMS key is missing"},
		"a missing role": {sub("    role: "+role+"\n", ""), "4:3: destinations.audit-logs.role: the role is missing"},
		"a session ARN for a role": {sub(role, "arn:aws:sts::111122223333:assumed-role/Up/x"),
			"did you mean arn:aws:iam::111122223333:role/Up?"},
		"a user for a role": {sub(role, "arn:aws:iam::111122223333:user/x"), "a user cannot be assumed"},
		"a role name alone": {sub(role, "CrossAccountS3Uploader"), "\"CrossAccountS3Uploader\" is not an ARN"},
		"an owner of 11 digits": {sub(`"444455556666"`, "44445555666"),
			"7:12: destinations.audit-logs.owner: \"44445555666\" is not an account"},
		"a Region that is none": {sub("region: eu-west-1", "region: Ireland"),
			"\"Ireland\" is not a Region (for example eu-west-1)"},
		"a bucket in capitals":        {sub("tenant-s3-test-bucket", "Tenant"), "\"Tenant\" is not a bucket name"},
		"a bucket that is an address": {sub("tenant-s3-test-bucket", "10.0.0.1"), "is not a bucket name"},
		"a bucket with two dots":      {sub("tenant-s3-test-bucket", "a..b"), "is not a bucket name"},
		"a bucket ARN":                {sub("tenant-s3-test-bucket", "arn:aws:s3:::x"), "write the name alone"},
		"a directory bucket":          {sub("tenant-s3-test-bucket", "x--euw1-az1--x-s3"), "directory buckets are not supported"},
		"a prefix with dots": {sub(key, "logs/../{id}"),
			"10:10: destinations.audit-logs.key: the segment \"..\" in the key template"},
		"an absolute key":        {sub(key, "/logs/{id}"), "a key is not an absolute path (remove the '/' at the front)"},
		"a key without an id":    {sub(key, "logs/{name}"), "the key template has no {id}"},
		"an unknown placeholder": {sub(key, "logs/{naem}-{id}"), "unknown placeholder {naem} (did you mean name?)"},
		"a key with a wildcard":  {sub(key, "logs*/{id}"), "the character '*' is not allowed"},
		"a rule for an unknown destination": {sub("[audit-logs]", "[audit-log]"),
			"15:20: access[0].destinations[0]: unknown destination \"audit-log\" (did you mean audit-logs?)"},
		"an unknown permission": {sub("[upload, verify]", "[uplod]"),
			"16:13: access[0].allow[0]: unknown permission \"uplod\" (did you mean upload?)"},
		"a rule without a peer":      {sub("{uid: app}", "{}"), "access[0].peer: the rule names no peer"},
		"a rule for everybody":       {sub("{uid: app}", `{uid: "*"}`), "access[0].peer.uid: \"*\" is not a user"},
		"a rule that allows nothing": {sub("[upload, verify]", "[]"), "access[0].allow: the rule allows nothing"},
		"a rule without destinations": {sub("    destinations: [audit-logs]\n", ""),
			"access[0].destinations: the rule names no destination"},
		"a duration without a unit": {appended("shutdown: {grace: 30}"),
			"17:19: shutdown.grace: \"30\" is not a duration (write a number with a unit"},
		"a size with an unknown unit": {appended("memory: {max: 64M}"), "memory.max: \"64M\" has the unknown unit \"M\""},
		"a size that overflows":       {appended("memory: {max: 99999999TiB}"), "is too large for a size"},
		"verification every second":   {appended("verify: {every: 1s}"), "verify.every: 1s is out of range (from 1m0s to 24h0m0s)"},
		"too little memory":           {appended("memory: {max: 15MiB}"), "memory.max: 15MiB is out of range (from 16MiB to 1TiB)"},
		"parts that are too small":    {inDestination("part_size: 4MiB"), "part_size: 4MiB is out of range (from 5MiB to 64MiB)"},
		"parts that do not fit into the memory": {
			strings.Replace(inDestination("part_size: 32MiB"), "socket:", "memory:\n  max: 48MiB\nsocket:", 1),
			"two parts of 32MiB do not fit into memory.max of 48MiB",
		},
		"no concurrency":                  {inDestination("concurrency: 0"), "concurrency: 0 is out of range"},
		"a session name with a blank":     {inSession(`name: "a b"`), "session.name: \"a b\" is not a session name"},
		"a session name of one character": {inSession("name: a"), "is not a session name"},
		"a session name of 65 characters": {inSession("name: " + strings.Repeat("a", 65)), "is not a session name"},
		"an external id with a blank":     {inSession(`external_id: "a b"`), "session.external_id: this is not an external id"},
		"a tag with a bad value":          {inSession(`tags: {a: "x*"}`), "session.tags.a: this is not a tag value"},
		"a reserved tag":                  {inSession(`tags: {"aws:x": "y"}`), "is not a tag key"},
		"tags that differ in case only":   {inSession(`tags: {Team: x, team: y}`), "the tag keys \"Team\" and \"team\" differ in case only"},
		"an age that is never reached":    {inSession("max_age: 1h"), "session.max_age: 1h0m0s is never reached: the session ends after 1h0m0s"},
		"an age of a minute":              {inSession("max_age: 1m"), "session.max_age: 1m0s is out of range"},
		"a fact that there is not": {inSession("peer: {source_identity: user}"),
			"session.peer.source_identity: \"user\" is not a fact about a peer"},
		"two source identities": {inSession("source_identity: ab\n      peer: {source_identity: uid}"),
			"session.peer.source_identity: session.source_identity is set as well"},
		"a peer's tag that is there": {inSession("tags: {a: b}\n      peer: {tags: {a: uid}}"),
			"session.peer.tags.a: session.tags has this key as well"},
		"a peer's tag in another case": {inSession("tags: {a: b}\n      peer: {tags: {A: uid}}"), "differ in case only"},
		"a peer's tag with a bad fact": {inSession("peer: {tags: {a: pid}}"),
			"session.peer.tags.a: \"pid\" is not a fact about a peer (did you mean"},
		"a session of 14 minutes": {inSession("duration: 14m"), "session.duration: 14m0s is out of range (from 15m0s to 12h0m0s)"},
		"a session of 13 hours":   {inSession("duration: 13h"), "session.duration: 13h0m0s is out of range"},
		"the spool":               {inDestination("durability: spol"), "durability: unknown durability"},
		"the waiting spool":       {inDestination("durability: spool_wait"), "durability: unknown durability"},
		"a socket path that is too long": {sub("/run/brokerd/brokerd.sock", "/"+strings.Repeat("a", 104)),
			"2:9: socket.path: the path has 105 bytes, a socket allows 104"},
		"a relative socket path": {sub("/run/brokerd/brokerd.sock", "brokerd.sock"), "\"brokerd.sock\" is not an absolute path"},
		"an executable socket": {sub("  path: /run/brokerd/brokerd.sock", `  mode: "0770"`),
			"socket.mode: 0770 has bits that have no meaning for a socket"},
		"a socket closed to its owner": {sub("  path: /run/brokerd/brokerd.sock", `  mode: "0060"`), "0060 shuts out the daemon's own user"},
		"a mode in decimal":            {sub("  path: /run/brokerd/brokerd.sock", `  mode: 660`), "\"660\" is not an octal mode"},
		"http to another host": {appended("aws: {endpoints: {s3: 'http://10.0.0.1:9000'}}"),
			"aws.endpoints.s3: plain http to another host (use https: the session token would be readable on the network)"},
		"an endpoint without a scheme":     {appended("aws: {endpoints: {sts: 'sts.example.org'}}"), "aws.endpoints.sts: this is not a URL"},
		"a metrics address without a port": {appended("metrics: {address: localhost}"), "metrics.address: \"localhost\" is not an address"},
		"vending to other machines": {
			appended("vend: {address: '0.0.0.0:9465', tokens: [{file: /t, peer: {uid: a}, destinations: ['*']}]}"),
			"vend.address: 0.0.0.0 can be reached from other hosts",
		},
		"vending at a name": {
			appended("vend: {address: 'localhost:9465', tokens: [{file: /t, peer: {uid: a}, destinations: ['*']}]}"),
			"vend.address: \"localhost:9465\" is not an address",
		},
		"vending without tokens": {appended("vend: {address: '127.0.0.1:9465'}"), "vend.tokens: vend.address needs a token"},
		"tokens that open nothing": {appended("vend: {tokens: [{file: /t, peer: {uid: a}, destinations: ['*']}]}"),
			"tokens are for vend.address, which is not set"},
		"vending on the socket of the API": {appended("vend: {socket: /run/brokerd/brokerd.sock}"),
			"vend.socket: the API listens on this socket already"},
		"a relative vending socket": {appended("vend: {socket: v.sock}"), "vend.socket: \"v.sock\" is not an absolute path"},
		"a token in a relative file": {appended("vend: {address: '[::1]:9465', tokens: [{file: t, peer: {uid: a}, destinations: ['*']}]}"),
			"vend.tokens[0].file: \"t\" is not an absolute path"},
		"a token without a file": {appended("vend: {address: '[::1]:9465', tokens: [{peer: {uid: a}, destinations: ['*']}]}"),
			"vend.tokens[0].file: the file is missing"},
		"a token of nobody": {appended("vend: {address: '[::1]:9465', tokens: [{file: /t, destinations: ['*']}]}"),
			"vend.tokens[0].peer.uid: the token has no peer"},
		"a token of a group": {appended("vend: {address: '[::1]:9465', tokens: [{file: /t, peer: {gid: a}, destinations: ['*']}]}"),
			"vend.tokens[0].peer.uid: the token has no peer"},
		"a token for nothing": {appended("vend: {address: '[::1]:9465', tokens: [{file: /t, peer: {uid: a}}]}"),
			"vend.tokens[0].destinations: the token is valid for no destination"},
		"a token for what there is not": {
			appended("vend: {address: '[::1]:9465', tokens: [{file: /t, peer: {uid: a}, destinations: [audit-log]}]}"),
			"vend.tokens[0].destinations[0]: unknown destination \"audit-log\" (did you mean audit-logs?)",
		},
		"two peers with one token": {
			appended("vend: {address: '[::1]:9465', tokens: [{file: /t, peer: {uid: a}, destinations: ['*']}, {file: /t, peer: {uid: b}, " +
				"destinations: ['*']}]}"), "vend.tokens[1].file: another entry has the same file",
		},
		"an unknown log level":      {appended("log: {level: warning}"), "log.level: unknown level \"warning\" (did you mean warn?)"},
		"a destination in capitals": {sub("  audit-logs:\n", "  Audit:\n"), "4:3: destinations.Audit: this is not a destination name"},
		"brackets without end":      {strings.Repeat("[", 100000), "brackets are nested more than 64 deep"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("brokerd.yaml", []byte(c.in))
			var all Errors
			if !errors.As(err, &all) {
				t.Fatalf("got %v (%T), want Errors", err, err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got\n%v\nwant a line with\n%s", err, c.want)
			}
			for _, e := range all {
				if e.File != "brokerd.yaml" || e.Line < 1 || e.Column < 1 || (e.Hint == "" && e.Path != "") {
					t.Errorf("a fault without place or hint: %+v", e)
				}
			}
		})
	}
}

func TestEndpointFaultsNeverRepeatThePassword(t *testing.T) {
	_, err := Parse("f", []byte(good+"aws: {endpoints: {s3: 'https://u:hunter2@h'}}\n"))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestParseReportsAllFaultsInOrder(t *testing.T) {
	_, err := Parse("f", []byte("log: {level: loud}\nnonsense: 1\ndestinations:\n  a: {bucket: B}\n"))
	var all Errors
	if !errors.As(err, &all) || len(all) < 7 {
		t.Fatalf("want at least 7 faults, got %v", err)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Line < all[i-1].Line {
			t.Errorf("fault %d of line %d comes after line %d", i, all[i].Line, all[i-1].Line)
		}
	}
}

func TestOneFaultIsReportedOnce(t *testing.T) {
	_, err := Parse("f", []byte(replace(t, "role: arn:aws:iam::111122223333:role/CrossAccountS3Uploader", "role: [x]")))
	var all Errors
	if !errors.As(err, &all) || len(all) != 1 {
		t.Errorf("want one fault, got %v", err)
	}
}

func TestCompatibleStoresNeedLess(t *testing.T) {
	const stanza = `destinations:
  minio:
    compatible: true
    bucket: logs
    region: us-east-1
    kms_key: my-minio-key
    key: in/{id}
    endpoints: {s3: "http://127.0.0.1:9000", sts: "http://localhost:9000", kms: "https://[::1]:1"}
`
	if _, err := Parse("f", []byte(stanza)); err != nil {
		t.Error(err)
	}
	if _, err := Parse("f", []byte(strings.Replace(stanza, "compatible: true", "compatible: false", 1))); err == nil {
		t.Error("the same stanza must be refused for AWS")
	}
}

func TestWarnings(t *testing.T) {
	in := replace(t, "  path: /run/brokerd/brokerd.sock", `  mode: "0666"`)
	in = strings.Replace(in, "logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}", `"{host}/{id}"`, 1)
	in = strings.Replace(in, "external_id: tenant-7", "duration: 2h", 1)
	in = strings.Replace(in, "[upload, verify]", "[verify]", 1) + "metrics: {address: \":9464\"}\n"
	c, err := Parse("f", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"socket.mode 0666", "metrics.address :9464", "no fixed first segment", "session.duration is over 1h",
		"no access rule allows anybody"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning with %q in\n%s", want, got)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: got %v", err)
	}
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || c.Path != path {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestLongDestinationNamesKeepDistinctSessionNames(t *testing.T) {
	a, b := defaultSessionName(strings.Repeat("a", 63)+"1"), defaultSessionName(strings.Repeat("a", 63)+"2")
	if a == b || len(a) > 64 || !sessionName.MatchString(a) {
		t.Errorf("got %q and %q", a, b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("destinations:\n  a: &x {b: *x}\n<<: *x\n")
	f.Add("a: [\n- {}\n? x\n")
	f.Fuzz(func(t *testing.T, in string) {
		c, err := Parse("f", []byte(in))
		if (c == nil) == (err == nil) {
			t.Fatalf("both or neither: %v, %v", c, err)
		}
		var all Errors
		if err != nil && !errors.As(err, &all) {
			t.Fatalf("%T is not Errors", err)
		}
		if c != nil {
			for _, d := range c.Destinations {
				if d == nil || d.KeyTemplate == nil {
					t.Fatal("a valid destination without a template")
				}
			}
			_ = c.Warnings()
		}
	})
}
