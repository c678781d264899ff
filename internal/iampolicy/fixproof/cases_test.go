package fixproof

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const version = `{"Version":"2012-10-17","Statement":[`

// upload is a put by the role of account A into the bucket of account B.
func upload(t *testing.T, bucketPolicy string, headers map[string][]string) iampolicy.Scenario {
	t.Helper()
	context := map[string][]string{"aws:SecureTransport": {"true"}}
	for k, v := range headers {
		context[k] = v
	}
	return iampolicy.Scenario{
		Request: iampolicy.Request{Principal: sessionA, RoleARN: roleA, Action: "s3:PutObject", Resource: objectB, ResourceAccount: accountB,
			Context: context},
		Policies: iampolicy.PolicySet{
			Identity: []iampolicy.NamedPolicy{
				{Policy: parse(t, version+`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*"}]}`)},
			},
			Resource: parse(t, bucketPolicy),
		},
	}
}

const (
	sse      = "s3:x-amz-server-side-encryption"
	sseKey   = sse + "-aws-kms-key-id"
	allowApp = `{"Effect":"Allow","Principal":{"AWS":["` + roleA + `","arn:aws:iam::` + accountA + `:role/other"]},"Action":"s3:PutObject",` +
		`"Resource":"arn:aws:s3:::bucket/*"}`
	deny = `{"Sid":"D","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*","Condition":`
)

// pair are the two statements that the S3 User Guide shows for SSE-KMS.
const pair = version + allowApp + `,` + deny + `{"StringNotEquals":{"` + sse + `":"aws:kms"}}},
	{"Sid":"Missing","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*","Condition":{"Null":{"` +
	sse + `":"true"}}}]}`

func proposed(t *testing.T, sc iampolicy.Scenario) iampolicy.Result {
	t.Helper()
	r := iampolicy.Evaluate(sc)
	if r.Decision == iampolicy.Allowed {
		t.Fatal("the scenario is allowed")
	}
	return Propose(sc, r)
}

func TestThePairOfDenyStatementsStays(t *testing.T) {
	r := proposed(t, upload(t, pair, nil))
	for _, f := range r.Fixes {
		if f.Kind != iampolicy.ChangeRequest {
			t.Errorf("want the header in the request, got %s", jsonOf(r.Fixes))
		}
	}
	if len(r.Fixes) == 0 {
		t.Errorf("no fix: %+v", r.Advice)
	}
	// The replacement that locks every writer with encryption out is refused.
	before := upload(t, pair, nil)
	after := before
	after.Policies.Resource = parse(t, strings.Replace(pair, `{"Null":{"`+sse+`":"true"}}`, `{"Null":{"`+sse+`":"false"}}`, 1))
	p := Prove(before, after)
	opens, closes := false, false
	for _, e := range p.Effects {
		opens, closes = opens || e.Opens(), closes || !e.Opens()
	}
	if p.Safe() || !closes {
		t.Errorf("opens %v, closes %v: %+v", opens, closes, p)
	}
}

func TestADenyThatNamesAnAliasExemptsThisRoleAlone(t *testing.T) {
	const alias = `{"StringNotEquals":{"` + sseKey + `":"arn:aws:kms:eu-west-1:` + accountB + `:alias/logs"}}}]}`
	sc := upload(t, version+allowApp+","+deny+alias, map[string][]string{sse: {"aws:kms"}, sseKey: {keyB}})
	fixes := iampolicy.Candidates(sc)
	var exempts bool
	for _, c := range fixes {
		for _, f := range c {
			exempts = exempts || strings.Contains(string(f.Statement), `"ArnNotEquals":{"aws:PrincipalArn":"`+roleA+`"}`)
		}
	}
	if !exempts {
		t.Errorf("no candidate exempts the role: %s", jsonOf(fixes))
	}
	// Writing our key into the statement locks out everyone who follows it.
	after := sc
	after.Policies.Resource = parse(
		t, strings.Replace(version+allowApp+","+deny+alias, "alias/logs", keyB[strings.LastIndex(keyB, ":")+1:], 1),
	)
	if p := Prove(sc, after); p.Safe() || !p.Allows {
		t.Errorf("%+v", p)
	}
}

