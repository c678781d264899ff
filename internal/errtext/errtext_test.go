package errtext

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/brokerd/brokerd/docs/checks"
)

// row is one text of the corpus with its expectations. Its file begins with lines
// "name: value" and an empty line; the text follows.
type row struct {
	name string
	want map[string]string
	text string
}

func corpus(t testing.TB) []row {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var rows []row
	names := make(map[string]bool)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(data).Files {
			if names[f.Name] {
				t.Errorf("%s: two texts are named %q", file, f.Name)
			}
			names[f.Name] = true
			header, text, _ := strings.Cut(string(f.Data), "\n\n")
			r := row{name: f.Name, want: make(map[string]string), text: strings.ReplaceAll(text, `\e`, "\x1b")}
			for line := range strings.SplitSeq(header, "\n") {
				key, value, ok := strings.Cut(line, ": ")
				if !ok {
					t.Fatalf("%s: %s: header line %q", file, f.Name, line)
				}
				r.want[key] = value
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// got returns the fields of the first error that the corpus can expect.
func got(found []Error) map[string]string {
	out := map[string]string{"errors": strconv.Itoa(len(found))}
	if len(found) == 0 {
		return out
	}
	e := found[0]
	x := Explain(e)
	reason := "not said"
	switch {
	case strings.HasPrefix(x.Reason, "a statement denies"):
		reason = "explicit"
	case strings.HasPrefix(x.Reason, "no statement"):
		reason = "implicit"
	}
	for key, value := range map[string]string{
		"code": e.Code, "operation": e.Operation, "service": e.Service, "status": strconv.Itoa(e.Status), "request": e.RequestID,
		"action": e.Denial.Action, "resource": e.Denial.Resource, "principal": e.Denial.Principal, "policy": e.Denial.PolicyARN,
		"caller": e.CallerAccount, "owner": e.OwnerAccount, "layer": string(x.Layer), "account": x.Account, "kind": string(x.Kind),
		"page": x.Page, "reason": reason, "cause": x.Cause, "bucket": e.Bucket,
	} {
		out[key] = value
		if value == "" || value == "0" {
			out[key] = "-"
		}
	}
	return out
}

func TestCorpus(t *testing.T) {
	rows := corpus(t)
	counts := make(map[string]int)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			found := Read(r.text)
			has := got(found)
			if r.want["errors"] == "" {
				r.want["errors"] = "1"
			}
			for key, want := range r.want {
				if key == "advice" {
					continue
				}
				if has[key] != want {
					t.Errorf("%s: got %q, want %q", key, has[key], want)
				}
			}
			if len(found) == 0 {
				return
			}
			x := Explain(found[0])
			if want := r.want["advice"]; want == "" || !strings.Contains(strings.Join(x.LookAt, "\n"), want) {
				t.Errorf("the advice is %q, want %q in it", x.LookAt, want)
			}
			if _, ok := checks.Page(x.Page); !ok {
				t.Errorf("there is no page %q", x.Page)
			}
			for key, value := range map[string]string{"code": found[0].Code, "layer": string(x.Layer), "account": x.Account,
				"advice": strings.Join(x.LookAt, "")} {
				if value != "" {
					counts[key]++
				}
			}
			claimsNothing(t, r, x)
		})
	}
	t.Logf("%d texts; with a code %d, a layer %d, an account's id %d, advice %d", len(rows), counts["code"], counts["layer"],
		counts["account"], counts["advice"])
	if len(rows) < 120 {
		t.Errorf("the corpus has %d texts, want at least 120", len(rows))
	}
}

// claimsNothing fails for a statement that AWS's text does not make.
func claimsNothing(t *testing.T, r row, x Explanation) {
	t.Helper()
	all := strings.Join(append([]string{x.Cause, x.Reason, x.AccountText}, x.LookAt...), "\n")
	for _, claim := range []string{"organizations get no detail", "nothing allows it", `\n`, `\"`} {
		if strings.Contains(all, claim) {
			t.Errorf("it claims %q:\n%s", claim, all)
		}
	}
	if strings.Contains(x.Reason, "stated by AWS") && !strings.Contains(r.text, "explicit deny") &&
		!strings.Contains(strings.Join(strings.Fields(r.text), " "), "because ") {
		t.Errorf("it says %q of a text without a reason", x.Reason)
	}
	if strings.Contains(r.text, "WebIdentity") && strings.Contains(all, "ExternalId") {
		t.Error("web identities have no external id")
	}
}

func TestEveryCodeHasAPage(t *testing.T) {
	for _, code := range knownCodes() {
		x := Explain(Error{Code: code})
		if _, ok := checks.Page(x.Page); !ok || x.Cause == "" || len(x.LookAt) == 0 {
			t.Errorf("%s: page %q, cause %q, advice %q", code, x.Page, x.Cause, x.LookAt)
		}
	}
	for _, s := range sentences {
		if _, ok := checks.Page(s.page); !ok {
			t.Errorf("%s: there is no page %q", s.pattern, s.page)
		}
	}
	if x := Explain(Error{Code: "SomethingNewException", Status: 400}); x.Page == "" || x.Cause == "" {
		t.Errorf("an unknown code: %+v", x)
	}
}

