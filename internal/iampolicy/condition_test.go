package iampolicy

import (
	"fmt"
	"testing"
)

// TestConditions follows reference_policies_elements_condition_operators.html
// and reference_policies_multi-value-conditions.html. The context is that of
// key k; nil means that the key is absent.
func TestConditions(t *testing.T) {
	cases := []struct {
		name, operator, value string
		got                   []string
		want                  bool
	}{
		{"equal strings", "StringEquals", `"a"`, []string{"a"}, true},
		{"strings differ in case", "StringEquals", `"a"`, []string{"A"}, false},
		{"values are alternatives", "StringEquals", `["a","b"]`, []string{"b"}, true},
		{"StringEquals takes a star as text", "StringEquals", `"a*"`, []string{"ab"}, false},
		{"StringEquals without the key", "StringEquals", `"a"`, nil, false},
		{"StringEquals with an empty list of values", "StringEquals", `[]`, []string{"a"}, false},
		{"StringNotEquals another", "StringNotEquals", `"a"`, []string{"b"}, true},
		{"StringNotEquals the same", "StringNotEquals", `"a"`, []string{"a"}, false},
		{"StringNotEquals is none of", "StringNotEquals", `["a","b"]`, []string{"b"}, false},
		{"StringNotEquals without the key", "StringNotEquals", `"a"`, nil, true},
		{"StringNotEquals one of several request values", "StringNotEquals", `"a"`, []string{"b", "a"}, false},
		{"ignoring case", "StringEqualsIgnoreCase", `"aB"`, []string{"Ab"}, true},
		{"not equal ignoring case", "StringNotEqualsIgnoreCase", `"aB"`, []string{"Ab"}, false},
		{"not equal ignoring case without the key", "StringNotEqualsIgnoreCase", `"a"`, nil, true},
		{"StringLike star", "StringLike", `"a*c"`, []string{"abbc"}, true},
		{"StringLike question mark", "StringLike", `"a?c"`, []string{"abc"}, true},
		{"StringLike question mark is not two", "StringLike", `"a?c"`, []string{"abbc"}, false},
		{"StringLike with regard to case", "StringLike", `"A*"`, []string{"abc"}, false},
		{"StringLike star on an empty value", "StringLike", `"*"`, []string{""}, true},
		{"StringLike needs the whole", "StringLike", `"b"`, []string{"abc"}, false},
		{"StringLike many stars", "StringLike", `"*a*b*c*"`, []string{"xxaxxbxxcxx"}, true},
		{"StringNotLike", "StringNotLike", `"a*"`, []string{"abc"}, false},
		{"StringNotLike another", "StringNotLike", `"a*"`, []string{"bc"}, true},
		{"StringNotLike without the key", "StringNotLike", `"a*"`, nil, true},
		{"IfExists without the key", "StringEqualsIfExists", `"a"`, nil, true},
		{"IfExists with the key", "StringEqualsIfExists", `"a"`, []string{"b"}, false},
		{"negated IfExists without the key", "StringNotEqualsIfExists", `"a"`, nil, true},
		{"StringLikeIfExists", "StringLikeIfExists", `"a*"`, []string{"ab"}, true},
		{"numbers", "NumericEquals", `"10"`, []string{"10"}, true},
		{"numbers by value", "NumericEquals", `"10"`, []string{"10.0"}, true},
		{"number without quotes", "NumericEquals", `10`, []string{"10"}, true},
		{"numbers beyond 2^53", "NumericEquals", `"9007199254740993"`, []string{"9007199254740992"}, false},
		{"no number", "NumericEquals", `"10"`, []string{"ten"}, false},
		{"NumericNotEquals", "NumericNotEquals", `"10"`, []string{"11"}, true},
		{"NumericNotEquals without the key", "NumericNotEquals", `"10"`, nil, true},
		{"less", "NumericLessThan", `"10"`, []string{"9"}, true},
		{"not less when equal", "NumericLessThan", `"10"`, []string{"10"}, false},
		{"less by value, not by text", "NumericLessThan", `"10"`, []string{"9.99"}, true},
		{"less or equal", "NumericLessThanEquals", `"10"`, []string{"10"}, true},
		{"greater", "NumericGreaterThan", `"10"`, []string{"11"}, true},
		{"greater than negative", "NumericGreaterThan", `"-5"`, []string{"-4"}, true},
		{"greater or equal", "NumericGreaterThanEquals", `"10"`, []string{"10"}, true},
		{"less without the key", "NumericLessThan", `"10"`, nil, false},
		{"less IfExists without the key", "NumericLessThanIfExists", `"10"`, nil, true},
		{"dates in zones", "DateEquals", `"2026-01-01T00:00:00Z"`, []string{"2026-01-01T01:00:00+01:00"}, true},
		{"date and epoch", "DateEquals", `"1970-01-02T00:00:00Z"`, []string{"86400"}, true},
		{"day only", "DateLessThan", `"2026-01-02"`, []string{"2026-01-01T23:59:59Z"}, true},
		{"year only", "DateGreaterThanEquals", `"2026"`, []string{"2026-01-01T00:00:00Z"}, true},
		{"later", "DateGreaterThan", `"2026-01-01T00:00:00Z"`, []string{"2026-01-01T00:00:01Z"}, true},
		{"not later", "DateGreaterThan", `"2026-01-01T00:00:00Z"`, []string{"2026-01-01T00:00:00Z"}, false},
		{"fractions of a second", "DateGreaterThan", `"2026-01-01T00:00:00Z"`, []string{"2026-01-01T00:00:00.5Z"}, true},
		{"at most", "DateLessThanEquals", `"2026-01-01T00:00:00Z"`, []string{"2026-01-01T00:00:00Z"}, true},
		{"another date", "DateNotEquals", `"2026-01-01T00:00:00Z"`, []string{"2026-01-02T00:00:00Z"}, true},
		{"no date", "DateLessThan", `"2026-01-01"`, []string{"soon"}, false},
		{"date without the key", "DateLessThan", `"2026-01-01"`, nil, false},
		{"bool true", "Bool", `"true"`, []string{"true"}, true},
		{"bool without quotes", "Bool", `true`, []string{"true"}, true},
		{"bool in another case", "Bool", `"True"`, []string{"true"}, true},
		{"bool false", "Bool", `"false"`, []string{"true"}, false},
		{"bool without the key", "Bool", `"false"`, nil, false},
		{"BoolIfExists without the key", "BoolIfExists", `"true"`, nil, true},
		{"bool of another word", "Bool", `"yes"`, []string{"yes"}, false},
		{"binary", "BinaryEquals", `"QmluYXJ5"`, []string{"QmluYXJ5"}, true},
		{"binary differs", "BinaryEquals", `"QmluYXJ5"`, []string{"QmluYXJ6"}, false},
		{"address in a block", "IpAddress", `"203.0.113.0/24"`, []string{"203.0.113.9"}, true},
		{"address out of a block", "IpAddress", `"203.0.113.0/24"`, []string{"203.0.114.9"}, false},
		{"block with host bits", "IpAddress", `"203.0.113.77/24"`, []string{"203.0.113.9"}, true},
		{"address without mask", "IpAddress", `"203.0.113.9"`, []string{"203.0.113.9"}, true},
		{"address without mask is one", "IpAddress", `"203.0.113.9"`, []string{"203.0.113.8"}, false},
		{"version 6", "IpAddress", `"2001:db8::/32"`, []string{"2001:db8:1::1"}, true},
		{"version 6 in another form", "IpAddress", `"2001:DB8:0:0:0:0:0:1"`, []string{"2001:db8::1"}, true},
		{"version 4 is not in a block of version 6", "IpAddress", `"::/0"`, []string{"203.0.113.9"}, false},
		{"everything", "IpAddress", `"0.0.0.0/0"`, []string{"203.0.113.9"}, true},
		{"no address", "IpAddress", `"0.0.0.0/0"`, []string{"here"}, false},
		{"NotIpAddress inside", "NotIpAddress", `"203.0.113.0/24"`, []string{"203.0.113.9"}, false},
		{"NotIpAddress outside of all", "NotIpAddress", `["10.0.0.0/8","203.0.113.0/24"]`, []string{"192.0.2.1"}, true},
		{"NotIpAddress without the key", "NotIpAddress", `"203.0.113.0/24"`, nil, true},
		{"ArnEquals", "ArnEquals", `"arn:aws:s3:::b"`, []string{"arn:aws:s3:::b"}, true},
		{"ArnEquals takes wildcards", "ArnEquals", `"arn:aws:iam::*:role/x*"`, []string{"arn:aws:iam::111122223333:role/xy"}, true},
		{"ArnLike", "ArnLike", `"arn:aws:iam::111122223333:role/*"`, []string{"arn:aws:iam::111122223333:role/a/b"}, true},
		{"ArnLike with regard to case", "ArnLike", `"arn:aws:iam::111122223333:role/A"`, []string{"arn:aws:iam::111122223333:role/a"}, false},
		{"ArnLike field by field", "ArnLike", `"arn:aws:s3:*:b"`, []string{"arn:aws:s3:::b"}, false},
		{"ArnLike of no ARN", "ArnLike", `"arn:aws:s3:::b*"`, []string{"b"}, false},
		{"ArnLike star alone", "ArnLike", `"*"`, []string{"arn:aws:s3:::b"}, true},
		{"ArnLike without the key", "ArnLike", `"arn:aws:s3:::b"`, nil, false},
		{"ArnNotEquals", "ArnNotEquals", `"arn:aws:s3:::b"`, []string{"arn:aws:s3:::c"}, true},
		{"ArnNotLike", "ArnNotLike", `"arn:aws:s3:::b*"`, []string{"arn:aws:s3:::bc"}, false},
		{"ArnNotLike without the key", "ArnNotLike", `"arn:aws:s3:::b*"`, nil, true},
		{"Null true and absent", "Null", `"true"`, nil, true},
		{"Null true and present", "Null", `"true"`, []string{"a"}, false},
		{"Null false and present", "Null", `"false"`, []string{"a"}, true},
		{"Null false and absent", "Null", `false`, nil, false},
		{"Null of both", "Null", `["true","false"]`, nil, true},
		{"Null of an empty list", "Null", `"true"`, []string{}, true},
		{"ForAllValues subset", "ForAllValues:StringEquals", `["a","b","c"]`, []string{"a", "b"}, true},
		{"ForAllValues with a stranger", "ForAllValues:StringEquals", `["a","b"]`, []string{"a", "z"}, false},
		{"ForAllValues without the key", "ForAllValues:StringEquals", `"a"`, nil, true},
		{"ForAllValues of an empty string", "ForAllValues:StringEquals", `"a"`, []string{""}, true},
		{"ForAllValues of an empty list", "ForAllValues:StringEquals", `"a"`, []string{}, true},
		{"ForAllValues like", "ForAllValues:StringLike", `"a*"`, []string{"ab", "ac"}, true},
		{"ForAllValues negated", "ForAllValues:StringNotEquals", `["a","b"]`, []string{"c", "d"}, true},
		{"ForAllValues negated with one", "ForAllValues:StringNotEquals", `["a","b"]`, []string{"c", "a"}, false},
		{"ForAnyValue one fits", "ForAnyValue:StringEquals", `["a","b"]`, []string{"z", "b"}, true},
		{"ForAnyValue none fits", "ForAnyValue:StringEquals", `["a","b"]`, []string{"z"}, false},
		{"ForAnyValue without the key", "ForAnyValue:StringEquals", `"a"`, nil, false},
		{"ForAnyValue negated: one is another", "ForAnyValue:StringNotEquals", `"a"`, []string{"a", "b"}, true},
		{"ForAnyValue negated: all the same", "ForAnyValue:StringNotEquals", `"a"`, []string{"a"}, false},
		{"ForAnyValue negated without the key", "ForAnyValue:StringNotEquals", `"a"`, nil, false},
		{"ForAnyValue IfExists without the key", "ForAnyValue:StringEqualsIfExists", `"a"`, nil, true},
		{"ForAllValues of numbers", "ForAllValues:NumericLessThan", `5`, []string{"1", "4"}, true},
		{"several request values with a plain operator: none fits", "StringEquals", `"a"`, []string{"b", "c"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			context := map[string][]string{}
			if c.got != nil {
				context["aws:K"] = c.got
			}
			for _, effect := range []string{"Allow", "Deny"} {
				sc := Scenario{
					Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountA, Context: context},
				}
				sc.Policies.Identity = ident(
					t, fmt.Sprintf(`{"Effect":%q,"Action":"*","Resource":"*","Condition":{%q:{"aws:k":%s}}}`, effect, c.operator, c.value),
				)
				if effect == "Deny" {
					sc.Policies.Identity = append(sc.Policies.Identity, ident(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)...)
				}
				r := Evaluate(sc)
				want := map[string]Decision{"Allowtrue": Allowed, "Allowfalse": ImplicitDeny, "Denytrue": ExplicitDeny,
					"Denyfalse": Allowed}[fmt.Sprint(effect, c.want)]
				if r.Decision != want {
					t.Errorf("%s: got %s, want %s", effect, r.Decision, want)
				}
				// A key that is not known never gives a sure answer.
				sc.Request.Context, sc.Request.UnknownContext = nil, []string{"AWS:k"}
				if r := Evaluate(sc); r.Decision == Allowed && effect == "Allow" || r.Decision == ExplicitDeny {
					t.Errorf("%s with an unknown key: got %s", effect, r.Decision)
				}
			}
		})
	}
}

