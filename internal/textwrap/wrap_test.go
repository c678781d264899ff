package textwrap

import (
	"strings"
	"testing"
)

func TestWrapKeepsWordsAndJSON(t *testing.T) {
	arn := "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
	for _, c := range []struct{ name, text, want string }{
		{"a word that is too long", "one two " + arn + " three\n{\n  \"a b\": 1\n}", "one two\n" + arn + "\nthree\n{\n  \"a b\": 1\n}"},
		{"a command", "run `brokerctl wait x`, then go", "run\n`brokerctl wait x`,\nthen go"},
		{"a lone backquote", "it` is a b c d e f", "it` is a b c\nd e f"},
		{"colours are free", "\x1b[31mone two\x1b[0m three", "\x1b[31mone two\x1b[0m\nthree"},
		{"wide characters", "日本語 日本語 x", "日本語\n日本語 x"},
		{"an empty line", "a\n\nb", "a\n\nb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Wrap(c.text, 12); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHangIndentsTheRestOfALine(t *testing.T) {
	got := Hang("  + one two three four\nshort\n    key:  a b c d e f g h", 14)
	want := "  + one two\n    three four\nshort\n    key:  a b\n      c d e f\n      g h"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if text := strings.Repeat("word ", 100); Hang(text, 0) != text {
		t.Error("a width of 0 is not unlimited")
	}
}

func TestIndentLeavesEmptyLinesEmpty(t *testing.T) {
	if got, want := Indent("a\n\nb\n", "  "), "  a\n\n  b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCutFitsItsColumns(t *testing.T) {
	for _, c := range []struct{ text, want string }{{"abcdefg", "abcde…"}, {"abcde", "abcde"}, {"日本語語", "日本…"}, {"é́éé", "é́éé"}} {
		if got := Cut(c.text, 6); got != c.want || Columns(got) > 6 {
			t.Errorf("%q: got %q with %d columns, want %q", c.text, got, Columns(got), c.want)
		}
	}
}

// No word is lost or added, and only words are wider than the limit.
func FuzzHang(f *testing.F) {
	f.Add("  a line `brokerctl x` with \x1b[1mcolour\x1b[0m and 日本", 10)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if width < 0 || width > 200 {
			return
		}
		got := Hang(text, width)
		if a, b := strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(got), " "); a != b {
			t.Errorf("%q became %q", a, b)
		}
	})
}

func TestReflowFillsParagraphsAndKeepsTheRest(t *testing.T) {
	text := "# A heading\none two\nthree four\n\n" +
		"- an item\n  of two lines\n- b\n\n| a table | of cells |\n```sh\na b c d e f g h i\n```\n  indented line stays\n1. first item"
	want := "# A heading\none two three\nfour\n\n" +
		"- an item of\n  two lines\n- b\n\n| a table | of cells |\n```sh\na b c d e f g h i\n```\n  indented line stays\n1. first item"
	if got := Reflow(text, 13); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	list := "  a      of three\n         words\n  b c    short\n\n  no definition"
	if got, want := Reflow(list, 16), "  a      of\n         three\n         words\n  b c    short\n\n  no definition"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Reflow("one two\nthree", 40); got != "one two three" {
		t.Errorf("got %q", got)
	}
}
