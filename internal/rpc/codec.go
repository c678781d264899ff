package rpc

import (
	"google.golang.org/grpc/encoding"
	stock "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// frame receives one message of an upload stream. Exactly one of its fields is set.
type frame struct {
	// chunk holds the bytes of a message that consists of one chunk, in the buffers that
	// they arrived in. The holder of the frame frees them, once.
	chunk mem.BufferSlice
	// msg holds any other message.
	msg *brokerdv1.UploadRequest
}

// free releases the buffers.
func (f *frame) free() {
	f.chunk.Free()
	f.chunk = nil
}

// codec is the stock codec, except for a *frame. The stock codec copies the bytes of a
// chunk twice: into one piece of memory, and then into the message. For a *frame the bytes
// stay in their buffers. A message that is not exactly one chunk goes to the stock codec,
// so that clients see no difference.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(stock.Name)} }

// Unmarshal implements encoding.CodecV2. The caller frees data afterwards.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if f.chunk = chunkOf(data); f.chunk != nil {
		return nil
	}
	f.msg = &brokerdv1.UploadRequest{}
	return c.CodecV2.Unmarshal(data, f.msg)
}

// chunkTag is the key of UploadRequest.chunk: field 2, length-delimited.
const chunkTag = 2<<3 | 2

// chunkOf gives references to the bytes of a message that holds exactly one chunk
// that is not empty, in the one encoding that senders use, with its prefix in one
// buffer. Nil: it is anything else.
func chunkOf(data mem.BufferSlice) mem.BufferSlice {
	if len(data) == 0 {
		return nil
	}
	head := data[0].ReadOnlyData()
	prefix, length := chunkPrefix(head)
	if prefix == 0 || prefix+length != data.Len() {
		return nil
	}
	chunk := make(mem.BufferSlice, 0, len(data))
	if len(head) > prefix {
		chunk = append(chunk, data[0].Slice(prefix, len(head)))
	}
	for _, b := range data[1:] {
		b.Ref()
		chunk = append(chunk, b)
	}
	return chunk
}

// chunkPrefix reads tag and length in their shortest encoding; n is 0 when they
// are something else, or not all there.
func chunkPrefix(b []byte) (n, length int) {
	if len(b) < 2 || b[0] != chunkTag {
		return 0, 0
	}
	for i, c := range b[1:min(len(b), 5)] { // four bytes hold more than maxMessage
		length |= int(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c == 0 { // empty, or longer than it need be
				return 0, 0
			}
			return i + 2, length
		}
	}
	return 0, 0
}
