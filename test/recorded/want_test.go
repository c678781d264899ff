package recorded

import (
	"strings"
	"testing"
)

func TestFits(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"", "", true}, {"a", "", false},
		{"abc", "…", true}, {"", "…", true}, {"abc", "a…", true}, {"abc", "…c", true}, {"abc", "…d", false}, {"abc", "b…", false},
		{"a1b2c", "a…b…c", true}, {"a1c", "a…b…c", false}, {"aa", "a…aa", false}, {"User: x is denied", "User: … is denied", true},
	} {
		if got := fits(c.text, c.pattern); got != c.want {
			t.Errorf("fits(%q, %q) = %v, want %v", c.text, c.pattern, got, c.want)
		}
	}
}

func TestEachDifferenceIsSaid(t *testing.T) {
	a := &Answer{
		Status: 200, Fields: map[string]string{"A": "1", "Extra": "x"}, Headers: []Header{{"X-Amz-Meta-K", "v"}}, Body: []byte("body"),
	}
	same := func(s string) string { return strings.ReplaceAll(s, "$ONE", "1") }
	for name, c := range map[string]struct {
		want Want
		says string
	}{
		"nothing":                {answers(200).field("A", "$ONE").header("x-amz-meta-k", "v").body("body"), ""},
		"the status":             {answers(204), "status 200, want 204"},
		"a field":                {answers(200).field("A", "2"), `A: got "1", want "2"`},
		"a field that is absent": {answers(200).field("B", "2"), `B: absent, want "2"`},
		"a field too many":       {answers(200).without("Extra"), `Extra: got "x", want none`},
		"a header":               {answers(200).header("x-amz-meta-k", "w"), `header x-amz-meta-k: got "v", want "w"`},
		"a header's case":        {answers(200).header("x-amz-meta-k", "v").exactCase(), `header x-amz-meta-k: absent, want "v"`},
		"a header too many":      {answers(200).withoutHeader("x-amz-meta-k"), `header x-amz-meta-k: got "v", want none`},
		"the body":               {answers(200).body("other"), `body: got "body", want "other"`},
	} {
		if got := strings.Join(c.want.differences(a, same), "; "); got != c.says {
			t.Errorf("%s: got %q, want %q", name, got, c.says)
		}
	}
}
