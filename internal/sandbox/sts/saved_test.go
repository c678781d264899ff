package sts

import (
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

func TestTheIssuersKeyIsRestored(t *testing.T) {
	k := kernel.New(kernel.Options{})
	was, err := New(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := was.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	got, err := New(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Restore(data); err != nil {
		t.Fatal(err)
	}
	if !was.issuer().Equal(got.issuer()) {
		t.Error("tokens of before are refused: the issuer has another key")
	}
}
