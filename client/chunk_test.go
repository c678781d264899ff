package client

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestChunksAreEncodedAsEverybodyEncodesThem(t *testing.T) {
	var pool chunkPool
	c := newCodec()
	for _, n := range []int{1, 127, 128, 1000, 16383, 16384, chunkSize} {
		buf := pool.Get(0)
		data := (*buf)[chunkRoom : chunkRoom+n]
		for i := range data {
			data[i] = byte(i * 7)
		}
		want, err := proto.Marshal(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Chunk{Chunk: bytes.Clone(data)}})
		if err != nil {
			t.Fatal(err)
		}
		ch := pool.seal(buf, n)
		out, err := c.Marshal(ch)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Materialize(), want) {
			t.Errorf("a chunk of %d bytes is encoded otherwise", n)
		}
		if _, err := c.Marshal(ch); err == nil {
			t.Error("one buffer was sent twice")
		}
		// The next user may get the buffer once it was written, and not before.
		out.Free()
	}
}
