package awsarn

import (
	"strings"
	"testing"
)

func TestParseKeepsEveryField(t *testing.T) {
	for text, want := range map[string]ARN{
		"arn:aws:iam::111122223333:role/team/uploader":            {"aws", "iam", "", "111122223333", "role/team/uploader"},
		"arn:aws:s3:::bucket/a:b/c":                               {"aws", "s3", "", "", "bucket/a:b/c"},
		"arn:aws-cn:kms:cn-north-1:444455556666:key/1":            {"aws-cn", "kms", "cn-north-1", "444455556666", "key/1"},
		"arn:aws:sts::111122223333:assumed-role/uploader/session": {"aws", "sts", "", "111122223333", "assumed-role/uploader/session"},
		"arn:aws:cloudtrail:eu-west-1:111122223333:trail/t":       {"aws", "cloudtrail", "eu-west-1", "111122223333", "trail/t"},
		"arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/AB": {"aws", "iam", "", "111122223333",
			"oidc-provider/oidc.example.com/id/AB"},
	} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "arn", "role/x", "arn:aws:iam::1", "arn::iam::1:role/x", "arn:aws:::1:role/x", "arn:aws:iam::1:",
		"urn:aws:iam::1:role/x"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", text, got)
		}
		if Account(text) != "" || Partition(text) != "" || Role(text) != text || Session(text, "s") != text {
			t.Errorf("%q: a text that is not an ARN was taken apart", text)
		}
	}
}

func TestParts(t *testing.T) {
	role, _ := Parse("arn:aws:iam::111122223333:role/a/b/uploader")
	if role.Type() != "role" || role.Name() != "uploader" || role.Path() != "/a/b/" || !role.Is("iam", "role") || role.Is("sts", "role") {
		t.Errorf("%+v: type %q, name %q, path %q", role, role.Type(), role.Name(), role.Path())
	}
	plain, _ := Parse("arn:aws:iam::111122223333:role/uploader")
	root, _ := Parse("arn:aws:iam::111122223333:root")
	if plain.Path() != "/" || root.Type() != "" || root.Path() != "/" || root.Name() != "root" {
		t.Errorf("path %q, root's type %q, path %q, name %q", plain.Path(), root.Type(), root.Path(), root.Name())
	}
}

func TestSessionsAndRoles(t *testing.T) {
	const session = "arn:aws-us-gov:sts::111122223333:assumed-role/uploader/nightly"
	if got := Session("arn:aws-us-gov:iam::111122223333:role/a/uploader", "nightly"); got != session {
		t.Errorf("Session = %q, want %q", got, session)
	}
	if got, want := Role(session), "arn:aws-us-gov:iam::111122223333:role/uploader"; got != want {
		t.Errorf("Role = %q, want %q", got, want)
	}
	const user = "arn:aws:iam::111122223333:user/ann"
	if Role(user) != user {
		t.Errorf("Role(%q) = %q", user, Role(user))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:s3:::b/k")
	f.Add("arn:::::")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		if a.String() != s {
			t.Errorf("%q is written as %q", s, a.String())
		}
		_, _, _ = a.Type(), a.Name(), a.Path()
		if r := Role(s); r != s && strings.Contains(r, "assumed-role/") {
			t.Errorf("Role(%q) = %q", s, r)
		}
	})
}
