package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	maxPutSize    = 5 << 30
	maxConfigBody = 64 << 10
	maxPolicyText = 20 << 10
)

// incoming is a request body with the lengths and checksums that it must have.
type incoming struct {
	reader    io.Reader
	length    int64 // decoded
	chunks    *chunkReader
	payload   string // literal SHA-256 of the signature, in hex
	payloadH  hash.Hash
	md5Want   []byte
	md5H      hash.Hash
	algorithm string // of the client's checksum; empty for none
	want      string // base64; empty while the trailer is to come
	trailer   string // name of the trailing header
	sums      map[string]hash.Hash
	trusting  bool // no digest is computed; the client's values are taken
	unsized   bool // length is a limit: the length of the body is not known
}

// openBody reads the headers that describe the body. compute are algorithms to compute in
// addition to the client's; needMD5 computes the MD5 in any case.
func (c *call) openBody(needMD5 bool, compute ...string) (*incoming, error) {
	h := c.HTTP.Header
	in := &incoming{reader: c.Payload, length: c.HTTP.ContentLength, sums: map[string]hash.Hash{}, trusting: c.s.skipChecksums}
	switch c.payloadHash {
	case kernel.PayloadUnsigned, "":
	case kernel.PayloadUnsignedTrailer, kernel.PayloadSigned, kernel.PayloadSignedTrailer:
		var signer *chunkSigner
		if c.payloadHash != kernel.PayloadUnsignedTrailer && c.Signature != nil {
			signer = &chunkSigner{
				key:      c.SigningKey,
				previous: c.Signature.Value,
				stamp:    c.Signature.Time.Format(kernel.AmzTimeLayout) + "\n" + c.Signature.Scope(),
				sum:      sha256.New(),
			}
		}
		in.chunks = newChunkReader(c.Payload, signer)
		in.reader = in.chunks
		n, err := strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || n < 0 {
			return nil, kernel.Fail(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		}
		in.length = n
	default:
		in.payload = c.payloadHash
		if !in.trusting {
			in.payloadH = sha256.New()
		}
	}
	if in.length < 0 {
		return nil, kernel.Fail(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if in.length > maxPutSize {
		return nil, kernel.Fail(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").
			With("ProposedSize", strconv.FormatInt(in.length, 10)).With("MaxSizeAllowed", strconv.FormatInt(maxPutSize, 10))
	}
	if values, ok := h["Content-Md5"]; ok {
		text := values[0]
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(sum) != md5.Size {
			return nil, kernel.Fail(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.").
				With("Content-MD5", text)
		}
		in.md5Want, needMD5 = sum, true
	}
	if needMD5 && !in.trusting {
		in.md5H = md5.New()
	}
	if err := in.readChecksumHeaders(h); err != nil {
		return nil, err
	}
	in.compute(in.algorithm)
	for _, a := range compute {
		in.compute(a)
	}
	return in, nil
}

// compute adds an algorithm to the checksums that are computed; empty means none.
func (in *incoming) compute(algorithm string) {
	if algorithm != "" && !in.trusting && in.sums[algorithm] == nil {
		in.sums[algorithm] = newChecksum(algorithm)
	}
}

// readChecksumHeaders finds the one checksum that the client sends, in a header or a trailer.
func (in *incoming) readChecksumHeaders(h http.Header) error {
	for name, values := range h {
		lower := strings.ToLower(name)
		suffix, ok := strings.CutPrefix(lower, "x-amz-checksum-")
		if !ok || slices.Contains([]string{"algorithm", "type", "mode"}, suffix) {
			continue
		}
		a := strings.ToUpper(suffix)
		switch {
		case !slices.Contains(checksumAlgorithms, a):
			return kernel.Fail(
				http.StatusBadRequest,
				"InvalidRequest",
				"The algorithm type you specified in x-amz-checksum- header is invalid.",
			)
		case in.algorithm != "":
			return multipleChecksums()
		}
		in.algorithm, in.want = a, values[0]
	}
	if in.algorithm != "" && !validChecksumText(in.algorithm, in.want) {
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for %s header is invalid.", checksumHeader(in.algorithm))
	}
	if name := strings.ToLower(strings.TrimSpace(h.Get("X-Amz-Trailer"))); name != "" {
		a := strings.ToUpper(strings.TrimPrefix(name, "x-amz-checksum-"))
		switch {
		case !slices.Contains(checksumAlgorithms, a) || in.chunks == nil:
			return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
		case in.algorithm != "":
			return multipleChecksums()
		}
		in.algorithm, in.trailer = a, name
	}
	sdk := strings.ToUpper(h.Get("X-Amz-Sdk-Checksum-Algorithm"))
	switch {
	case sdk == "" || sdk == in.algorithm:
		return nil
	case !slices.Contains(checksumAlgorithms, sdk):
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	case in.algorithm == "" && h.Get("Content-Md5") == "":
		return kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
		)
	case in.algorithm != "":
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

func multipleChecksums() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"InvalidRequest",
		"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
	)
}

// writers are the hashes that every byte of the body is written to.
func (in *incoming) writers() []io.Writer {
	var out []io.Writer
	if in.payloadH != nil {
		out = append(out, in.payloadH)
	}
	if in.md5H != nil {
		out = append(out, in.md5H)
	}
	for _, h := range in.sums {
		out = append(out, h)
	}
	return out
}

// verify compares the body with its promised length, digests and checksums.
func (in *incoming) verify(size int64) error {
	if size != in.length && !in.unsized {
		return wrongLength()
	}
	if in.chunks != nil && !in.chunks.carried(in.trailer) {
		return malformedTrailer()
	}
	if in.payloadH != nil && hex.EncodeToString(in.payloadH.Sum(nil)) != in.payload {
		return payloadMismatch(in.payload, hex.EncodeToString(in.payloadH.Sum(nil)))
	}
	if in.md5Want != nil && !in.trusting && !bytes.Equal(in.md5Want, in.md5H.Sum(nil)) {
		return kernel.Fail(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.").
			With("ExpectedDigest", hex.EncodeToString(in.md5Want)).
			With("CalculatedDigest", base64.StdEncoding.EncodeToString(in.md5H.Sum(nil)))
	}
	if in.trailer != "" {
		in.want = in.chunks.trailer[in.trailer]
		if !validChecksumText(in.algorithm, in.want) {
			return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for %s trailing header is invalid.", in.trailer)
		}
	}
	if in.want != "" && !in.trusting && in.want != in.sum(in.algorithm) {
		return badChecksum(in.algorithm)
	}
	return nil
}

func payloadMismatch(client, computed string) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "XAmzContentSHA256Mismatch",
		"The provided 'x-amz-content-sha256' header does not match what was computed.").
		With("ClientComputedContentSHA256", client).
		With("S3ComputedContentSHA256", computed)
}

func badChecksum(algorithm string) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "BadDigest", "The %s you specified did not match the calculated checksum.", algorithm)
}

// sum is the body's checksum; empty when it was not computed and the client sent none.
func (in *incoming) sum(algorithm string) string {
	if in.trusting {
		if algorithm == in.algorithm {
			return in.want
		}
		return ""
	}
	return base64.StdEncoding.EncodeToString(in.sums[algorithm].Sum(nil))
}

// md5 is the body's MD5; nil when it was not computed.
func (in *incoming) md5() []byte {
	if in.md5H == nil {
		return nil
	}
	return in.md5H.Sum(nil)
}

func incompleteBody() *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly")
}

