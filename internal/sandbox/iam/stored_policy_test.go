package iam

import (
	"strings"
	"testing"
)

func TestPrincipalsAreFoundWhereTheyStand(t *testing.T) {
	text := `{"Statement":[{"Principal":{"AWS":["a\"b","c"],"Service":"s"},"Condition":{"StringEquals":{"Principal":"no"}}},` +
		`{"NotPrincipal":"*","Sid":"Principal"}]}`
	got, err := principalLiterals([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range got {
		names = append(names, l.kind+"="+text[l.start:l.end])
	}
	if want := `AWS="a\"b" AWS="c" Service="s" AWS="*"`; strings.Join(names, " ") != want {
		t.Errorf("found %s, want %s", names, want)
	}
}

func FuzzPrincipals(f *testing.F) {
	f.Add([]byte(`{"Statement":{"Principal":{"AWS":"arn:aws:iam::111122223333:root"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		literals, err := principalLiterals(data)
		if err != nil {
			return
		}
		at := 0
		for _, l := range literals {
			if l.start < at || l.end <= l.start || data[l.start] != '"' || data[l.end-1] != '"' {
				t.Errorf("%q: literal %+v", data, l)
			}
			at = l.end
		}
	})
}
