package verify_test

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// AWS allows what an old copy denies: a warning about the copy, and no fault.
func TestAnOldCopyIsToldFromAFault(t *testing.T) {
	w := world(t)
	good := string(w.Docs.Identity)
	must(t, w.PutIdentity(t.Context(), strings.Replace(good, `"s3:PutObject"`, `"s3:GetObject"`, 1)))
	old := documents(t, w, "AB")
	must(t, w.PutIdentity(t.Context(), good))
	r := runWith(t, w, report.RunOptions{Policies: old})
	got := checkOf(t, r, "BRK-POL-104")
	if got.Result != report.Warn || got.Code != "BRK-POL-011" || r.Result() != report.Pass {
		t.Errorf("got %s %s, the whole is %s: %s", got.Result, got.Code, r.Result(), got.Why)
	}
}

// AWS denies a request that every document allows: the finding lists the possible causes
// and the query that finds the refusal.
func TestADisagreementIsAFindingOfItsOwn(t *testing.T) {
	w := world(t)
	must(
		t,
		w.Sandbox.SetGuardrails(w.Sandbox.AccountA(), sandbox.Guardrails{OrganizationID: "o-accountsaaa1", ServiceControl: []string{scpInside}}),
	)
	r := runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")})
	got := firstProblem(t, r)
	if got.Code != "BRK-POL-010" || !strings.Contains(got.Why, "service control policy") ||
		!strings.Contains(got.Why, "resource control policy") || !strings.Contains(got.Fix.Command, "cloudtrail") ||
		!strings.Contains(got.Fix.Command, "assumed-role/"+testbed.RoleName) || !strings.Contains(got.Fix.Text, got.Evidence[0].RequestID) ||
		!strings.Contains(got.Fix.Owner, "organization") {
		t.Errorf("got %s: %s\n%+v", got.Code, got.Why, got.Fix)
	}
}

const (
	scpInside = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}, {"Sid":"Inside","Effect":"Deny",` +
		`"Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceOrgID":"o-accountsaaa1"}}}]}`
	scpList   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sts:*"],"Resource":"*"}]}`
	rcpInside = `{"Version":"2012-10-17","Statement":[{"Sid":"Inside","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*",` +
		`"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-bucketsorg1"}}}]}`
)

// With the texts of an organization's policies, the statement is named.
func TestPoliciesOfAnOrganizationAreNamedWhenTheyAreGiven(t *testing.T) {
	for _, c := range []struct {
		name                  string
		make                  func(w *testbed.World) error
		doc                   func(w *testbed.World) report.PolicyDocument
		code, side, kind, sid string
	}{
		{
			"an SCP that denies", func(w *testbed.World) error {
				return w.Sandbox.SetGuardrails(w.Sandbox.AccountA(),
					sandbox.Guardrails{OrganizationID: "o-accountsaaa1", ServiceControl: []string{scpInside}})
			},
			func(*testbed.World) report.PolicyDocument {
				return report.PolicyDocument{Kind: report.DocumentSCP, State: report.Known, Name: "perimeter", Level: "Root", Text: scpInside}
			}, "BRK-POL-003", "A", report.ArtefactSCP, "Inside",
		},
		{
			"an SCP that does not list KMS", func(w *testbed.World) error {
				return w.Sandbox.SetGuardrails(w.Sandbox.AccountA(),
					sandbox.Guardrails{OrganizationID: "o-accountsaaa1", ServiceControl: []string{scpList}})
			},
			func(*testbed.World) report.PolicyDocument {
				return report.PolicyDocument{Kind: report.DocumentSCP, State: report.Known, Name: "services", Level: "Root", Text: scpList}
			}, "BRK-POL-003", "A", report.ArtefactSCP, "",
		},
		{
			"an RCP", func(w *testbed.World) error {
				return w.Sandbox.SetGuardrails(w.Sandbox.AccountB(),
					sandbox.Guardrails{OrganizationID: "o-bucketsorg1", ResourceControl: []string{rcpInside}})
			},
			func(*testbed.World) report.PolicyDocument {
				return report.PolicyDocument{Kind: report.DocumentRCP, State: report.Known, Name: "perimeter", Level: "Root", Text: rcpInside}
			}, "BRK-POL-004", "B", report.ArtefactRCP, "Inside",
		},
		{
			"the policy of a VPC endpoint", func(w *testbed.World) error {
				url, err := w.Sandbox.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-0a", VPC: "vpc-0b", Policy: misconfig.OnlyAccountA(w)})
				w.Config.AWS.Endpoints.S3 = url
				return err
			},
			func(w *testbed.World) report.PolicyDocument {
				return report.PolicyDocument{Kind: report.DocumentEndpointPolicy, State: report.Known, Name: "vpce-0a", Text: misconfig.OnlyAccountA(w)}
			}, "BRK-POL-005", "A", report.ArtefactEndpointPolicy, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			must(t, c.make(w))
			policies := documents(t, w, "AB")
			policies.Documents = append(policies.Documents, c.doc(w))
			r := runWith(t, w, report.RunOptions{Policies: policies})
			got := firstProblem(t, r)
			if got.Code != c.code || string(got.Account.Side) != c.side || got.Artefact.Kind != c.kind {
				t.Fatalf("got %s %s %s: %s", got.Code, got.Account.Side, got.Artefact.Kind, got.Why)
			}
			if c.sid != "" && (got.Artefact.Statement == nil || got.Artefact.Statement.Sid != c.sid) || len(got.Fix.Patch) == 0 {
				t.Errorf("statement %+v, fix %+v", got.Artefact.Statement, got.Fix)
			}
		})
	}
}

