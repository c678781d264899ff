package setup

import (
	"strings"
	"testing"
)

// The plan names the writers that the new Deny statements would refuse, and no other.
func TestOtherWritersThatThePlanRefusesAreNamed(t *testing.T) {
	writer := func(principal, resource, condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Allow","Principal":` + principal +
			`,"Action":"s3:PutObject","Resource":"` + resource + `"` + condition + `}]}`
	}
	const (
		role = `{"AWS":"arn:aws:iam::444455556666:role/other"}`
		all  = "arn:aws:s3:::tenant-bucket/*"
		ours = "arn:aws:s3:::tenant-bucket/logs/*"
	)
	for _, c := range []struct {
		name, policy string
		want, not    []string // in the messages
	}{
		{"a role of B", writer(role, all, ""), []string{"role/other", "SSE-S3", "another KMS key", "plain HTTP", "below logs/"}, nil},
		{"a role below our prefix", writer(role, "arn:aws:s3:::tenant-bucket/logs/team/*", ""), []string{"below logs/team/"}, nil},
		{"a whole account", writer(`{"AWS":"arn:aws:iam::777788889999:root"}`, all, ""), []string{"account 777788889999"}, nil},
		{"an account by its id", writer(`{"AWS":"777788889999"}`, all, ""), []string{"account 777788889999"}, nil},
		{"everyone of an organization", writer(`"*"`, all, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a"}}`),
			[]string{"every caller"}, nil},
		{"a writer that has to send aws:kms", writer(role, all, `,"Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
			[]string{"another KMS key"}, []string{"SSE-S3"}},
		{"a writer of another prefix", writer(role, "arn:aws:s3:::tenant-bucket/payroll/*", ""), nil, []string{"role/other"}},
		{"a reader", strings.Replace(writer(role, ours, ""), "s3:PutObject", "s3:GetObject", 1), nil, []string{"role/other"}},
		{"our own role", writer(`{"AWS":"arn:aws:iam::111122223333:role/Up"}`, ours, ""), nil, []string{"role/Up"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planned(t, stanza+asRole, func(s *Snapshot) {
				for _, b := range s.Buckets {
					b.Policy = KnownPart(c.policy)
				}
			})
			text := ""
			for _, w := range p.Warnings {
				if w.Code == WarnOtherWriters {
					text += w.Message + "\n"
				}
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %q", want, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%q in %q", not, text)
				}
			}
		})
	}
}
