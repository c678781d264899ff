package unixsock

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
)

// FuzzFrames writes frames of the given sizes, cuts the bytes into pieces, and compares
// the count.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 127, 128, 200, 255}, uint16(1))
	f.Add([]byte{5, 5, 5}, uint16(100))
	f.Fuzz(func(t *testing.T, sizes []byte, piece uint16) {
		var out bytes.Buffer
		out.WriteString(http2.ClientPreface)
		w := http2.NewFramer(&out, nil)
		want := 0
		for i, n := range sizes {
			var err error
			if i%3 == 2 {
				err = w.WriteContinuation(1, false, make([]byte, n)) // no DATA frame
			} else if err = w.WriteData(1, false, make([]byte, n)); n > 0 && n < tinyFrame {
				want++
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		c := newFrameCounter()
		got := 0
		for b := out.Bytes(); len(b) > 0; {
			n := min(int(piece%40)+1, len(b))
			got += c.count(b[:n])
			b = b[n:]
		}
		if got != want {
			t.Errorf("got %d tiny frames, want %d", got, want)
		}
		newFrameCounter().count(sizes) // any bytes
	})
}