func TestAWebIdentityKeepsSubjectAndAudience(t *testing.T) {
	const sub, aud = "token.actions.githubusercontent.com:sub", "token.actions.githubusercontent.com:aud"
	sc := iampolicy.Scenario{
		Request: iampolicy.Request{Principal: github, Action: "sts:AssumeRoleWithWebIdentity", Resource: targetB,
			Context: map[string][]string{sub: {"repo:org/app:ref:refs/heads/dev"}, aud: {"sts.amazonaws.com"}}},
		Policies: iampolicy.PolicySet{Resource: parse(t,
			version+`{"Effect":"Allow","Principal":{"Federated":"`+github+`"},"Action":"sts:AssumeRoleWithWebIdentity",
			"Condition":{"StringEquals":{"`+aud+`":"sts.amazonaws.com","`+sub+`":"repo:org/app:ref:refs/heads/main"}}}]}`)},
	}
	r := proposed(t, sc)
	if len(r.Fixes) != 1 {
		t.Fatalf("got %s, %+v", jsonOf(r.Fixes), r.Advice)
	}
	var s struct {
		Condition map[string]map[string]string
	}
	if err := json.Unmarshal(r.Fixes[0].Statement, &s); err != nil || s.Condition["StringEquals"][sub] != "repo:org/app:ref:refs/heads/dev" ||
		s.Condition["StringEquals"][aud] != "sts.amazonaws.com" {
		t.Errorf("%v: %s", err, r.Fixes[0].Statement)
	}
	without := sc
	without.Request.Context = map[string][]string{aud: {"sts.amazonaws.com"}}
	if r := proposed(t, without); len(r.Fixes) != 0 || len(r.Advice) == 0 {
		t.Errorf("without a subject: %s", jsonOf(r.Fixes))
	}
}

func TestAServiceKeepsItsSource(t *testing.T) {
	const trail = "arn:aws:cloudtrail:eu-west-1:" + accountA + ":trail/"
	sc := upload(t, version+`{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject",`+
		`"Resource":"arn:aws:s3:::bucket/*","Condition":{"StringEquals":{"aws:SourceArn":"`+trail+`t2"}}}]}`,
		map[string][]string{"aws:SourceArn": {trail + "t1"}, "aws:SourceAccount": {accountA}})
	sc.Request.Principal, sc.Request.RoleARN, sc.Policies.Identity = "cloudtrail.amazonaws.com", "", nil
	r := proposed(t, sc)
	if len(r.Fixes) != 1 || !strings.Contains(string(r.Fixes[0].Statement), trail+`t1"`) ||
		!strings.Contains(string(r.Fixes[0].Statement), `"aws:SourceAccount":"`+accountA) {
		t.Errorf("got %s, %+v", jsonOf(r.Fixes), r.Advice)
	}
}

// TestAGuardIsNeverDropped: an external id, MFA and https that a statement asks for
// are sent by the caller; no statement without them is proposed.
func TestAGuardIsNeverDropped(t *testing.T) {
	trust := parse(t, version+`{"Effect":"Allow","Principal":{"AWS":"`+
		roleA+`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"id-1"},"Bool":{"aws:MultiFactorAuthPresent":"true",`+
		`"aws:SecureTransport":"true"}}}]}`)
	sc := iampolicy.Scenario{
		Request: iampolicy.Request{Principal: sessionA, RoleARN: roleA, Action: "sts:AssumeRole", Resource: targetB,
			Context: map[string][]string{"sts:ExternalId": {"wrong"}}},
		Policies: iampolicy.PolicySet{Identity: openPolicies(), Resource: trust},
	}
	r := proposed(t, sc)
	if len(r.Fixes) != 1 || r.Fixes[0].Kind != iampolicy.ChangeRequest || len(r.Fixes[0].Context) != 3 {
		t.Errorf("got %s, %+v", jsonOf(r.Fixes), r.Advice)
	}
}

// TestAGuardrailIsNeverRemoved: one caller's failure does not lift a Deny of an
// organization, of a bucket or of an identity policy.
func TestAGuardrailIsNeverRemoved(t *testing.T) {
	for i := range 400 {
		sc := generator{newRand(i)}.scenario(t)
		for _, c := range iampolicy.Candidates(sc) {
			for _, f := range c {
				if f.Kind == iampolicy.RemoveStatement && sc.PublicAccessBlock == nil {
					t.Fatalf("scenario %d: %s", i, jsonOf(f))
				}
			}
		}
	}
}

func TestNothingIsProposedForAnonymousCallers(t *testing.T) {
	sc := upload(t, version+allowApp+"]}", nil)
	sc.Request.Principal, sc.Request.RoleARN, sc.Policies.Identity = "*", "", nil
	if r := proposed(t, sc); len(r.Fixes) != 0 || len(r.Advice) != 1 {
		t.Errorf("got %s, %+v", jsonOf(r.Fixes), r.Advice)
	}
}

func TestAnSCPIsOpenedForThisRoleAlone(t *testing.T) {
	sc := upload(t, version+allowApp+"]}", nil)
	sc.Policies.ServiceControl = []iampolicy.LevelPolicies{
		{Level: "ou", Policies: []iampolicy.NamedPolicy{{Policy: parse(t, version+`{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`)}}},
	}
	r := proposed(t, sc)
	if len(r.Fixes) != 1 || !strings.Contains(string(r.Fixes[0].Statement), `"aws:PrincipalArn":"`+roleA+`"`) {
		t.Errorf("got %s, %+v", jsonOf(r.Fixes), r.Advice)
	}
}
