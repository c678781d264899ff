package client

import (
	"encoding/binary"
	"errors"
	"sync"

	"google.golang.org/grpc/encoding"
	stock "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// chunkRoom is what stands before the bytes of a chunk in its buffer: the key and
// the length of UploadRequest.chunk.
const chunkRoom = 1 + 3

// chunkTag is the key of UploadRequest.chunk: field 2, length-delimited.
const chunkTag = 2<<3 | 2

// chunk is an UploadRequest with nothing but object bytes, encoded where they were
// read to. The stock codec would copy them into a buffer that it clears first.
type chunk struct{ encoded mem.Buffer }

// chunkPool keeps the buffers of chunks. gRPC gives a buffer back when it has
// written it, which may be after Send has returned.
type chunkPool struct{ pool sync.Pool }

// Get implements mem.BufferPool; all buffers have one length.
func (p *chunkPool) Get(int) *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, chunkRoom+chunkSize)
	return &b
}

// Put implements mem.BufferPool.
func (p *chunkPool) Put(b *[]byte) { p.pool.Put(b) }

// seal makes a chunk of the n bytes in buf after chunkRoom, 1 to chunkSize. buf is
// not the caller's any more.
func (p *chunkPool) seal(buf *[]byte, n int) *chunk {
	var prefix [1 + binary.MaxVarintLen32]byte
	prefix[0] = chunkTag
	k := 1 + binary.PutUvarint(prefix[1:], uint64(n))
	copy((*buf)[chunkRoom-k:], prefix[:k])
	whole := mem.NewBuffer(buf, p)
	defer whole.Free()
	return &chunk{whole.Slice(chunkRoom-k, chunkRoom+n)}
}

// codec is the stock one, and knows *chunk.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(stock.Name)} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if ch, ok := v.(*chunk); ok {
		if ch.encoded == nil {
			return nil, errors.New("client: a chunk was sent twice")
		}
		out := mem.BufferSlice{ch.encoded}
		ch.encoded = nil
		return out, nil
	}
	return c.CodecV2.Marshal(v)
}
