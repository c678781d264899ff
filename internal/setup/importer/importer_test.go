package importer

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/setup"
)

const (
	role   = "arn:aws:iam::111122223333:role/apps/Up"
	bucket = "tenant-bucket"
	key    = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
	stanza = "destinations:\n  " + bucket + ":\n    role: " + role + "\n    bucket: " + bucket + "\n    owner: \"444455556666\"\n" +
		"    region: eu-west-1\n    kms_key: " + key + "\n    key: logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}\n"
	byRole = "setup:\n  runs_as: {type: role, principal: \"arn:aws:iam::111122223333:role/app-host\"}\n"
)

var asked = Asked{Role: role, Bucket: bucket, Key: key}

func load(t *testing.T, text string) (*config.Config, setup.State) {
	t.Helper()
	c, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s, err := setup.StateOf(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// as is the snapshot of accounts in which a state was applied.
func as(t *testing.T, s setup.State) *setup.Snapshot {
	t.Helper()
	text := func(p setup.Policy) string {
		out, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	r, b, k := s.Roles[len(s.Roles)-1], s.Buckets[0], s.Keys[0]
	id := &setup.Identity{
		ARN: r.ARN, Info: setup.KnownPart(setup.IdentityInfo{MaxSession: r.MaxSession}), Trust: setup.KnownPart(text(r.Trust)),
		Inline: setup.KnownPart([]setup.Document{{Name: setup.InlineName, Text: text(r.Inline)}}), Attached: setup.KnownPart([]setup.Document{}),
		Boundary: setup.AbsentPart[setup.Document](),
	}
	if r.Boundary != "" {
		id.Boundary = setup.KnownPart(setup.Document{ARN: r.Boundary})
	}
	return &setup.Snapshot{
		Identities: map[string]*setup.Identity{r.ARN: id},
		Buckets: map[string]*setup.BucketAt{b.Name: {Name: b.Name, Info: setup.KnownPart(setup.BucketInfo{Region: b.Region}),
			Policy: setup.KnownPart(text(b.Policy)), Ownership: setup.KnownPart(b.Ownership), Encryption: setup.KnownPart(b.Encryption)}},
		Keys: map[string]*setup.KeyAt{
			k.ARN: {ARN: k.ARN, Info: setup.KnownPart(setup.KeyInfo{State: "Enabled"}), Policy: setup.KnownPart(text(k.Policy))},
		},
	}
}

func adopted(t *testing.T, snap *setup.Snapshot) (Adoption, *config.Config) {
	t.Helper()
	got, err := Adopt(asked, snap)
	if err != nil {
		t.Fatal(err)
	}
	text, err := edit.New("f", got.Draft)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("f", text)
	if err != nil {
		t.Fatal(err)
	}
	return got, c
}

// An arrangement of setup is read back as the configuration it came from, and
// nothing of it is broader than needed.
func TestWhatSetupMadeComesBack(t *testing.T) {
	for name, text := range map[string]string{
		"usual":       stanza + byRole,
		"external id": stanza + "    session: {external_id: tenant-7}\n" + byRole,
		"a user": stanza + "    session: {duration: 6h}\nsetup:\n" +
			"  runs_as: {type: user, principal: \"arn:aws:iam::111122223333:user/app\"}\n",
		"web identity": "aws: {source: {type: web-identity}}\n" +
			stanza + "    session: {duration: 2h}\nsetup:\n  runs_as: {type: web-identity, provider: " +
			"\"arn:aws:iam::111122223333:oidc-provider/oidc.example.org/id/A\", subject: \"system:serviceaccount:a:b\"}\n",
		"no bucket key": stanza + "    bucket_key: false\n" + byRole,
		"boundary":      stanza + byRole + "  boundary: arn:aws:iam::111122223333:policy/bound\n",
		"a deep prefix": strings.Replace(stanza, "logs/{host}", "a/b/c/{host}", 1) + byRole,
		"another bucket": strings.Replace(stanza, "logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}",
			`"{host}/{yyyy}/{mm}/{dd}/{name}-{id}"`, 1) + byRole,
	} {
		t.Run(name, func(t *testing.T) {
			want, state := load(t, text)
			got, c := adopted(t, as(t, state))
			if diff := cmp.Diff([]Finding{}, got.Findings); diff != "" {
				t.Errorf("findings: %s", diff)
			}
			_, again := load(t, text)
			back, err := setup.StateOf(c)
			if err != nil {
				t.Fatal(err)
			}
			again.Deliveries, back.Deliveries = nil, nil
			if diff := cmp.Diff(again, back); diff != "" {
				t.Errorf("the state is another one: %s", diff)
			}
			d, w := c.Destinations[bucket], want.Destinations[bucket]
			if d.Session.ExternalID != w.Session.ExternalID || d.Session.Duration != w.Session.Duration || *d.BucketKey != *w.BucketKey ||
				d.Key != w.Key || c.Setup.Boundary != want.Setup.Boundary {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// change is one way in which real arrangements are broader than needed.
type change struct {
	kind     setup.Kind
	old, new string // in the document's compact JSON
	finding  string // in the findings
	replaced bool   // the statement can be replaced by a sufficient one
}

func TestWhatIsBroaderIsNamedAndItsReplacementIsNot(t *testing.T) {
	for name, c := range map[string]change{
		"reading as well": {setup.KindIdentity, `"s3:PutObject"`, `"s3:PutObject","s3:GetObject"`, "s3:GetObject", true},
		"every S3 action": {setup.KindIdentity, `["s3:PutObject","s3:AbortMultipartUpload"]`, `"s3:*"`, "s3:DeleteObject", true},
		"everything": {setup.KindIdentity,
			`"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::tenant-bucket/logs/*"`, `"Action":"*","Resource":"*"`,
			"other services", true},
		"an action in no list": {setup.KindIdentity, `"s3:PutObject"`, `"s3:PutObject","s3:GetObjectTorrent"`, "s3:GetObjectTorrent", true},
		"other buckets": {setup.KindIdentity, `"arn:aws:s3:::tenant-bucket/logs/*"`,
			`["arn:aws:s3:::tenant-bucket/logs/*","arn:aws:s3:::*/logs/*"]`, "other buckets", true},
		"encrypting": {setup.KindIdentity, `"kms:GenerateDataKey"`, `"kms:GenerateDataKey","kms:Encrypt"`, "kms:Encrypt", true},
		"every key":  {setup.KindIdentity, `"` + key + `"`, `"*"`, "other keys", true},
		"the key without S3": {setup.KindIdentity, `,"Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}`, ``,
			"kms:ViaService is missing", true},
		"deleting, in the bucket": {setup.KindBucket, `"Action":["s3:PutObject"`, `"Action":["s3:DeleteObject","s3:PutObject"`,
			"s3:DeleteObject", true},
		"the whole bucket, in B": {setup.KindBucket, `"s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::tenant-bucket/logs/*"`,
			`"s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::tenant-bucket/*"`, "writing outside logs/", true},
		"the whole account, in B": {setup.KindBucket, `{"AWS":"` + role + `"}`, `{"AWS":"arn:aws:iam::111122223333:root"}`,
			"every identity of account 111122223333", true},
		"any account, in B": {setup.KindBucket, `{"AWS":"` + role + `"}`, `"*"`, "everybody, without credentials", true},
		"plain HTTP":        {setup.KindBucket, `"aws:SecureTransport":"false"`, `"aws:SecureTransport":"never"`, "plain HTTP", false},
		"other encryption": {setup.KindBucket, `"s3:x-amz-server-side-encryption":"aws:kms"`,
			`"s3:x-amz-server-side-encryption":"AES256"`, "encryption other than aws:kms", false},
		"another key": {setup.KindBucket, `"s3:x-amz-server-side-encryption-aws-kms-key-id":"` + key + `"`,
			`"s3:x-amz-server-side-encryption-aws-kms-key-id":"` + key + `0"`, "another key", false},
		"the whole account, the key": {setup.KindKey, `{"AWS":"` + role + `"}`, `{"AWS":"arn:aws:iam::111122223333:root"}`,
			"every identity of account 111122223333", true},
		"the key for other buckets": {setup.KindKey, `"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::tenant-bucket",`, ``,
			"for other buckets", true},
		"granting": {setup.KindKey, `"kms:GenerateDataKey"`, `"kms:GenerateDataKey","kms:CreateGrant"`, "kms:CreateGrant", true},
		"trust in the account": {setup.KindTrust, `{"AWS":"arn:aws:iam::111122223333:role/app-host"}`,
			`{"AWS":["arn:aws:iam::111122223333:role/app-host","arn:aws:iam::111122223333:root"]}`, "every identity of account 111122223333", true},
		"trust in account B": {setup.KindTrust, `{"AWS":"arn:aws:iam::111122223333:role/app-host"}`,
			`{"AWS":["arn:aws:iam::111122223333:role/app-host","444455556666"]}`, "the bucket's", true},
		"trust in a service": {setup.KindTrust, `{"AWS":"arn:aws:iam::111122223333:role/app-host"}`,
			`{"AWS":"arn:aws:iam::111122223333:role/app-host","Service":"ec2.amazonaws.com"}`, "ec2.amazonaws.com", true},
		"trust in two roles": {setup.KindTrust, `{"AWS":"arn:aws:iam::111122223333:role/app-host"}`,
			`{"AWS":["arn:aws:iam::111122223333:role/app-host","arn:aws:iam::111122223333:role/dev"]}`, "role/dev may assume", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, state := load(t, stanza+byRole)
			snap := as(t, state)
			doc := document(snap, c.kind)
			text := compact(t, *doc)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s is not in %s", c.old, text)
			}
			*doc = strings.Replace(text, c.old, c.new, 1)
			got, _ := adopted(t, snap)
			if len(got.Findings) != 1 || got.Findings[0].Kind != c.kind ||
				!strings.Contains(strings.Join(got.Findings[0].Broader, "; "), c.finding) {
				t.Fatalf("got %+v", got.Findings)
			}
			f := got.Findings[0]
			if len(f.Enough) == 0 {
				t.Fatal("nothing is said to be enough")
			}
			if c.replaced {
				*doc = strings.Replace(*doc, f.Statement, strings.Join(f.Enough, ","), 1)
			} else {
				*doc = strings.Replace(*doc, `"Statement":[`, `"Statement":[`+f.Enough[0]+`,`, 1)
			}
			if got, _ := adopted(t, snap); len(got.Findings) != 0 {
				t.Errorf("with what was to be enough: %+v", got.Findings)
			}
		})
	}
}

// A caller without credentials is of no organization; without a condition, or where the
// condition lets a missing key pass, the statement is for everybody.
func TestAnOrganizationIsNotEverybody(t *testing.T) {
	for _, c := range []struct{ condition, want string }{
		{`"StringEquals":{"aws:PrincipalOrgID":"o-abc1234567"}`, "identities of any account, behind aws:PrincipalOrgID o-abc1234567"},
		{`"StringLike":{"aws:PrincipalTag/team":"logs"}`, "identities of any account, behind aws:PrincipalTag/team logs"},
		{`"StringEquals":{"aws:SourceVpc":"vpc-0a1b2c3d"}`, "everybody, without credentials, behind aws:SourceVpc vpc-0a1b2c3d"},
		{`"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-abc1234567"}`, "everybody, without credentials"},
	} {
		t.Run(c.condition, func(t *testing.T) {
			_, state := load(t, stanza+byRole)
			snap := as(t, state)
			doc := document(snap, setup.KindBucket)
			*doc = strings.Replace(compact(t, *doc), `"Statement":[`, `"Statement":[{"Sid":"Theirs","Effect":"Allow","Principal":"*",`+
				`"Action":["s3:GetObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::tenant-bucket/*","Condition":{`+c.condition+`}},`, 1)
			got, _ := adopted(t, snap)
			for _, f := range got.Findings {
				if text := strings.Join(f.Broader, "; "); f.Sid == "Theirs" && strings.HasPrefix(text, c.want+" (") {
					return
				}
			}
			t.Errorf("want %q: %+v", c.want, got.Findings)
		})
	}
}

// document is the text of one kind in a snapshot, to be changed.
func document(snap *setup.Snapshot, kind setup.Kind) *string {
	switch kind {
	case setup.KindTrust:
		return &snap.Identities[role].Trust.Value
	case setup.KindIdentity:
		return &snap.Identities[role].Inline.Value[0].Text
	case setup.KindBucket:
		return &snap.Buckets[bucket].Policy.Value
	}
	return &snap.Keys[key].Policy.Value
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var p setup.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The arrangement of the guide that setup replaces: trust in account B, no KMS in
// the role's policy, kms:Encrypt in the key's.
func TestTheWellKnownMistakesAreFound(t *testing.T) {
	snap := &setup.Snapshot{
		Identities: map[string]*setup.Identity{role: {
			ARN: role, Info: setup.KnownPart(setup.IdentityInfo{MaxSession: time.Hour}), Boundary: setup.AbsentPart[setup.Document](),
			Attached: setup.KnownPart([]setup.Document{}),
			Trust: setup.KnownPart(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},` +
				`"Action":"sts:AssumeRole"}]}`),
			Inline: setup.KnownPart([]setup.Document{
				{Name: "s3", Text: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectAcl"],` +
					`"Resource":"arn:aws:s3:::tenant-bucket/*"}]}`},
			}),
		}},
		Buckets: map[string]*setup.BucketAt{bucket: {Name: bucket, Info: setup.KnownPart(setup.BucketInfo{Region: "eu-west-1"}),
			Ownership: setup.KnownPart("ObjectWriter"),
			Policy: setup.KnownPart(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"s3:*",` +
				`"Resource":["arn:aws:s3:::tenant-bucket","arn:aws:s3:::tenant-bucket/*"]}}`)}},
		Keys: map[string]*setup.KeyAt{key: {ARN: key, Info: setup.KnownPart(setup.KeyInfo{}),
			Policy: setup.KnownPart(`{"Version":"2012-10-17","Statement":[{"Sid":"Root","Effect":"Allow","Principal":` +
				`{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"},{"Sid":"Use","Effect":"Allow","Principal":` +
				`{"AWS":"arn:aws:iam::111122223333:root"},"Action":["kms:Encrypt","kms:GenerateDataKey","kms:Decrypt"],"Resource":"*"}]}`)}},
	}
	got, c := adopted(t, snap)
	all := fmt.Sprintf("%+v %+v", got.Findings, got.Notes)
	for _, want := range []string{
		"every identity of account 444455556666, the bucket's, may assume the role",
		"is no role or user that could run the daemon", "write setup.runs_as",
		"anywhere in the bucket", "kms:Encrypt", "kms:ViaService is missing", "s3:PutBucketPolicy", "every identity of account 111122223333",
		"no statement denies uploads over plain HTTP", "gives them to the bucket's owner",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said in %s", want, all)
		}
	}
	if strings.Contains(all, "Sid:Root") {
		t.Error("the statement of the key's own account is none of ours")
	}
	if d := c.Destinations[bucket]; d.ACL != "bucket-owner-full-control" || d.KeyTemplate.Prefix() != "" {
		t.Errorf("got %+v", d)
	}
}

func TestTagsAndACLsThatPoliciesAskForAreAdopted(t *testing.T) {
	_, state := load(t, stanza+"    tags: {team: a}\n    acl: bucket-owner-full-control\n"+byRole)
	snap := as(t, state)
	doc := document(snap, setup.KindBucket)
	*doc = strings.Replace(*doc, `"Statement": [`, `"Statement": [
{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::tenant-bucket/logs/*",
"Condition":{"StringNotEqualsIfExists":{"s3:x-amz-acl":"bucket-owner-full-control"}}},
{"Effect":"Deny","Principal":"*","Action":"s3:PutObjectTagging","Resource":"arn:aws:s3:::tenant-bucket/logs/*",
"Condition":{"StringNotEquals":{"s3:RequestObjectTag/team":"a"}}},`, 1)
	got, c := adopted(t, snap)
	d := c.Destinations[bucket]
	if d.ACL != "bucket-owner-full-control" || d.Tags["team"] != "a" || len(got.Findings) != 0 {
		t.Errorf("got %+v, %+v", d, got.Findings)
	}
}

func TestNothingIsConcludedFromWhatWasNotRead(t *testing.T) {
	_, state := load(t, stanza+byRole)
	snap := as(t, state)
	snap.Buckets[bucket] = &setup.BucketAt{Name: bucket, Info: setup.UnreadPart[setup.BucketInfo]("no credentials"),
		Policy: setup.UnreadPart[string]("no credentials"), Encryption: setup.UnreadPart[setup.Encryption]("no credentials")}
	snap.Keys[key] = &setup.KeyAt{ARN: key, Info: setup.UnreadPart[setup.KeyInfo]("no credentials"),
		Policy: setup.UnreadPart[string]("no credentials")}
	got, c := adopted(t, snap)
	if len(got.Findings) != 0 {
		t.Errorf("findings: %+v", got.Findings)
	}
	notes := strings.Join(got.Notes, "\n")
	for _, want := range []string{"the bucket policy could not be read: no credentials", "the key policy could not be read",
		"the prefix is not known"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not in %s", want, notes)
		}
	}
	if c.Destinations[bucket].Role != role {
		t.Error("what was read is lost")
	}
	gone := as(t, state)
	gone.Identities[role].Info = setup.AbsentPart[setup.IdentityInfo]()
	if _, err := Adopt(asked, gone); err == nil {
		t.Error("a role that is not there was adopted")
	}
	for _, bad := range []Asked{{Role: "x", Bucket: bucket, Key: key},
		{Role: role, Bucket: bucket, Key: "arn:aws:kms:eu-west-1:444455556666:alias/x"}} {
		if _, err := bad.Scope(); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// A policy is foreign text: reading it never panics, and gives a configuration or
// an error.
func FuzzAdopt(f *testing.F) {
	_, state := load(&testing.T{}, stanza+byRole)
	for _, kind := range []setup.Kind{setup.KindTrust, setup.KindIdentity, setup.KindBucket, setup.KindKey} {
		f.Add(string(kind), *document(as(&testing.T{}, state), kind))
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		if _, _, err := statements(text); err != nil {
			return // Adopt notes it, and decides the rest: a hundred times slower
		}
		snap := as(t, state)
		*document(snap, setup.Kind(kind)) = text
		got, err := Adopt(asked, snap)
		if err != nil {
			return
		}
		if _, err := edit.New("f", got.Draft); err != nil {
			t.Fatalf("what was adopted is not valid: %v", err)
		}
	})
}

// TestAnArrangementThatCannotWorkSaysSoFirst: the first note names the call that
// fails and the policy that refuses it.
func TestAnArrangementThatCannotWorkSaysSoFirst(t *testing.T) {
	_, state := load(t, stanza+byRole)
	snap := as(t, state)
	doc := document(snap, setup.KindKey)
	*doc = strings.Replace(*doc, `"kms:GenerateDataKey"`, `"kms:DescribeKey"`, 1)
	got, _ := adopted(t, snap)
	if len(got.Notes) == 0 || !strings.Contains(got.Notes[0], "uploads cannot work") ||
		!strings.Contains(got.Notes[0], "kms:GenerateDataKey by the resource policy") {
		t.Errorf("got %q", got.Notes)
	}
	whole, _ := adopted(t, as(t, state))
	if strings.Contains(strings.Join(whole.Notes, "\n"), "cannot work") {
		t.Errorf("an arrangement that works: %q", whole.Notes)
	}
}

// TestTheStatementThatGrantsUploadsIsNeeded: tags that the role's own policy asks
// for are part of the upload.
func TestTheStatementThatGrantsUploadsIsNeeded(t *testing.T) {
	_, state := load(t, stanza+byRole)
	snap := as(t, state)
	doc := document(snap, setup.KindIdentity)
	text := compact(t, *doc)
	*doc = strings.Replace(text, `"Action":["s3:PutObject","s3:AbortMultipartUpload"],`,
		`"Action":["s3:PutObject","s3:PutObjectTagging","s3:AbortMultipartUpload","s3:GetObject"],`+
			`"Condition":{"StringEquals":{"s3:RequestObjectTag/team":"a"}},`, 1)
	if *doc == text {
		t.Fatal("the statement was not found")
	}
	bucketDoc := document(snap, setup.KindBucket)
	*bucketDoc = strings.Replace(compact(t, *bucketDoc), `"s3:PutObject"`, `"s3:PutObject","s3:PutObjectTagging"`, 1)
	got, c := adopted(t, snap)
	if c.Destinations[bucket].Tags["team"] != "a" {
		t.Errorf("the tag was not found: %q", got.Notes)
	}
	for _, f := range got.Findings {
		if f.Kind == setup.KindIdentity && len(f.Enough) == 0 && f.Keep == "" {
			t.Errorf("the only statement that grants s3:PutObject is called superfluous: %+v", f)
		}
	}
}

// TestAPublicStatementBehindAVPCIsFound: everyone in the VPC may read and delete.
func TestAPublicStatementBehindAVPCIsFound(t *testing.T) {
	_, state := load(t, stanza+byRole)
	snap := as(t, state)
	doc := document(snap, setup.KindBucket)
	*doc = strings.Replace(compact(t, *doc), `"Statement":[`,
		`"Statement":[{"Sid":"Vpc","Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:DeleteObject"],`+
			`"Resource":"arn:aws:s3:::tenant-bucket/*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}},`, 1)
	got, _ := adopted(t, snap)
	if len(got.Findings) != 1 || got.Findings[0].Sid != "Vpc" ||
		!strings.Contains(strings.Join(got.Findings[0].Broader, "; "), "behind aws:SourceVpc vpc-1") {
		t.Errorf("got %+v", got.Findings)
	}
}

// TestAReplacementSaysWhomItLocksOut: a statement for a whole account serves
// others, too.
func TestAReplacementSaysWhomItLocksOut(t *testing.T) {
	_, state := load(t, stanza+byRole)
	snap := as(t, state)
	doc := document(snap, setup.KindBucket)
	*doc = strings.Replace(compact(t, *doc), `{"AWS":"`+role+`"}`, `{"AWS":["`+role+`","arn:aws:iam::111122223333:role/reports"]}`, 1)
	*doc = strings.Replace(*doc, `"s3:PutObject"`, `"s3:PutObject","s3:GetObject"`, 1)
	got, _ := adopted(t, snap)
	if len(got.Findings) != 1 || !strings.Contains(strings.Join(got.Findings[0].LocksOut, "; "), "role reports of account 111122223333") {
		t.Errorf("got %+v", got.Findings)
	}
}