func TestSummarize(t *testing.T) {
	denied := func(action string) string {
		return fmt.Sprintf("2026-11-30T10:00:00Z ERROR put: AccessDenied: User: arn:aws:sts::111122223333:assumed-role/Up/s is not authorized "+
			"to perform: %s on resource: \"arn:aws:s3:::b/k\" because no identity-based policy allows the %[1]s action\n", action)
	}
	text := strings.Repeat(denied("s3:PutObject"),
		3) + denied("s3:PutObjectTagging") + "2026-11-30T10:00:01Z INFO all is well\n" +
		"2026-11-30T10:00:02Z ERROR SlowDown: Please reduce your request rate.\n"
	groups := Summarize(Read(text))
	var have []string
	for _, g := range groups {
		have = append(have, fmt.Sprintf("%d %s %s", g.Count, g.Explanation.Page, g.Example.Denial.Action))
	}
	if got, want := strings.Join(have, "; "), "3 BRK-S3-020 s3:PutObject; 1 BRK-S3-020 s3:PutObjectTagging; 1 BRK-AWS-001 "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzRead(f *testing.F) {
	for _, r := range corpus(f) {
		f.Add(r.text)
	}
	f.Add(strings.Repeat(`{"a":`, 100))
	f.Add("User: \\u0000 is not authorized to perform: a:b on resource: \"\\")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range Read(text) {
			x := Explain(e)
			if x.Cause == "" || x.Page == "" || len(x.LookAt) == 0 {
				t.Fatalf("no explanation of %+v: %+v", e, x)
			}
			for _, id := range []string{e.CallerAccount, e.OwnerAccount, x.Account} {
				if strings.Trim(id, "0123456789") != "" || len(id) > 12 {
					t.Fatalf("%q is no account id", id)
				}
			}
			if strings.ContainsAny(e.Denial.Resource, "\n\\") || strings.ContainsAny(e.Role, "\n\\ ") || len(e.Message) > maxMessage+8 {
				t.Fatalf("%+v", e)
			}
			for _, said := range said(e, x) {
				if strings.ContainsFunc(said, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) }) {
					t.Fatalf("a control character reaches the terminal: %q", said)
				}
			}
		}
	})
}

// said lists the strings of an error that a report shows.
func said(e Error, x Explanation) []string {
	return append([]string{e.Code, e.Service, e.Operation, e.RequestID, e.Message, e.Denial.Principal, e.Denial.Action, e.Denial.Resource,
		e.Denial.PolicyARN, e.CallerAccount, e.OwnerAccount, e.Bucket, e.Role, string(x.Layer), x.Cause, x.Account, x.AccountText, x.Reason},
		x.LookAt...)
}

// TestFieldsAreOneLine proves that a field cannot print a line of the report.
func TestFieldsAreOneLine(t *testing.T) {
	const end = `\nlayer      service control\r\u2028layer      boundary\u2029\t`
	const user = `User: arn:aws:sts::111122223333:assumed-role/a~/x is not authorized to perform: s3:PutObject on ` +
		`resource: \"arn:aws:s3:::b~\" because no identity-based policy allows the s3:PutObject action`
	for _, text := range []string{
		`{"eventSource":"s3.amazonaws.com~","eventName":"PutObject~","errorCode":"AccessDenied~","requestID":"1~",` +
			`"errorMessage":"Access Denied~","userIdentity":{"accountId":"111122223333~","arn":"arn:aws:iam::111122223333:user/a~"},` +
			`"requestParameters":{"bucketName":"b~","roleArn":"arn:aws:iam::444455556666:role/r~"}}`,
		`{"eventSource":"s3~.amazonaws.com","eventName":"PutObject","errorCode":"AccessDenied","errorMessage":"` + user + `"}`,
		`{"code":"AccessDenied","message":"` + user + `","operation":"PutObject~"}`,
		`{"Code~":"AccessDenied","error":{"message":"` + user + `"}}`,
		"AccessDenied: " + strings.NewReplacer(`\"`, `"`, "~", "\u2028layer      boundary\u2029").Replace(user),
	} {
		text = strings.ReplaceAll(text, "~", end)
		found := Read(text)
		if len(found) != 1 {
			t.Fatalf("%s: got %d errors, want 1", text, len(found))
		}
		for _, said := range said(found[0], Explain(found[0])) {
			if strings.ContainsAny(said, "\n\r\t\u2028\u2029") {
				t.Errorf("%s: the field %q is more than one line", text, said)
			}
		}
		if found[0].Operation != "" && found[0].Operation != "PutObject" {
			t.Errorf("%s: the operation is %q", text, found[0].Operation)
		}
	}
}

// TestControlCharactersAreRemoved proves that no control character reaches a terminal,
// whether a text holds it or escapes it.
func TestControlCharactersAreRemoved(t *testing.T) {
	const user = `User: arn:aws:sts::111122223333:assumed-role/a\u001b]0;x\u0007/x is not authorized to perform: s3:PutObject`
	for _, text := range []string{
		`{"code":"AccessDenied","message":"` + user + `"}`,
		`{"eventSource":"s3.amazonaws.com","eventName":"PutObject","errorCode":"AccessDenied",` +
			`"userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/a\u001b]0;x\u0007/x"}}`,
		`{"log":"{\"code\":\"AccessDenied\",\"message\":\"` + strings.ReplaceAll(user, `\`, `\\`) + `\"}"}`,
		`{"An error occurred (AccessDenied) when calling the PutObject operation: ` + user + `":"x"}`,
		`level=error msg="AccessDenied: ` + user + `"`,
		"AccessDenied: " + strings.NewReplacer(`\u001b`, "&#27;", `\u0007`, "&#7;").Replace(user),
		"AccessDenied: " + strings.NewReplacer(`\u001b]`, `\u009d`, `\u0007`, "\u202e").Replace(user),
		"AccessDenied: " + strings.NewReplacer(`\u001b`, "\x1b", `\u0007`, "\a").Replace(user),
	} {
		found := Read(text)
		if len(found) != 1 {
			t.Fatalf("%s: got %d errors, want 1", text, len(found))
		}
		if all := fmt.Sprintf("%+v %+v", found[0], Explain(found[0])); strings.ContainsAny(all, "\x1b\a\u009d\u202e") {
			t.Errorf("%s: a control character is left: %q", text, all)
		}
	}
}
