package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	sigAlgorithm   = "AWS4-HMAC-SHA256"
	amzTimeLayout  = "20060102T150405Z"
	maxClockSkew   = 15 * time.Minute
	maxPresignLife = 7 * 24 * time.Hour

	payloadUnsigned        = "UNSIGNED-PAYLOAD"
	payloadUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	payloadSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	payloadSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// signature is what a request says about its own signing. Nothing in it is
// trusted before verify.
type signature struct {
	accessKey     string
	date          string // yyyymmdd of the scope
	region        string
	service       string
	signedHeaders []string
	value         string
	time          time.Time
	presigned     bool
	expires       time.Duration
	token         string
}

var errMalformedAuth = errors.New("malformed authorization header")

// parseAuthorization reads the value of an Authorization header.
func parseAuthorization(value string) (signature, error) {
	var sig signature
	rest, ok := strings.CutPrefix(value, sigAlgorithm)
	if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
		return sig, errMalformedAuth
	}
	seen := map[string]bool{}
	for field := range strings.SplitSeq(rest, ",") {
		name, val, ok := strings.Cut(strings.TrimSpace(field), "=")
		if !ok || seen[name] || val == "" {
			return sig, errMalformedAuth
		}
		seen[name] = true
		switch name {
		case "Credential":
			if err := sig.parseScope(val); err != nil {
				return sig, err
			}
		case "SignedHeaders":
			if err := sig.parseSignedHeaders(val); err != nil {
				return sig, err
			}
		case "Signature":
			sig.value = val
		default:
			return sig, errMalformedAuth
		}
	}
	if sig.accessKey == "" || len(sig.signedHeaders) == 0 || len(sig.value) != 2*sha256.Size {
		return sig, errMalformedAuth
	}
	return sig, nil
}

func (s *signature) parseScope(scope string) error {
	parts := strings.Split(scope, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || slices.Contains(parts, "") || len(parts[1]) != 8 {
		return errMalformedAuth
	}
	s.accessKey, s.date, s.region, s.service = parts[0], parts[1], parts[2], parts[3]
	return nil
}

func (s *signature) parseSignedHeaders(list string) error {
	s.signedHeaders = strings.Split(list, ";")
	for _, h := range s.signedHeaders {
		if h == "" || h != strings.ToLower(h) {
			return errMalformedAuth
		}
	}
	if !slices.IsSorted(s.signedHeaders) {
		return errMalformedAuth
	}
	return nil
}

func (s *signature) scope() string {
	return s.date + "/" + s.region + "/" + s.service + "/aws4_request"
}

// parsePresigned reads a signature from the query string.
func parsePresigned(q url.Values) (signature, error) {
	sig := signature{presigned: true, value: q.Get("X-Amz-Signature"), token: q.Get("X-Amz-Security-Token")}
	if q.Get("X-Amz-Algorithm") != sigAlgorithm || len(sig.value) != 2*sha256.Size {
		return sig, errMalformedAuth
	}
	if err := sig.parseScope(q.Get("X-Amz-Credential")); err != nil {
		return sig, err
	}
	if err := sig.parseSignedHeaders(q.Get("X-Amz-SignedHeaders")); err != nil {
		return sig, err
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || seconds < 1 || time.Duration(seconds)*time.Second > maxPresignLife {
		return sig, errMalformedAuth
	}
	sig.expires = time.Duration(seconds) * time.Second
	if sig.time, err = time.Parse(amzTimeLayout, q.Get("X-Amz-Date")); err != nil {
		return sig, errMalformedAuth
	}
	return sig, nil
}

// signingKey derives the key of a scope.
func (s *signature) signingKey(secret string) []byte {
	key := mac([]byte("AWS4"+secret), s.date)
	key = mac(key, s.region)
	key = mac(key, s.service)
	return mac(key, "aws4_request")
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// matches recomputes the signature over r with the given payload hash.
func (s *signature) matches(r *http.Request, key []byte, payloadHash string) bool {
	canonical := sha256.Sum256([]byte(s.canonicalRequest(r, payloadHash)))
	toSign := sigAlgorithm + "\n" + s.time.Format(amzTimeLayout) + "\n" + s.scope() + "\n" + hex.EncodeToString(canonical[:])
	want := hex.EncodeToString(mac(key, toSign))
	return hmac.Equal([]byte(want), []byte(s.value))
}

func (s *signature) canonicalRequest(r *http.Request, payloadHash string) string {
	path := uriEncode(r.URL.Path, false)
	if s.service != "s3" {
		path = uriEncode(path, false)
	}
	if path == "" {
		path = "/"
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + s.canonicalQuery(r.URL.RawQuery) + "\n")
	for _, name := range s.signedHeaders {
		b.WriteString(name + ":" + signedHeaderValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.signedHeaders, ";") + "\n" + payloadHash)
	return b.String()
}

func (s *signature) canonicalQuery(raw string) string {
	var pairs []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || (s.presigned && name == "X-Amz-Signature") {
			continue
		}
		pairs = append(pairs, uriEncode(name, true)+"="+uriEncode(value, true))
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&")
}

func signedHeaderValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := r.Header.Values(name)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(out, ",")
}

// unsignedAmzHeader returns an x-amz header that the signature does not cover:
// something between the client and here added it.
func (s *signature) unsignedAmzHeader(r *http.Request) string {
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(s.signedHeaders, lower) {
			if s.presigned && lower == "x-amz-content-sha256" {
				continue
			}
			return lower
		}
	}
	if !slices.Contains(s.signedHeaders, "host") {
		return "host"
	}
	return ""
}

const upperHex = "0123456789ABCDEF"

// uriEncode escapes all but the unreserved characters, as SigV4 wants it.
func uriEncode(s string, slash bool) string {
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/' && !slash:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}
