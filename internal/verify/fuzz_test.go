package verify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// noSessions is a broker that was never asked.
type noSessions struct{ Sessions }

func (noSessions) ScopePolicy(string) (string, error) { return "", nil }

func fuzzed(t testing.TB) (*run, setup.Documents) {
	t.Helper()
	cfg, err := config.Parse("f", []byte(`destinations:
  audit-logs:
    role: arn:aws:iam::111122223333:role/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: logs/{name}-{id}
`))
	if err != nil {
		t.Fatal(err)
	}
	dest := cfg.Destinations["audit-logs"]
	docs, err := setup.Desired(dest, setup.Options{SourcePrincipalARN: "arn:aws:iam::111122223333:user/app"})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{sessions: noSessions{}, calls: &budget{}, passed: map[stepID]bool{}}
	r.know(&arrangement{dest: dest, source: "arn:aws:iam::111122223333:user/app", key: "logs/.brokerd-verify/x"},
		newDocuments(report.Policies{}))
	return r, docs
}

// Documents come from other people's accounts and over the API. Whatever they
// hold, the checks end, every record can be written as JSON, every patch is JSON,
// and a document that cannot be understood never gives a pass.
func FuzzDocuments(f *testing.F) {
	_, docs := fuzzed(f)
	f.Add(string(docs.Trust), string(docs.Identity), string(docs.Bucket), string(docs.Key), `{"KeyMetadata":{"KeyState":"Disabled"}}`)
	f.Add(`{`, `{"Statement":[]}`, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`,
		`[]`, `null`)
	f.Add(strings.ReplaceAll(string(docs.Trust), "app", "other"), strings.ReplaceAll(string(docs.Identity), "kms:", "ksm:"),
		strings.Replace(string(docs.Bucket), "arn:aws:iam::111122223333:role/Up", "AROAEXAMPLEEXAMPLE00", 1),
		strings.Replace(string(docs.Key), `"kms:ViaService"`, `"aws:SourceVpce"`, 1),
		`{"LoggingEnabled":{},"Payer":"Requester","OwnershipControls":{"Rules":[{}]}}`)
	f.Fuzz(func(t *testing.T, trust, identity, bucket, key, setting string) {
		r, _ := fuzzed(t)
		var policies report.Policies
		for kind, text := range map[string]string{
			report.DocumentTrust: trust, report.DocumentIdentity: identity, report.DocumentBucketPolicy: bucket, report.DocumentKeyPolicy: key,
			report.DocumentBoundary: identity, report.DocumentSCP: identity, report.DocumentRCP: bucket, report.DocumentEndpointPolicy: bucket,
			report.DocumentKey: setting, report.DocumentOwnership: setting, report.DocumentEncryption: setting,
			report.DocumentPublicAccess: setting, report.DocumentLogging: setting, report.DocumentTrail: setting, report.DocumentEvent: setting,
			report.DocumentPayment: setting, report.DocumentRole: setting,
		} {
			policies.Documents = append(policies.Documents, report.PolicyDocument{Kind: kind, State: report.Known, Text: text})
		}
		r.know(r.arrangement, newDocuments(policies))
		var all []report.Check
		for _, c := range append(policyChecks(), auditChecks()...) {
			for _, found := range c.ask(context.Background(), r) {
				all = append(all, r.record(c, found))
			}
		}
		c := check{codeDelete, report.CategoryPrivilege, "", nil, one(checkDelete)}
		all = append(all, r.record(c, checkDelete(context.Background(), r)))
		for _, c := range all {
			if c.Result == report.Pass && c.Code == codeStaticForm && r.docs.one(report.DocumentBucketPolicy) == nil &&
				strings.TrimSpace(bucket) != "" {
				t.Errorf("a bucket policy that is none passes as well-formed: %q", bucket)
			}
			if len(c.Fix.Patch) > 0 && !json.Valid(c.Fix.Patch) {
				t.Errorf("%s: the patch is no JSON: %q", c.Code, c.Fix.Patch)
			}
		}
		rep := report.Report{Checks: all, Path: r.path(all)}
		rep.Messages = r.messages(rep)
		if _, err := json.Marshal(rep); err != nil {
			t.Error(err)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(
		"a." +
			base64.RawURLEncoding.EncodeToString(
				[]byte(`{"iss":"https://oidc.example.com/id/C0","sub":"system:serviceaccount:logs:app","aud":["sts.amazonaws.com"]}`),
			) + ".c",
	)
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		r, _ := fuzzed(t)
		a := r.arrangement
		a.source, a.noSource, a.token = "", "a web identity", parseToken(text)
		trust := `{"Version":"2012-10-17","Statement":[` + r.fixes.webTrust() + `]}`
		r.know(
			a, newDocuments(report.Policies{Documents: []report.PolicyDocument{{Kind: report.DocumentTrust, State: report.Known, Text: trust}}}),
		)
		for _, b := range r.predicted.blockers {
			if len(b.Repair.Patch) > 0 && !json.Valid(b.Repair.Patch) {
				t.Errorf("the patch is no JSON: %q", b.Repair.Patch)
			}
		}
	})
}

var _ Sessions = noSessions{&broker.Broker{}}