func wrongLength() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"IncompleteBody",
		"You did not provide the number of bytes specified by the Content-Length HTTP header",
	)
}

func malformedTrailer() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"MalformedTrailerError",
		"The request contained trailing data that was not well-formed or did not conform to our published schema.",
	)
}

// bodyError turns a failure to read a body into an error of S3.
func bodyError(err error) error {
	var api *kernel.Error
	switch {
	case errors.As(err, &api):
		return err
	case errors.Is(err, errChunkSignature):
		return kernel.Fail(http.StatusForbidden, "SignatureDoesNotMatch", "%s", kernel.S3AuthErrors.BadSignatureText)
	case errors.Is(err, errTooLarge):
		return wrongLength()
	case errors.Is(err, errTrailer):
		return malformedTrailer()
	case errors.Is(err, errChunkSize):
		return kernel.Fail(
			http.StatusBadRequest,
			"InvalidChunkSizeError",
			"Only the last chunk is allowed to have a size less than %d bytes",
			minChunk,
		)
	case errors.Is(err, errChunkFormat), errors.Is(err, io.ErrUnexpectedEOF):
		return incompleteBody()
	}
	return err
}

// maxRefusedBody bounds how much of a body that is too large is read.
const maxRefusedBody = 16 << 20

// countedBody counts the bytes that are read.
type countedBody struct {
	r io.Reader
	n int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	return n, err
}

