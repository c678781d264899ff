package s3

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

var (
	errChunkFormat    = errors.New("malformed aws-chunked body")
	errChunkSignature = errors.New("chunk signature does not match")
	errChunkSize      = errors.New("a chunk that is not the last is too small")
	errTrailer        = errors.New("malformed trailer")
)

const (
	maxChunkLine   = 4 << 10
	minChunk       = 8 << 10 // of all chunks but the last
	maxTrailerSize = 16 << 10
	emptySHA256    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// chunkSigner checks the chain of chunk signatures; nil for unsigned chunks.
type chunkSigner struct {
	key      []byte
	previous string
	stamp    string // time and scope, one a line
	sum      hash.Hash
}

func (c *chunkSigner) check(sig string) error {
	toSign := "AWS4-HMAC-SHA256-PAYLOAD\n" + c.stamp + "\n" + c.previous + "\n" + emptySHA256 + "\n" + hex.EncodeToString(c.sum.Sum(nil))
	return c.compare(toSign, sig)
}

func (c *chunkSigner) checkTrailer(trailer []byte, sig string) error {
	sum := sha256.Sum256(trailer)
	return c.compare("AWS4-HMAC-SHA256-TRAILER\n"+c.stamp+"\n"+c.previous+"\n"+hex.EncodeToString(sum[:]), sig)
}

func (c *chunkSigner) compare(toSign, sig string) error {
	want := hex.EncodeToString(kernel.HMAC(c.key, toSign))
	if !hmac.Equal([]byte(want), []byte(sig)) {
		return errChunkSignature
	}
	c.previous = want
	c.sum.Reset()
	return nil
}

// chunkReader decodes an aws-chunked body. After io.EOF trailer holds the
// trailing headers, names in lower case.
type chunkReader struct {
	r       *bufio.Reader
	signer  *chunkSigner
	trailer map[string]string

	left     int64
	size     int64 // of the chunk that is being read
	chunkSig string
	started  bool
	err      error
}

func newChunkReader(r io.Reader, signer *chunkSigner) *chunkReader {
	return &chunkReader{r: bufio.NewReaderSize(r, 64<<10), signer: signer, trailer: map[string]string{}}
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 {
		if c.err = c.nextChunk(); c.err != nil {
			return 0, c.err
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.signer != nil {
		c.signer.sum.Write(p[:n])
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	return n, err
}

func (c *chunkReader) nextChunk() error {
	if c.started {
		if line, err := c.line(); err != nil || line != "" {
			return errOr(err, errChunkFormat)
		}
		if c.signer != nil {
			if err := c.signer.check(c.chunkSig); err != nil {
				return err
			}
		}
	}
	c.started = true
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 40)
	if err != nil {
		return errChunkFormat
	}
	c.chunkSig = ""
	if c.signer != nil {
		sig, ok := strings.CutPrefix(ext, "chunk-signature=")
		if !ok {
			return errChunkFormat
		}
		c.chunkSig = sig
	}
	if n > 0 {
		if c.size > 0 && c.size < minChunk {
			return errChunkSize
		}
		c.left, c.size = int64(n), int64(n)
		return nil
	}
	if c.signer != nil {
		if err := c.signer.check(c.chunkSig); err != nil {
			return err
		}
	}
	return c.readTrailer()
}

// readTrailer reads the lines after the last chunk and returns io.EOF when all is well.
func (c *chunkReader) readTrailer() error {
	var signed bytes.Buffer
	total := 0
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		if total += len(line); total > maxTrailerSize {
			return errChunkFormat
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return errTrailer
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			if c.signer == nil {
				return errChunkFormat
			}
			if err := c.signer.checkTrailer(signed.Bytes(), value); err != nil {
				return err
			}
			c.trailer[name] = value
			continue
		}
		signed.WriteString(name + ":" + value + "\n")
		c.trailer[name] = value
	}
	if c.signer != nil && signed.Len() > 0 && c.trailer["x-amz-trailer-signature"] == "" {
		return errChunkSignature
	}
	return io.EOF
}

// line reads up to CRLF. At the end of input it returns io.ErrUnexpectedEOF.
func (c *chunkReader) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return strings.TrimRight(string(line), "\r\n"), io.ErrUnexpectedEOF
	}
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return "", errChunkFormat
		}
		return "", err
	}
	if len(line) > maxChunkLine || len(line) < 2 || line[len(line)-2] != '\r' {
		return "", errChunkFormat
	}
	return string(line[:len(line)-2]), nil
}

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// carried reports whether the trailer has the announced header and no other. name is
// empty when none was announced.
func (c *chunkReader) carried(name string) bool {
	for have := range c.trailer {
		if have != name && have != "x-amz-trailer-signature" {
			return false
		}
	}
	_, ok := c.trailer[name]
	return ok || name == ""
}
