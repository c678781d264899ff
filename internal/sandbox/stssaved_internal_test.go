package sandbox

import "testing"

func TestTheIssuersKeyIsRestored(t *testing.T) {
	k := newKernel(kernelOptions{})
	was, err := newSTS(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := was.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	got, err := newSTS(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.restore(data); err != nil {
		t.Fatal(err)
	}
	if !was.issuer().Equal(got.issuer()) {
		t.Error("tokens of before are refused: the issuer has another key")
	}
}
