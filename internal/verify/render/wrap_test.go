package render

import "testing"

func TestWrapKeepsWhatHasNoSpacesAndJSON(t *testing.T) {
	arn := "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
	got := Wrap("one two "+arn+" three\n{\n  \"a b\": 1\n}", 12)
	want := "one two\n" + arn + "\nthree\n{\n  \"a b\": 1\n}"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIndentLeavesEmptyLinesEmpty(t *testing.T) {
	if got, want := Indent("a\n\nb\n", "  "), "  a\n\n  b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
