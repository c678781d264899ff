package s3client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	emptyPayload    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	algorithm = "AWS4-HMAC-SHA256"
	scopeEnd  = "/s3/aws4_request"
)

// signer signs the requests of one Region as the SDK's signer does for S3: header by
// header, with a path that is escaped once.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
type signer struct {
	region string
	key    atomic.Pointer[signingKey] // the last one used
	skew   atomic.Int64               // how far the store's clock is ahead of this host's, in nanoseconds
}

// signingKey is the key of one secret, day and Region. It keeps HMAC states, which cost
// more to make than to use.
type signingKey struct {
	id, secret, date string
	macs             sync.Pool // of hash.Hash
}

// setSkew makes date the present time of the store.
func (s *signer) setSkew(date time.Time) {
	s.skew.Store(int64(time.Until(date)))
}

// now returns the time to sign with: this host's, corrected by the skew.
func (s *signer) now() time.Time {
	return time.Now().Add(time.Duration(s.skew.Load())).UTC()
}

// derived returns the signing key, from memory when it is the last one used. Only two
// sessions that alternate make it derive a key again.
func (s *signer) derived(c aws.Credentials, date string) *signingKey {
	if k := s.key.Load(); k != nil && k.date == date && k.id == c.AccessKeyID && k.secret == c.SecretAccessKey {
		return k
	}
	sum := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	key := sum(sum(sum(sum([]byte("AWS4"+c.SecretAccessKey), date), s.region), "s3"), "aws4_request")
	k := &signingKey{id: c.AccessKeyID, secret: c.SecretAccessKey, date: date}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	s.key.Store(k)
	return k
}

// scratch holds the memory for one request: its canonical form, then its head.
type scratch struct{ buf, head []byte }

// wipe clears the memory before it goes to a pool: it held a session token.
func (s *scratch) wipe() {
	clear(s.buf)
	clear(s.head)
}

// sign appends the value of the Authorization header to out. fields are the signed
// headers, sorted by their lower-case names. stamp is the value of x-amz-date. path and
// query are in their canonical form.
func (s *signer) sign(sc *scratch, out []byte, c aws.Credentials, stamp, method, path, query, bodyHash string, fields []field) []byte {
	b := append(sc.buf[:0], method...)
	b = append(append(b, '\n'), path...)
	b = append(append(b, '\n'), query...)
	b = append(b, '\n')
	for i := range fields {
		b = append(append(b, fields[i].lower...), ':')
		b = append(appendTrimmed(b, fields[i].value), '\n')
	}
	b = append(b, '\n')
	b = appendNames(b, fields)
	b = append(append(b, '\n'), bodyHash...)
	request := sha256.Sum256(b)
	sc.buf = b

	date := stamp[:8]
	var room [256]byte
	b = append(append(room[:0], algorithm...), '\n')
	b = append(append(b, stamp...), '\n')
	b = s.appendScope(b, date)
	b = append(b, '\n')
	b = hex.AppendEncode(b, request[:])
	key := s.derived(c, date)
	mac := key.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(b)
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	key.macs.Put(mac)

	out = append(out, algorithm+" Credential="...)
	out = append(append(out, c.AccessKeyID...), '/')
	out = s.appendScope(out, date)
	out = append(out, ", SignedHeaders="...)
	out = appendNames(out, fields)
	out = append(out, ", Signature="...)
	return hex.AppendEncode(out, sum[:])
}

func (s *signer) appendScope(b []byte, date string) []byte {
	b = append(append(b, date...), '/')
	return append(append(b, s.region...), scopeEnd...)
}

func appendNames(b []byte, fields []field) []byte {
	for i := range fields {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, fields[i].lower...)
	}
	return b
}

// appendTrimmed appends a header's value as it is signed: without blanks around it, and
// with several blanks reduced to one.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	blank := false
	for i := range len(v) {
		if v[i] != ' ' || !blank {
			b = append(b, v[i])
		}
		blank = v[i] == ' '
	}
	return b
}

func sortFields(fields []field) {
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.lower, b.lower) })
}