func TestConditionsCombine(t *testing.T) {
	cases := []struct {
		name, condition string
		context         map[string][]string
		want            Decision
	}{
		{"operators are all needed", `{"StringEquals":{"aws:a":"1"},"NumericEquals":{"aws:b":"2"}}`,
			map[string][]string{"aws:a": {"1"}, "aws:b": {"3"}}, ImplicitDeny},
		{"keys are all needed", `{"StringEquals":{"aws:a":"1","aws:b":"2"}}`, map[string][]string{"aws:a": {"1"}}, ImplicitDeny},
		{"all hold", `{"StringEquals":{"aws:a":"1","aws:b":"2"}}`, map[string][]string{"aws:a": {"1"}, "aws:b": {"2"}}, Allowed},
		{"empty block holds", `{}`, nil, Allowed},
		{"key name without regard to case", `{"StringEquals":{"AWS:sourceVPC":"v"}}`, map[string][]string{"aws:SourceVpc": {"v"}}, Allowed},
		{"tag key in another case", `{"StringEquals":{"aws:PrincipalTag/Team":"v"}}`,
			map[string][]string{"aws:PrincipalTag/team": {"v"}}, Allowed},
		{"tag key in another case, in a variable", `{"StringEquals":{"s3:prefix":"${aws:PrincipalTag/Team}"}}`,
			map[string][]string{"aws:PrincipalTag/team": {"v"}, "s3:prefix": {"v"}}, Allowed},
		{"tag prefix without regard to case", `{"StringEquals":{"AWS:principaltag/Team":"v"}}`,
			map[string][]string{"aws:PrincipalTag/Team": {"v"}}, Allowed},
		{"derived principal ARN is the role", `{"ArnEquals":{"aws:PrincipalArn":"` + roleA + `"}}`, nil, Allowed},
		{"derived principal ARN is not the session", `{"ArnEquals":{"aws:PrincipalArn":"` + sessionA + `"}}`, nil, ImplicitDeny},
		{"derived account", `{"StringEquals":{"aws:PrincipalAccount":"111122223333","aws:ResourceAccount":"111122223333",` +
			`"s3:ResourceAccount":"111122223333"}}`, nil, Allowed},
		{"derived type", `{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}`, nil, Allowed},
		{"not via a service", `{"Bool":{"aws:ViaAWSService":"false"}}`, nil, Allowed},
		{"not a service", `{"Bool":{"aws:PrincipalIsAWSService":"false"}}`, nil, Allowed},
		{"the scenario wins over what is derived", `{"StringEquals":{"aws:PrincipalAccount":"999999999999"}}`,
			map[string][]string{"aws:principalaccount": {"999999999999"}}, Allowed},
		{"user id", `{"StringEquals":{"aws:userid":"AROAEXAMPLE:s1"}}`, nil, Allowed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := Evaluate(Scenario{Request: Request{Principal: sessionA, PrincipalID: "AROAEXAMPLE", Action: "s3:PutObject", Resource: object,
				ResourceAccount: accountA, Context: c.context},
				Policies: PolicySet{Identity: ident(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+c.condition+`}`)}})
			if r.Decision != c.want {
				t.Errorf("got %s, want %s: %+v", r.Decision, c.want, r.Layers)
			}
		})
	}
}
