package policytext

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestStringListReadsEveryFormOfAPolicy(t *testing.T) {
	for text, want := range map[string][]string{
		`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `[]`: {}, `true`: {"true"}, `[1, 2.50, "x"]`: {"1", "2.50", "x"}, `1e400`: {"1e400"},
	} {
		var got StringList
		if err := json.Unmarshal([]byte(text), &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`null`, `{"a":"b"}`, `[["a"]]`, `[null]`} {
		var got StringList
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}

func TestStringListIsWrittenAsAWSWritesIt(t *testing.T) {
	for want, list := range map[string]StringList{`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `[]`: {}} {
		got, err := json.Marshal(list)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %s, %v; want %s", []string(list), got, err, want)
		}
	}
}

const twoStatements = `{ "Version": "2012-10-17",
  "Statement": [
    {"Sid": "One", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
    {"Sid": "Two", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}
  ] }`

func TestEditKeepsAllOtherBytes(t *testing.T) {
	d, err := ReadDocument(twoStatements)
	if err != nil {
		t.Fatal(err)
	}
	one := d.Raw(0)
	got := d.Edit(Changes{Replaced: map[int]string{0: `{"Sid":"Three"}`}})
	if want := strings.Replace(twoStatements, one, `{"Sid":"Three"}`, 1); got != want {
		t.Errorf("replaced: got %s\nwant %s", got, want)
	}
	if got := d.Edit(Changes{Removed: map[int]bool{0: true, 1: true}}); got != "" {
		t.Errorf("a document without a statement: got %q, want \"\"", got)
	}
	if got := d.Edit(Changes{}); got != twoStatements {
		t.Errorf("no change: got %s", got)
	}
}

func TestReadDocumentRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"Version":"2012-10-17"}`:          "no Statement",
		`[]`:                                "no Statement",
		`{"Statement":"x"}`:                 "a statement is an object",
		`{"Statement":[1]}`:                 "a statement is an object",
		`{"Statement":[],"Statement":[]}`:   "duplicate key",
		`{"Statement":[{"a":1,"a":2}]}`:     "duplicate key",
		`{"Statement":[]} {"Statement":[]}`: "after the end",
	} {
		if _, err := ReadDocument(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", text, err, want)
		}
	}
}

func TestElementsCompareMeaning(t *testing.T) {
	const a = `{"Sid":"A","Effect":"Allow","Principal":"*","Action":["S3:PutObject","s3:GetObject"],"Resource":"*",` +
		`"Condition":{"Bool":{"aws:SecureTransport":true}}}`
	for b, want := range map[string]bool{
		`{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:getobject","s3:putobject"],"Resource":["*"],` +
			`"Condition":{"Bool":{"AWS:securetransport":"true"}}}`: true,
		strings.Replace(a, `"Allow"`, `"Deny"`, 1):                      false,
		strings.Replace(a, `"Principal"`, `"NotPrincipal"`, 1):          false,
		strings.Replace(a, `"Bool"`, `"BoolIfExists"`, 1):               false,
		strings.Replace(a, `"Resource":"*"`, `"Resource":"arn:b"`, 1):   false,
		strings.Replace(a, `"Resource":"*"`, `"Resource":{"a":"b"}`, 1): false, // not a statement
		`[]`: false,
	} {
		if got := ReadElements(a).Equal(ReadElements(b)); got != want {
			t.Errorf("%s: equal %v, want %v", b, got, want)
		}
	}
	if ReadElements(`x`).Equal(ReadElements(`x`)) {
		t.Error("two texts that are not statements are equal")
	}
}

func TestDifferencesKeepTheSpelling(t *testing.T) {
	got := Differences(
		`{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Condition":{"StringEquals":{"kms:ViaService":"a"}}}`,
		`{"Effect":"Allow","Action":"s3:PutObject","Condition":{"StringEquals":{"kms:ViaService":"b"}}}`)
	text, err := json.Marshal(got)
	const want = `[{"element":"Action","removed":["s3:GetObject"]},{"element":"Condition.StringEquals.kms:ViaService","removed":["a"],` +
		`"added":["b"]}]`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v\nwant %s", text, err, want)
	}
}

// FuzzEdit: an added statement that is taken out again leaves the document as it was.
func FuzzEdit(f *testing.F) {
	f.Add(twoStatements)
	f.Add(`{"Statement":{"Sid":"x"},"Id":"y"}`)
	f.Add(`{"Statement":[ {} ]}`)
	f.Add(`{"Statement":[ {},{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ReadDocument(text)
		if err != nil || len(d.Statements()) == 0 {
			return
		}
		if d.Edit(Changes{}) != text {
			t.Fatalf("%q is written as %q", text, d.Edit(Changes{}))
		}
		more := d.Edit(Changes{Added: []string{`{"Sid":"Added"}`}})
		again, err := ReadDocument(more)
		if err != nil {
			t.Fatalf("%q: %v", more, err)
		}
		last := len(again.Statements()) - 1
		if again.Statements()[last].Sid != "Added" {
			t.Fatalf("%q: the statement is not the last", more)
		}
		if back := again.Edit(Changes{Removed: map[int]bool{last: true}}); back != text {
			t.Fatalf("%q became %q", text, back)
		}
	})
}
