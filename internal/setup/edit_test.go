package setup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// documents are the ways in which people write policies.
var documents = map[string]string{
	"dense": `{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Allow",` +
		`"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"s3:*","Resource":"*"}]}`,
	"alone": `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", ` +
		`"Resource": "arn:aws:s3:::b"}, "Id": "last"}`,
	"on lines": "{\n  \"Version\": \"2012-10-17\",\n  \"Id\": \"x\",\n  \"Statement\": [\n    {\n      \"Sid\": \"One\",\n      " +
		"\"Effect\": \"Allow\",\n      \"Principal\": {\"AWS\": \"444455556666\"},\n      \"Action\": \"s3:GetObject\",\n      \"Resource\": " +
		"\"arn:aws:s3:::b/*\"\n    },\n    {\n      \"Sid\": \"Two\", \"Effect\": \"Deny\", \"Principal\": \"*\", \"Action\": \"s3:*\", " +
		"\"Resource\": \"arn:aws:s3:::b/x\"\n    }\n  ]\n}\n",
	"odd spaces": "{ \"Statement\" :[ {\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"*\"}\t,\n" +
		"{\"Sid\":\"\\u0042\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"} " +
		"],\"Version\":\"2008-10-17\"}",
	"one on lines": "{\n\t\"Version\": \"2012-10-17\",\n\t\"Statement\": [\n\t\t{\"Sid\": \"One\", \"Effect\": \"Allow\", " +
		"\"Principal\": {\"AWS\": \"444455556666\"}, \"Action\": \"s3:GetObject\", \"Resource\": \"*\"}\n\t]\n}",
}

