package kernel

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The algorithm of Signature Version 4, and the payload hashes that stand for no hash.
const (
	SigAlgorithm   = "AWS4-HMAC-SHA256"
	AmzTimeLayout  = "20060102T150405Z"
	maxClockSkew   = 15 * time.Minute
	maxPresignLife = 7 * 24 * time.Hour

	PayloadUnsigned        = "UNSIGNED-PAYLOAD"
	PayloadUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	PayloadSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	PayloadSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// Signature holds the parameters of a request's signature. They are not verified
// until Authenticate has returned.
type Signature struct {
	accessKey     string
	date          string // yyyymmdd of the scope
	Region        string
	service       string
	signedHeaders []string
	Value         string
	Time          time.Time
	Presigned     bool
	expires       time.Duration
	Token         string
}

// authProblem is a mistake in the form of a signature, with S3's text.
type authProblem struct {
	text  string
	scope string // the text of STS and IAM, when the credential's scope is wrong
}

func (p *authProblem) Error() string { return p.text }

func malformedAuth(format string, args ...any) error {
	return &authProblem{text: fmt.Errorf(format, args...).Error()}
}

const credentialForm = `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`

// parseAuthorization reads the value of an Authorization header.
func parseAuthorization(value, service string) (Signature, error) {
	var sig Signature
	rest, ok := strings.CutPrefix(value, SigAlgorithm)
	if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
		return sig, malformedAuth("the authorization header does not start with %q.", SigAlgorithm)
	}
	fields := strings.Split(rest, ",")
	if len(fields) != 3 {
		return sig, malformedAuth("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	seen := map[string]bool{}
	for _, field := range fields {
		name, val, ok := strings.Cut(strings.TrimSpace(field), "=")
		if !ok || seen[name] || val == "" {
			return sig, malformedAuth("the authorization component %q is malformed.", strings.TrimSpace(field))
		}
		seen[name] = true
		switch name {
		case "Credential":
			if err := sig.ParseScope(val, service); err != nil {
				return sig, err
			}
		case "SignedHeaders":
			if err := sig.parseSignedHeaders(val); err != nil {
				return sig, err
			}
		case "Signature":
			sig.Value = val
		}
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if !seen[name] {
			return sig, malformedAuth("missing %s.", name)
		}
	}
	return sig, nil
}

// ParseScope reads a credential scope. A service other than the one asked is an error.
func (s *Signature) ParseScope(scope, service string) error {
	parts := strings.Split(scope, "/")
	if len(parts) != 5 || slices.Contains(parts, "") {
		return malformedAuth(credentialForm)
	}
	s.accessKey, s.date, s.Region, s.service = parts[0], parts[1], parts[2], parts[3]
	switch {
	case parts[4] != "aws4_request":
		return &authProblem{
			text:  fmt.Sprintf("incorrect terminal %q. This endpoint uses \"aws4_request\".", parts[4]),
			scope: "Credential should be scoped with a valid terminator: 'aws4_request'.",
		}
	case s.service != service:
		return malformedAuth("incorrect service %q. This endpoint belongs to %q.", s.service, service)
	}
	if _, err := time.Parse("20060102", s.date); err != nil {
		return &authProblem{
			text:  fmt.Sprintf("incorrect date format %q. This date in the credential must be in the format \"yyyyMMdd\".", s.date),
			scope: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
		}
	}
	return nil
}

func (s *Signature) parseSignedHeaders(list string) error {
	s.signedHeaders = strings.Split(list, ";")
	for _, h := range s.signedHeaders {
		if h == "" || h != strings.ToLower(h) {
			return malformedAuth("the authorization component \"SignedHeaders\" is malformed.")
		}
	}
	if !slices.IsSorted(s.signedHeaders) {
		return malformedAuth("the authorization component \"SignedHeaders\" is malformed.")
	}
	return nil
}

// Scope is the credential scope.
func (s *Signature) Scope() string {
	return s.date + "/" + s.Region + "/" + s.service + "/aws4_request"
}

// parsePresigned reads a signature from the query string.
func parsePresigned(q url.Values, service string) (Signature, error) {
	sig := Signature{Presigned: true, Value: q.Get("X-Amz-Signature"), Token: q.Get("X-Amz-Security-Token")}
	for _, name := range []string{"X-Amz-Signature", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Expires", "X-Amz-Date"} {
		if q.Get(name) == "" {
			return sig, malformedAuth(
				"Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, " +
					"X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
			)
		}
	}
	if q.Get("X-Amz-Algorithm") != SigAlgorithm {
		return sig, malformedAuth("X-Amz-Algorithm only supports %q", SigAlgorithm)
	}
	if err := sig.ParseScope(q.Get("X-Amz-Credential"), service); err != nil {
		return sig, malformedAuth("Error parsing the X-Amz-Credential parameter; %w", err)
	}
	if err := sig.parseSignedHeaders(q.Get("X-Amz-SignedHeaders")); err != nil {
		return sig, err
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	switch {
	case err != nil:
		return sig, malformedAuth("X-Amz-Expires should be a number")
	case seconds < 0:
		return sig, malformedAuth("X-Amz-Expires must be non-negative")
	case time.Duration(seconds)*time.Second > maxPresignLife:
		return sig, malformedAuth(
			"X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
		)
	}
	sig.expires = time.Duration(seconds) * time.Second
	if sig.Time, err = time.Parse(AmzTimeLayout, q.Get("X-Amz-Date")); err != nil {
		return sig, malformedAuth("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if stamp := q.Get("X-Amz-Date"); stamp[:8] != sig.date {
		return sig, malformedAuth("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", sig.date, stamp[:8])
	}
	return sig, nil
}

// IsPresigned reports whether the signature is in the query; false for nil.
func (s *Signature) IsPresigned() bool { return s != nil && s.Presigned }

// signingKey derives the key of a scope.
func (s *Signature) signingKey(secret string) []byte {
	key := HMAC([]byte("AWS4"+secret), s.date)
	key = HMAC(key, s.Region)
	key = HMAC(key, s.service)
	return HMAC(key, "aws4_request")
}

// HMAC is the HMAC-SHA256 of a text.
func HMAC(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// matches recomputes the signature over r with the given payload hash.
func (s *Signature) matches(r *http.Request, key []byte, payloadHash string) bool {
	want := hex.EncodeToString(HMAC(key, s.stringToSign(r, payloadHash)))
	return hmac.Equal([]byte(want), []byte(s.Value))
}

func (s *Signature) stringToSign(r *http.Request, payloadHash string) string {
	canonical := sha256.Sum256([]byte(s.canonicalRequest(r, payloadHash)))
	return SigAlgorithm + "\n" + s.Time.UTC().Format(AmzTimeLayout) + "\n" + s.Scope() + "\n" + hex.EncodeToString(canonical[:])
}

func (s *Signature) canonicalRequest(r *http.Request, payloadHash string) string {
	path := URIEncode(r.URL.Path, false)
	if s.service != "s3" {
		path = URIEncode(path, false)
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

func (s *Signature) canonicalQuery(raw string) string {
	var pairs []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || (s.Presigned && name == "X-Amz-Signature") {
			continue
		}
		pairs = append(pairs, URIEncode(name, true)+"="+URIEncode(value, true))
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

// unsignedHeaders are the x-amz headers, and the host, that the signature does not
// cover. A proxy may have added them.
func (s *Signature) unsignedHeaders(r *http.Request) []string {
	var out []string
	for name := range r.Header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") || slices.Contains(s.signedHeaders, lower) ||
			s.Presigned && lower == "x-amz-content-sha256" {
			continue
		}
		out = append(out, lower)
	}
	if !slices.Contains(s.signedHeaders, "host") {
		out = append(out, "host")
	}
	slices.Sort(out)
	return out
}

const upperHex = "0123456789ABCDEF"

// URIEncode escapes all but the unreserved characters, as SigV4 wants it.
func URIEncode(s string, slash bool) string {
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
