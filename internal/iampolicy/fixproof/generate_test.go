package fixproof

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
	roleA    = "arn:aws:iam::" + accountA + ":role/app"
	sessionA = "arn:aws:sts::" + accountA + ":assumed-role/app/s1"
	github   = "arn:aws:iam::" + accountB + ":oidc-provider/token.actions.githubusercontent.com"
	samlIDP  = "arn:aws:iam::" + accountB + ":saml-provider/corp"
	objectB  = "arn:aws:s3:::bucket/logs/x"
	keyB     = "arn:aws:kms:eu-west-1:" + accountB + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
	targetB  = "arn:aws:iam::" + accountB + ":role/target"
)

// generator makes scenarios from few values, so that statements often matter.
type generator struct{ *rand.Rand }

// newRand is the source of scenario i; the seed is one for all tests.
func newRand(i int) *rand.Rand { return rand.New(rand.NewPCG(9_100_000, uint64(i))) }

func (g generator) pick(s ...string) string { return s[g.IntN(len(s))] }
func (g generator) chance(n int) bool       { return g.IntN(n) == 0 }

type object = map[string]any

// scenario makes one request with documents around it.
func (g generator) scenario(t testing.TB) iampolicy.Scenario {
	t.Helper()
	sc := iampolicy.Scenario{Request: iampolicy.Request{Context: map[string][]string{}}}
	r := &sc.Request
	action := g.target(r)
	g.caller(r)
	g.context(r)
	p := &sc.Policies
	if g.IntN(8) > 0 {
		p.Resource = g.document(t, action, true, 3)
	}
	for range g.IntN(3) {
		p.Identity = append(p.Identity, iampolicy.NamedPolicy{Name: "p", Policy: g.document(t, action, false, 2)})
	}
	optional := func(n int) []iampolicy.NamedPolicy {
		if !g.chance(n) {
			return nil
		}
		return []iampolicy.NamedPolicy{{Name: "o", Policy: g.document(t, action, false, 2)}}
	}
	p.Boundary, p.Session = optional(6), optional(6)
	if g.chance(6) {
		p.VPCEndpoint = []iampolicy.NamedPolicy{{Name: "e", Policy: g.document(t, action, true, 2)}}
	}
	if g.chance(5) {
		p.ServiceControl = []iampolicy.LevelPolicies{
			{Level: "root", Policies: append(optional(2), iampolicy.NamedPolicy{Name: "full", Policy: parse(t, openPolicy)})},
			{Level: "ou", Policies: optional(1)},
		}
	}
	if g.chance(5) {
		p.ResourceControl = []iampolicy.LevelPolicies{
			{Level: "root", Policies: []iampolicy.NamedPolicy{{Name: "rcp", Policy: parse(t, g.text([]object{g.statement(action, "Deny", "*")}))}}},
		}
	}
	if action == "s3" && g.chance(4) {
		sc.PublicAccessBlock = &iampolicy.PublicAccessBlock{RestrictPublicBuckets: g.chance(2), BlockPublicAcls: g.chance(2)}
	}
	if g.chance(25) {
		sc.NotSupplied = []iampolicy.Layer{iampolicy.LayerSCP}
	}
	return sc
}

func (g generator) target(r *iampolicy.Request) string {
	switch g.IntN(4) {
	case 0:
		r.Action, r.Resource = g.pick("kms:GenerateDataKey", "kms:Decrypt"), keyB
		return "kms"
	case 1:
		r.Action, r.Resource = "sts:AssumeRole", targetB
		return "sts"
	default:
		r.Action, r.Resource, r.ResourceAccount = g.pick("s3:PutObject", "s3:PutObject", "s3:GetObject"), objectB, accountB
		return "s3"
	}
}

