package s3

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Cross-origin resource sharing: the configuration and its response headers.

const maxCORSRules = 100

// corsHeaderName is a token, asterisks included.
var corsHeaderName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// corsRule is a rule as it is written and kept.
type corsRule struct {
	ID             string   `xml:",omitempty"    json:",omitempty"`
	AllowedHeaders []string `xml:"AllowedHeader" json:",omitempty"`
	AllowedMethods []string `xml:"AllowedMethod"`
	AllowedOrigins []string `xml:"AllowedOrigin"`
	ExposeHeaders  []string `xml:"ExposeHeader"  json:",omitempty"`
	MaxAgeSeconds  *int     `xml:",omitempty"    json:",omitempty"`
}

type corsXML struct {
	XMLName xml.Name   `xml:"CORSConfiguration"`
	Xmlns   string     `xml:"xmlns,attr,omitempty"`
	Rules   []corsRule `xml:"CORSRule"`
}

func getBucketCORS(c *call, b *bucket) error {
	if b.conf.CORS == nil {
		return kernel.Fail(http.StatusNotFound, "NoSuchCORSConfiguration", "The CORS configuration does not exist").
			With("BucketName", b.name)
	}
	return c.writeXML(corsXML{Xmlns: namespace, Rules: b.conf.CORS})
}

func putBucketCORS(c *call) error {
	return c.configureDigested(func(b *bucket, data []byte) error {
		var in corsXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if len(in.Rules) == 0 || len(in.Rules) > maxCORSRules {
			return malformedXML()
		}
		for i := range in.Rules {
			if err := in.Rules[i].check(); err != nil {
				return err
			}
		}
		b.conf.CORS = in.Rules
		return c.done(http.StatusOK)
	})
}

func deleteBucketCORS(c *call, b *bucket) error {
	b.conf.CORS = nil
	return c.done(http.StatusNoContent)
}

func invalidRequest(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidRequest", format, args...)
}

func (r *corsRule) check() error {
	if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 || len(r.ID) > 255 {
		return malformedXML()
	}
	for _, m := range r.AllowedMethods {
		if !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}, m) {
			return invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
		}
	}
	for _, o := range r.AllowedOrigins {
		if strings.Count(o, "*") > 1 {
			return invalidRequest("AllowedOrigin \"%s\" can not have more than one wildcard.", o)
		}
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"AllowedHeader", r.AllowedHeaders}, {"ExposeHeader", r.ExposeHeaders}} {
		for _, h := range list.values {
			if !corsHeaderName.MatchString(h) {
				return invalidRequest("%s \"%s\" contains invalid character.", list.name, h)
			}
		}
	}
	for _, h := range r.AllowedHeaders {
		if strings.Count(h, "*") > 1 {
			return invalidRequest("AllowedHeader \"%s\" can not have more than one wildcard.", h)
		}
	}
	for _, h := range r.ExposeHeaders {
		if strings.Contains(h, "*") {
			return invalidRequest("ExposeHeader \"%s\" contains wildcard. We currently do not support wildcard for ExposeHeader.", h)
		}
	}
	return nil
}

// oneWildcard compares text with a pattern that has at most one asterisk.
func oneWildcard(pattern, text string) bool {
	head, tail, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	return len(text) >= len(head)+len(tail) && strings.HasPrefix(text, head) && strings.HasSuffix(text, tail)
}

// matches reports whether the rule lets a page of origin send method with the headers.
func (r *corsRule) matches(origin, method string, headers []string) bool {
	if !slices.Contains(r.AllowedMethods, method) ||
		!slices.ContainsFunc(r.AllowedOrigins, func(p string) bool { return oneWildcard(p, origin) }) {
		return false
	}
	for _, h := range headers {
		if !slices.ContainsFunc(r.AllowedHeaders, func(p string) bool { return oneWildcard(strings.ToLower(p), h) }) {
			return false
		}
	}
	return true
}

func (r *corsRule) writeHeaders(h http.Header, origin string, headers []string) {
	if slices.Contains(r.AllowedOrigins, "*") {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(r.AllowedMethods, ", "))
	if len(headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	if len(r.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(r.ExposeHeaders, ", "))
	}
	if r.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(*r.MaxAgeSeconds))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// tellCORS adds the headers that let a page read the answer. The caller holds mu.
func (c *call) tellCORS(b *bucket) {
	origin := c.HTTP.Header.Get("Origin")
	if origin == "" {
		return
	}
	for i := range b.conf.CORS {
		if r := &b.conf.CORS[i]; r.matches(origin, c.HTTP.Method, nil) {
			r.writeHeaders(c.Out.Header(), origin, nil)
			return
		}
	}
}

// preflight answers OPTIONS, which browsers send without credentials.
func (c *call) preflight() error {
	c.Record.Operation = "PreflightRequest"
	origin, method := c.HTTP.Header.Get("Origin"), c.HTTP.Header.Get("Access-Control-Request-Method")
	if origin == "" {
		return kernel.Fail(http.StatusBadRequest, "BadRequest", "Insufficient information. Origin request header needed.")
	}
	var headers []string
	for h := range strings.SplitSeq(c.HTTP.Header.Get("Access-Control-Request-Headers"), ",") {
		if h = strings.ToLower(strings.TrimSpace(h)); h != "" {
			headers = append(headers, h)
		}
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	b := c.s.buckets[c.bucketName]
	if b == nil || b.conf.CORS == nil {
		text := "CORSResponse: CORS is not enabled for this bucket."
		if b == nil {
			text = "CORSResponse: Bucket not found"
		}
		return kernel.Fail(http.StatusForbidden, "AccessForbidden", "%s", text).
			With("Method", cmp.Or(method, http.MethodOptions)).
			With("ResourceType", "BUCKET")
	}
	if !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}, method) {
		return kernel.Fail(http.StatusBadRequest, "BadRequest", "Invalid Access-Control-Request-Method: %s", cmp.Or(method, "null"))
	}
	kind := "BUCKET"
	if c.key != "" {
		kind = "OBJECT"
	}
	for i := range b.conf.CORS {
		if r := &b.conf.CORS[i]; r.matches(origin, method, headers) {
			r.writeHeaders(c.Out.Header(), origin, headers)
			return c.done(http.StatusOK)
		}
	}
	// The spelling is S3's.
	return kernel.Fail(http.StatusForbidden, "AccessForbidden",
		"CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "+
			"Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.").
		With("Method", method).
		With("ResourceType", kind)
}