func TestWhatIsAddedCanBeTakenOutByteForByte(t *testing.T) {
	want := stateOf(t, stanza).Buckets[0].Policy
	own := ownership{stateOf(t, stanza).Deliveries}
	for name, doc := range documents {
		t.Run(name, func(t *testing.T) {
			added, err := planPolicy(KindBucket, doc, want, own)
			if err != nil || added.op != OpUpdate || !json.Valid([]byte(added.after)) {
				t.Fatalf("%v %v %s", err, added.op, added.after)
			}
			before, err := policytext.ReadDocument(doc)
			if err != nil {
				t.Fatal(err)
			}
			for i := range before.Statements() {
				if !strings.Contains(added.after, before.Raw(i)) {
					t.Errorf("a statement of somebody else was changed:\n%s\nin\n%s", before.Raw(i), added.after)
				}
			}
			again, err := planPolicy(KindBucket, added.after, want, own)
			if err != nil || again.op != OpKeep || again.after != added.after {
				t.Errorf("planning again: %v %v", err, again.op)
			}
			gone, err := planPolicy(KindBucket, added.after, Policy{}, own)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(doc, gone.after); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzEditing(f *testing.F) {
	for _, doc := range documents {
		f.Add(doc)
	}
	cfg := loadConfig(f, stanza+asRole)
	state, err := StateOf(cfg)
	if err != nil {
		f.Fatal(err)
	}
	want, own := state.Buckets[0].Policy, ownership{state.Deliveries}
	f.Fuzz(func(t *testing.T, doc string) {
		before, err := policytext.ReadDocument(doc)
		if err != nil {
			return
		}
		for _, s := range before.Statements() {
			if isBrokerdSid(s.Sid) {
				return
			}
		}
		e, err := planPolicy(KindBucket, doc, want, own)
		if err != nil {
			t.Fatalf("a document that could be read could not be planned: %v", err)
		}
		if !json.Valid([]byte(e.after)) && json.Valid([]byte(doc)) {
			t.Fatalf("no JSON any more: %s", e.after)
		}
		gone, err := planPolicy(KindBucket, e.after, Policy{}, own)
		if err != nil {
			t.Fatal(err)
		}
		if gone.after != doc && len(before.Statements()) > 0 {
			t.Fatalf("was %q, is %q after adding and removing", doc, gone.after)
		}
	})
}

func TestOthersOfBrokerdAreNotOurs(t *testing.T) {
	own := ownership{stateOf(t, stanza).Deliveries}
	theirs := strings.ReplaceAll(`{"Version":"2012-10-17","Statement":[{"Sid":"BrokerdAllowWriteMetrics","Effect":"Allow","Principal":`+
		`{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::tenant-bucket/metrics/*"},PLAIN]}`,
		"PLAIN", compact(stateOf(t, stanza).Buckets[0].Policy.Statement[1]))
	e, err := planPolicy(KindBucket, theirs, stateOf(t, stanza).Buckets[0].Policy, own)
	if err != nil || !strings.Contains(e.after, "BrokerdAllowWriteMetrics") {
		t.Fatalf("%v %s", err, e.after)
	}
	gone, err := planPolicy(KindBucket, e.after, Policy{}, own)
	if err != nil || gone.after != theirs || gone.reason == "" {
		t.Errorf("%v: the refusal of plain HTTP has to stay for the other configuration\n%s", err, cmp.Diff(theirs, gone.after))
	}
}

func TestMeaningIsComparedNotText(t *testing.T) {
	state := stateOf(t, stanza)
	own := ownership{stateOf(t, stanza).Deliveries}
	other := `{"Version":"2012-10-17","Statement":[{"Condition":{"StringEquals":{"kms:viaservice":["s3.eu-west-1.amazonaws.com"]}},` +
		`"Resource":["` +
		state.Keys[0].ARN + `"],"Action":["KMS:Decrypt","kms:generatedatakey"],"Effect":"Allow","Sid":"BrokerdUseKeyThroughS3AuditLogs6374ec"},
		{"Sid":"BrokerdWriteObjectsAuditLogs6374ec","Effect":"Allow","Action":["s3:AbortMultipartUpload","s3:PutObject"],` +
		`"Resource":"arn:aws:s3:::tenant-bucket/logs/*"}]}`
	e, err := planPolicy(KindIdentity, other, state.Roles[0].Inline, own)
	if err != nil || e.op != OpKeep {
		t.Errorf("%v %v: %+v", err, e.op, e.statements)
	}
	changed := strings.Replace(other, "s3:PutObject", "s3:GetObject", 1)
	e, err = planPolicy(KindIdentity, changed, state.Roles[0].Inline, own)
	if err != nil || e.op != OpUpdate {
		t.Fatalf("%v %v", err, e.op)
	}
	want := []policytext.ElementChange{{Element: "Action", Removed: []string{"s3:GetObject"}, Added: []string{"s3:PutObject"}}}
	for _, s := range e.statements {
		if s.Op == StatementChanged {
			if d := cmp.Diff(want, s.Elements); d != "" {
				t.Error(d)
			}
		}
	}
	if !strings.Contains(e.after, `"KMS:Decrypt"`) {
		t.Error("a statement that means the right thing was written anew")
	}
}

func TestSidsOfDestinationsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a-b", "ab", "a.b", "a_b", "a--b", "a-1", "a1", "1a", "a-b-", "audit-logs", "auditlogs"} {
		sid := sidOf(name, "arn:aws:iam::111122223333:role/r")
		if other, twice := seen[sid]; twice {
			t.Errorf("%s and %s are both %s", name, other, sid)
		}
		seen[sid] = name
		if strings.Trim(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("IAM takes letters and digits in a Sid: %q", sid)
		}
		if !isBrokerdSid(SidWrite + sid) {
			t.Errorf("%s is not recognised", SidWrite+sid)
		}
	}
}

func TestTheSamePolicyInAnotherOrderIsNoChange(t *testing.T) {
	c := Change{Kind: KindBucket}
	a := `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":{"AWS":["x","y"]},` +
		`"Action":["s3:GetObject","s3:PutObject"],"Resource":"*"}]}`
	for other, want := range map[string]bool{
		strings.Replace(a, `["x","y"]`, `["y","x"]`, 1):                                true,
		strings.Replace(a, `"Sid":"A",`, `"Sid":"B",`, 1):                              false,
		strings.Replace(a, `,"s3:PutObject"`, ``, 1):                                   false,
		strings.Replace(a, `"Allow"`, `"Deny"`, 1):                                     false,
		strings.Replace(a, `}]}`, `},{"Effect":"Deny","Principal":"*"}]}`, 1):          false,
		strings.Replace(a, `"2012-10-17","Statement"`, `"2012-10-17", "Statement"`, 1): true,
		strings.Replace(a, `2012`, `2008`, 1):                                          false,
		"":                                                                             false,
	} {
		if c.Same(a, other) != want || c.Same(other, a) != want {
			t.Errorf("%s: want %v", other, want)
		}
	}
	if (&Change{Kind: KindLifecycle}).Same(a, strings.Replace(a, `["x","y"]`, `["y","x"]`, 1)) {
		t.Error("a setting is compared as it is")
	}
}