func (g generator) caller(r *iampolicy.Request) {
	token := func(provider, action, sub, aud string) {
		r.Principal = provider
		if r.Action == "sts:AssumeRole" {
			r.Action = action
		}
		if g.IntN(8) > 0 {
			r.Context[sub] = []string{g.pick("repo:org/app:ref:refs/heads/main", "repo:org/app:ref:refs/heads/dev", "ann")}
		}
		if g.IntN(8) > 0 {
			r.Context[aud] = []string{g.pick("sts.amazonaws.com", "https://signin.aws.amazon.com/saml")}
		}
	}
	n := g.IntN(12)
	if r.Action == "sts:AssumeRole" && g.chance(2) {
		n = 8 + g.IntN(2)
	}
	switch n {
	case 0:
		r.Principal = "arn:aws:iam::" + accountA + ":user/ann"
	case 1:
		r.Principal, r.RoleARN = "arn:aws:sts::"+accountB+":assumed-role/app/s1", "arn:aws:iam::"+accountB+":role/team/app"
	case 2:
		r.Principal = "arn:aws:iam::" + g.pick(accountA, accountB) + ":root"
	case 3:
		r.Principal = "*"
	case 4, 5:
		r.Principal = g.pick("cloudtrail.amazonaws.com", "logging.s3.amazonaws.com")
		if g.IntN(6) > 0 {
			r.Context["aws:SourceAccount"] = []string{g.pick(accountA, accountB)}
		}
		if g.IntN(3) > 0 {
			r.Context["aws:SourceArn"] = []string{"arn:aws:cloudtrail:eu-west-1:" + accountA + ":trail/" + g.pick("t1", "t2")}
		}
	case 8:
		token(github, "sts:AssumeRoleWithWebIdentity", "token.actions.githubusercontent.com:sub", "token.actions.githubusercontent.com:aud")
	case 9:
		token(samlIDP, "sts:AssumeRoleWithSAML", "SAML:sub", "SAML:aud")
	default:
		r.Principal, r.RoleARN = sessionA, roleA
	}
}

func (g generator) context(r *iampolicy.Request) {
	maybe := func(key string, values ...string) {
		if g.chance(2) {
			r.Context[key] = []string{g.pick(values...)}
		}
	}
	maybe("aws:SecureTransport", "true", "true", "true", "false")
	maybe("aws:SourceIp", "192.0.2.10", "203.0.113.9")
	maybe("aws:SourceVpce", "vpce-1", "vpce-2")
	maybe("aws:MultiFactorAuthPresent", "true", "false")
	if r.Principal == sessionA {
		maybe("aws:PrincipalOrgID", "o-a", "o-b")
		maybe("aws:PrincipalTag/team", "red", "blue")
	}
	switch r.Action {
	case "s3:PutObject":
		maybe("s3:x-amz-server-side-encryption", "aws:kms", "AES256")
		maybe("s3:x-amz-server-side-encryption-aws-kms-key-id", keyB, "alias/k")
		maybe("s3:x-amz-acl", "bucket-owner-full-control", "private", "public-read")
		if g.chance(4) {
			r.Context["s3:RequestObjectTagKeys"] = []string{"env", "cost"}
		}
	case "kms:GenerateDataKey", "kms:Decrypt":
		maybe("kms:ViaService", "s3.eu-west-1.amazonaws.com", "s3.us-east-1.amazonaws.com")
		maybe("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::bucket", objectB)
	case "sts:AssumeRole":
		maybe("sts:ExternalId", "id-1", "id-2")
		maybe("aws:RequestTag/team", "red")
	}
}

func (g generator) document(t testing.TB, action string, principal bool, n int) *iampolicy.Document {
	var out []object
	for range 1 + g.IntN(n) {
		effect := "Allow"
		if g.chance(3) {
			effect = "Deny"
		}
		who := ""
		if principal {
			who = g.pick("*", roleA, roleA, "arn:aws:iam::"+accountA+":role/other", "arn:aws:iam::"+accountA+":root",
				"arn:aws:iam::"+accountB+":role/writer", accountB, "service", "service", "federated", "saml")
		}
		out = append(out, g.statement(action, effect, who))
	}
	return parse(t, g.text(out))
}

func (g generator) text(statements []object) string {
	doc := object{"Version": "2012-10-17", "Statement": statements}
	if g.chance(12) {
		delete(doc, "Version")
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return ""
	}
	return string(text)
}

