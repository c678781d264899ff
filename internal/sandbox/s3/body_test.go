package s3

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

func TestCombinedChecksumsEqualTheWhole(t *testing.T) {
	for _, algorithm := range []string{"CRC32", "CRC32C", "CRC64NVME"} {
		whole := newChecksum(algorithm)
		var parts []summedPart
		for _, size := range []int{5 << 20, 1, 0, 4096, 12345} {
			data := make([]byte, size)
			_, _ = rand.Read(data)
			whole.Write(data)
			one := newChecksum(algorithm)
			one.Write(data)
			parts = append(parts, summedPart{base64.StdEncoding.EncodeToString(one.Sum(nil)), int64(size)})
		}
		got, err := fullObjectChecksum(algorithm, parts)
		if want := base64.StdEncoding.EncodeToString(whole.Sum(nil)); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", algorithm, got, err, want)
		}
	}
}

func TestCRC64NVMEIsTheCatalogued(t *testing.T) {
	h := newChecksum("CRC64NVME")
	h.Write([]byte("123456789"))
	if got := hex.EncodeToString(h.Sum(nil)); got != "ae8b14860a799888" {
		t.Errorf("check value %s", got)
	}
}

// signedChunks is an aws-chunked body with a chain of signatures.
func signedChunks(signer chunkSigner, trailer string, chunks ...string) string {
	var b strings.Builder
	for _, c := range append(chunks, "") {
		sum := sha256.Sum256([]byte(c))
		sig := hex.EncodeToString(
			kernel.HMAC(signer.key, "AWS4-HMAC-SHA256-PAYLOAD\n"+signer.stamp+"\n"+signer.previous+"\n"+emptySHA256+"\n"+hex.EncodeToString(sum[:])),
		)
		signer.previous = sig
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(c), sig, c)
		if c != "" {
			b.WriteString("\r\n")
		}
	}
	if trailer != "" {
		sum := sha256.Sum256([]byte(trailer + "\n"))
		sig := hex.EncodeToString(
			kernel.HMAC(signer.key, "AWS4-HMAC-SHA256-TRAILER\n"+signer.stamp+"\n"+signer.previous+"\n"+hex.EncodeToString(sum[:])),
		)
		b.WriteString(trailer + "\r\nx-amz-trailer-signature:" + sig + "\r\n")
	}
	return b.String() + "\r\n"
}

func TestChunkedBodies(t *testing.T) {
	signer := func() *chunkSigner {
		return &chunkSigner{key: []byte("key"), previous: "seed", stamp: "20260101T000000Z\n20260101/eu-west-1/s3/aws4_request",
			sum: sha256.New()}
	}
	hello := strings.Repeat("hello ", minChunk/6+1)
	head := fmt.Sprintf("%x\r\n%s\r\n", len(hello), hello)
	signed := signedChunks(*signer(), "", hello, "world")
	rows := []struct {
		name, body string
		signer     *chunkSigner
		want       string
		err        error
	}{
		{"unsigned", head + "5\r\nworld\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", nil, hello + "world", nil},
		{"signed", signed, signer(), hello + "world", nil},
		{"signed with a trailer", signedChunks(*signer(), "x-amz-checksum-crc32:AAAAAA==", hello, "world"), signer(), hello + "world", nil},
		{"a small chunk before the last", "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", nil, "", errChunkSize},
		{"without the empty line at the end", head + "0\r\n", nil, "", io.ErrUnexpectedEOF},
		{"a trailer without a name", "5\r\nhello\r\n0\r\n:AAAAAA==\r\n\r\n", nil, "", errTrailer},
		{"one byte changed", strings.Replace(signed, "world", "wOrld", 1), signer(), "", errChunkSignature},
		{"the last chunk is missing", signed[:strings.Index(signed, "\r\n0;")], signer(), "", io.ErrUnexpectedEOF},
		{"a chunk without a signature", "5\r\nhello\r\n0\r\n\r\n", signer(), "", errChunkFormat},
		{"cut in a chunk", "6\r\nhel", nil, "", io.ErrUnexpectedEOF},
		{"no length", "hello\r\n", nil, "", errChunkFormat},
		{"more than the chunk says", "2\r\nhello\r\n0\r\n\r\n", nil, "", errChunkFormat},
		{"a length without end", strings.Repeat("0", 1<<17), nil, "", errChunkFormat},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := io.ReadAll(newChunkReader(strings.NewReader(row.body), row.signer))
			if !errors.Is(err, row.err) || (row.err == nil && string(got) != row.want) {
				t.Errorf("read %q, %v; want %q, %v", got, err, row.want, row.err)
			}
		})
	}
}

func FuzzChunkedBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"), false)
	f.Add([]byte("0;chunk-signature=00\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, signed bool) {
		var signer *chunkSigner
		if signed {
			signer = &chunkSigner{key: []byte("k"), previous: "p", stamp: "s", sum: sha256.New()}
		}
		out, err := io.ReadAll(newChunkReader(bytes.NewReader(data), signer))
		if len(out) > len(data) {
			t.Errorf("%d bytes became %d", len(data), len(out))
		}
		if err == nil && signed && len(out) > 0 {
			t.Error("bytes without a valid signature were accepted")
		}
	})
}

func FuzzRequestDocuments(f *testing.F) {
	f.Add([]byte(`<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`))
	f.Add(
		[]byte(
			`<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>` +
				`<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`,
		),
	)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(completeRequest), new(encryptionXML), new(ownershipXML), new(publicAccessXML), new(versioningXML)} {
			if err := parseXML(data, v); err != nil {
				var api *kernel.Error
				if !errors.As(err, &api) || api.Code != "MalformedXML" {
					t.Errorf("error %v", err)
				}
				continue
			}
			if _, err := xml.Marshal(v); err != nil {
				t.Errorf("a document that was read cannot be written: %v", err)
			}
		}
	})
}

// Whatever a form's policy says, there is an error or a policy within S3's limits.
func FuzzPostPolicy(f *testing.F) {
	f.Add(`{"expiration":"2144-11-08T04:19:33Z","conditions":[{"bucket":"b"},["starts-with","$key","x"],["content-length-range",1,"9"]]}`)
	f.Add(`{"expiration":"2020-01-01T00:00:00Z","conditions":[[]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePostPolicy(base64.StdEncoding.EncodeToString([]byte(text)), time.Unix(1e9, 0))
		if err != nil {
			return
		}
		if p.most > maxPutSize || p.least < 0 {
			t.Errorf("a range from %d to %d", p.least, p.most)
		}
		for _, c := range p.conditions {
			if c.operator != "eq" && c.operator != "starts-with" {
				t.Errorf("an operator %q", c.operator)
			}
		}
	})
}