// AWS's text names the key policy, and it is the role's policy: said so.
func TestAMisleadingTextIsCorrected(t *testing.T) {
	w := world(t)
	for _, m := range misconfig.All() {
		if m.Name == "the key policy lets the account in, and the role's policy lacks KMS: the key policy is blamed" {
			must(t, m.Make(t.Context(), w))
		}
	}
	got := firstProblem(t, runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")}))
	if got.Code != "BRK-KMS-011" || got.Confidence != report.Proven ||
		!strings.Contains(got.Why, "AWS's text names the key policy, which is not at fault") ||
		!strings.Contains(got.Why, "delegates to the whole account") {
		t.Errorf("got %s (%s): %s", got.Code, got.Confidence, got.Why)
	}
}

func TestThePathShowsWhereAnObjectStops(t *testing.T) {
	edges := func(r report.Report) string {
		var out []string
		for _, e := range r.Path.Edges {
			out = append(out, e.To+" "+string(e.Result))
		}
		return strings.Join(out, ", ")
	}
	rows := map[string]misconfig.Mistake{}
	for _, m := range misconfig.All() {
		rows[m.Name] = m
	}
	for name, want := range map[string]string{
		"":                                            "brokerd unknown, source pass, role pass, bucket pass, key pass",
		"the application's key was deleted":           "brokerd unknown, source fail, role unknown, bucket unknown, key unknown",
		"the trust policy names somebody else":        "brokerd unknown, source pass, role fail, bucket unknown, key unknown",
		"the role's policy lacks s3:PutObject":        "brokerd unknown, source pass, role pass, bucket fail, key unknown",
		"the key policy does not let the role in":     "brokerd unknown, source pass, role pass, bucket pass, key fail",
		"the role's policy lacks kms:GenerateDataKey": "brokerd unknown, source pass, role pass, bucket pass, key fail",
		"the key is disabled":                         "brokerd unknown, source pass, role pass, bucket pass, key fail",
		"S3 cannot be reached":                        "brokerd unknown, source pass, role pass, bucket fail, key unknown",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			if name != "" {
				must(t, rows[name].Make(t.Context(), w))
			}
			r := runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")})
			if got := edges(r); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// A role that cannot clean up uploads all the same: a warning, however much is known.
func TestAnAbortThatIsNotAllowedIsAWarning(t *testing.T) {
	for _, sides := range []string{"AB", "A", ""} {
		w := world(t)
		must(t, w.PutBucketPolicy(t.Context(), withoutWord(w.Docs.Bucket, "s3:AbortMultipartUpload")))
		r := runWith(t, w, report.RunOptions{Policies: documents(t, w, sides)})
		got := checkOf(t, r, "BRK-S3-003")
		if got.Result != report.Warn || got.Code != "BRK-S3-030" || r.Result() != report.Pass ||
			!strings.Contains(got.Fix.Text, "abort-multipart-upload") {
			t.Errorf("reading %q: %s %s, the whole is %s: %s", sides, got.Result, got.Code, r.Result(), got.Fix.Text)
		}
		told := 0
		for _, c := range r.Fixes() {
			if len(c.Fix.Patch) > 0 {
				told++
			}
		}
		if told != 1 {
			t.Errorf("reading %q: the repair is told %d times", sides, told)
		}
	}
}