// store streams the body into a blob and verifies it. mu must not be held.
func (c *call) store(in *incoming) (*blob, error) {
	body := &countedBody{r: in.reader}
	b, err := c.s.blobs.write(body, in.length, in.writers()...)
	if in.unsized && errors.Is(err, errTooLarge) {
		// The answer says the whole size, as far as the rest of the body is read at all.
		_, _ = io.CopyN(io.Discard, body, maxRefusedBody)
		return nil, kernel.Fail(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").
			With("ProposedSize", strconv.FormatInt(body.n, 10)).With("MaxSizeAllowed", strconv.FormatInt(in.length, 10))
	}
	if err != nil {
		return nil, bodyError(err)
	}
	if err := in.verify(b.size); err != nil {
		b.release()
		return nil, err
	}
	c.endPayload()
	return b, nil
}

// control reads a small body whole and verifies it. mu must not be held, for the client
// may be slow.
func (c *call) control(limit int64) ([]byte, error) {
	in, err := c.openBody(false)
	if err != nil {
		return nil, err
	}
	if in.length > limit {
		return nil, kernel.Fail(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too big.").
			With("MaxMessageLengthBytes", strconv.FormatInt(limit, 10))
	}
	data, err := readAllLimited(io.TeeReader(in.reader, io.MultiWriter(in.writers()...)), limit)
	if err != nil {
		return nil, bodyError(err)
	}
	if err := in.verify(int64(len(data))); err != nil {
		return nil, err
	}
	c.endPayload()
	return data, nil
}

// endPayload reads the end of the request, which follows the last chunk of an aws-chunked
// body. net/http closes a connection whose request was not read to its end.
func (c *call) endPayload() { _, _ = io.CopyN(io.Discard, c.Payload, 1) }

// configure decides a configuration call, reads its body without holding mu, and
// hands it to apply with mu held and the bucket found again.
func (c *call) configure(limit int64, apply func(b *bucket, data []byte) error) error {
	return c.configureChecked(limit, nil, apply)
}

// configureChecked is configure with a check between the decision and the body; nil: none.
func (c *call) configureChecked(limit int64, check func(b *bucket) error, apply func(b *bucket, data []byte) error) error {
	return c.configureMaybe(limit, check, func(b *bucket, data []byte) error {
		if len(data) == 0 {
			return kernel.Fail(http.StatusBadRequest, "MissingRequestBodyError", "Request Body is empty")
		}
		return apply(b, data)
	})
}

// configureMaybe is configureChecked for the calls whose body may be empty.
func (c *call) configureMaybe(limit int64, check func(b *bucket) error, apply func(b *bucket, data []byte) error) error {
	err := c.withBucket(func(b *bucket) error {
		if check == nil {
			return nil
		}
		return check(b)
	})
	if err != nil {
		return err
	}
	data, err := c.control(limit)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	b := c.s.buckets[c.bucketName]
	if b == nil {
		return noSuchBucket(c.bucketName)
	}
	return apply(b, data)
}

// parseXML reads a request document strictly enough to refuse other ones.
func parseXML(data []byte, v any) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.Strict = true
	if err := dec.Decode(v); err != nil {
		return malformedXML()
	}
	return nil
}

func malformedXML() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema",
	)
}

func readAllLimited(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLarge
	}
	return b.Bytes(), nil
}
