package checks

import (
	"slices"
	"testing"
)

func TestCodesAreFoundAsPeopleWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"BRK-KMS-010": "BRK-KMS-010", "brk-kms-010": "BRK-KMS-010", " kms-10 ": "BRK-KMS-010", "KMS_010": "BRK-KMS-010", "kms10": "BRK-KMS-010",
		"s3-1": "BRK-S3-001", "brk s3 21": "BRK-S3-021", "s3021": "BRK-S3-021", "decrypt": "DECRYPT",
	} {
		if got := Normalize(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func TestNearCodes(t *testing.T) {
	for _, c := range []struct {
		word  string
		first string // among the first
	}{
		{"BRK-KMS-01O", "BRK-KMS-010"}, // a letter O
		{"BRK-KSM-010", "BRK-KMS-010"},
		{"kms", "BRK-KMS-001"},
		{"boundary", "BRK-POL-001"},
	} {
		near := Near(c.word)
		if !slices.Contains(near, c.first) || len(near) > mostNear {
			t.Errorf("near %q are %v, want %s among them", c.word, near, c.first)
		}
	}
	if near := Near("pizza"); len(near) > 0 {
		t.Errorf("near a word that means nothing are %v", near)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"kms-10", "BRK-S3-001", "", "-", "BRK-", "s3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Normalize(s)
		if twice := Normalize(once); twice != once {
			t.Errorf("%q becomes %q, and that %q", s, once, twice)
		}
		Near(s)
	})
}