func (g generator) statement(action, effect, who string) object {
	s := object{"Effect": effect}
	if g.chance(3) {
		s["Sid"] = fmt.Sprintf("S%d", g.IntN(1000))
	}
	if who != "" {
		principal := map[string]any{
			"*": "*", "service": object{"Service": g.pick("cloudtrail.amazonaws.com", "logging.s3.amazonaws.com")},
			"federated": object{"Federated": github}, "saml": object{"Federated": samlIDP},
		}[who]
		if principal == nil {
			principal = object{"AWS": who}
		}
		element := "Principal"
		if effect == "Deny" && who != "*" && g.chance(6) {
			element = "NotPrincipal"
		}
		s[element] = principal
	}
	s[g.pick("Action", "Action", "Action", "Action", "NotAction")] = g.pick(map[string][]string{
		"s3": {"s3:PutObject", "s3:*", "s3:GetObject", "*", "s3:Put*"}, "kms": {"kms:*", "kms:GenerateDataKey", "kms:Decrypt"},
		"sts": {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:*", "sts:AssumeRoleWithSAML"},
	}[action]...)
	if s["NotAction"] != nil && g.chance(2) {
		s["NotAction"] = "iam:*"
	}
	if action != "sts" || who == "" {
		s["Resource"] = map[string][]string{
			"s3": {"*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/logs/*", "arn:aws:s3:::bucket/logs/${aws:PrincipalTag/team}*",
				"arn:aws:s3:::other/*"},
			"kms": {"*", "*", keyB}, "sts": {"*", targetB},
		}[action][g.IntN(map[string]int{"s3": 5, "kms": 3, "sts": 2}[action])]
	}
	if g.IntN(5) > 1 {
		s["Condition"] = g.conditions(action)
	}
	return s
}

func (g generator) conditions(action string) object {
	out := object{}
	put := func(op, key string, value any) {
		if out[op] == nil {
			out[op] = object{}
		}
		out[op].(object)[key] = value
	}
	for range 1 + g.IntN(2) {
		switch g.IntN(14) {
		case 0, 1:
			put(g.pick("Bool", "Bool", "BoolIfExists"), "aws:SecureTransport", g.pick("true", "false"))
		case 2:
			put(g.pick("IpAddress", "NotIpAddress"), "aws:SourceIp", g.pick("192.0.2.0/24", "203.0.113.9"))
		case 3:
			put(g.pick("StringEquals", "StringNotEquals", "StringNotEqualsIfExists"), "aws:SourceVpce", g.pick("vpce-1", "vpce-2"))
		case 4:
			put(g.pick("StringEquals", "StringNotEquals", "StringNotEqualsIfExists"), "aws:PrincipalOrgID", g.pick("o-a", "o-b"))
		case 5:
			put(g.pick("StringEquals", "StringNotEquals"), "aws:PrincipalTag/"+g.pick("team", "Team"), g.pick("red", "blue"))
		case 6:
			put(g.pick("Bool", "BoolIfExists"), "aws:MultiFactorAuthPresent", g.pick("true", "false"))
		case 7:
			put(g.pick("ArnLike", "ArnNotLike", "ArnEquals"), "aws:PrincipalArn",
				g.pick(roleA, "arn:aws:iam::"+accountA+":role/*", "arn:aws:iam::"+accountB+":role/writer"))
		case 8:
			put(g.pick("StringEquals", "StringNotEquals"), "aws:SourceAccount", g.pick(accountA, accountB))
		case 9:
			put(g.pick("ArnEquals", "ArnNotEquals", "ArnLike"), "aws:SourceArn",
				"arn:aws:cloudtrail:eu-west-1:"+accountA+":trail/"+g.pick("t1", "t2", "*"))
		default:
			g.specific(action, put)
		}
	}
	return out
}

// specific are conditions on the keys of one service.
func (g generator) specific(action string, put func(op, key string, value any)) {
	switch action {
	case "s3":
		switch g.IntN(6) {
		case 0, 1:
			put(g.pick("StringEquals", "StringNotEquals", "StringNotEqualsIfExists"), "s3:x-amz-server-side-encryption", g.pick("aws:kms", "AES256"))
		case 2:
			put("Null", "s3:x-amz-server-side-encryption", g.pick("true", "false"))
		case 3:
			put(g.pick("StringEquals", "StringNotEquals"), "s3:x-amz-server-side-encryption-aws-kms-key-id", g.pick(keyB, "alias/k"))
		case 4:
			put(g.pick("ForAllValues:StringEquals", "ForAnyValue:StringEquals"), "s3:RequestObjectTagKeys", []string{"env", g.pick("cost", "team")})
		default:
			put(g.pick("StringEquals", "StringNotEquals"), "s3:x-amz-acl", "bucket-owner-full-control")
		}
	case "kms":
		if g.chance(2) {
			put(g.pick("StringEquals", "StringNotEquals"), "kms:ViaService", g.pick("s3.eu-west-1.amazonaws.com", "s3.us-east-1.amazonaws.com"))
		} else {
			put(g.pick("StringEquals", "StringLike"), "kms:EncryptionContext:aws:s3:arn", g.pick("arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"))
		}
	default:
		switch g.IntN(5) {
		case 0, 1:
			put("StringEquals", "sts:ExternalId", g.pick("id-1", "id-2"))
		case 2:
			put(g.pick("StringEquals", "StringLike"), "token.actions.githubusercontent.com:sub",
				g.pick("repo:org/app:ref:refs/heads/main", "repo:org/*"))
		case 3:
			put(g.pick("StringEquals", "StringNotEquals"), "token.actions.githubusercontent.com:aud", "sts.amazonaws.com")
		default:
			put("StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml")
		}
	}
}

func parse(t testing.TB, text string) *iampolicy.Document {
	t.Helper()
	d, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return d
}
