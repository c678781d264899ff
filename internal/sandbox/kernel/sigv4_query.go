package kernel

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The checks and errors of signatures that differ for STS and IAM.

func isQueryService(service string) bool { return service == "sts" || service == "iam" }

// parseQueryPresigned reads a signature from the query string of a call to STS or
// IAM. It is valid for 15 minutes: X-Amz-Expires is ignored.
func parseQueryPresigned(q url.Values, service string) (Signature, error) {
	sig := Signature{Presigned: true, Value: q.Get("X-Amz-Signature"), Token: q.Get("X-Amz-Security-Token")}
	switch q.Get("X-Amz-Algorithm") {
	case SigAlgorithm:
	case "":
		return sig, Fail(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	default:
		return sig, Fail(http.StatusForbidden, "MissingAuthenticationToken", "Missing Authentication Token")
	}
	for _, name := range []string{"X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if q.Get(name) == "" {
			return sig, incompleteSignature(
				http.StatusForbidden,
				"AWS query-string parameters must include '"+name+"'. Re-examine the query-string parameters.",
			)
		}
	}
	err := sig.ParseScope(q.Get("X-Amz-Credential"), service)
	if err == nil {
		err = sig.parseSignedHeaders(q.Get("X-Amz-SignedHeaders"))
	}
	if err != nil {
		return sig, queryAuthProblem(err)
	}
	if sig.Time, err = time.Parse(AmzTimeLayout, q.Get("X-Amz-Date")); err != nil {
		return sig, incompleteSignature(http.StatusForbidden, wrongDate(q.Get("X-Amz-Date")))
	}
	return sig, sig.checkScopeDate()
}

func wrongDate(got string) string {
	return "Date must be in ISO-8601 'basic format'. Got '" + got + "'. See http://en.wikipedia.org/wiki/ISO_8601"
}

func incompleteSignature(status int, text string) *Error {
	return Fail(status, "IncompleteSignature", "%s", text)
}

func scopeProblem(format string, args ...any) *Error {
	return Fail(http.StatusForbidden, "SignatureDoesNotMatch", format, args...)
}

// queryAuthProblem turns an error of parseAuthorization into an error of STS and IAM.
func queryAuthProblem(err error) error {
	var p *authProblem
	if errors.As(err, &p) && p.scope != "" {
		return scopeProblem("%s", p.scope)
	}
	return incompleteSignature(http.StatusBadRequest, err.Error())
}

// checkScopeDate refuses a credential of another day than the request.
func (s *Signature) checkScopeDate() error {
	if day := s.Time.UTC().Format("20060102"); day != s.date {
		return scopeProblem(
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			s.date,
			day,
			s.Time.UTC().Format(AmzTimeLayout),
		)
	}
	return nil
}

// queryHeaderSignature reads the signature from the headers of a call to STS or IAM.
func queryHeaderSignature(r *http.Request, header, service string) (Signature, error) {
	sum := sha256.Sum256([]byte(header))
	shown := " (Hashed with SHA-256 and encoded with Base64) Authorization=" + base64.StdEncoding.EncodeToString(sum[:])
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if !strings.Contains(header, name+"=") {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if r.Header.Get("X-Amz-Date") == "" && r.Header.Get("Date") == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if missing != nil {
		return Signature{}, incompleteSignature(http.StatusBadRequest, strings.Join(missing, " ")+shown)
	}
	sig, err := parseAuthorization(header, service)
	if err != nil {
		return sig, queryAuthProblem(err)
	}
	if sig.Time, err = signingTime(r); err != nil {
		return sig, incompleteSignature(http.StatusBadRequest, wrongDate(cmp.Or(r.Header.Get("X-Amz-Date"), r.Header.Get("Date"))))
	}
	return sig, sig.checkScopeDate()
}

// checkSignedHost refuses a signature that does not cover the host.
func (s *Signature) checkSignedHost() error {
	if slices.Contains(s.signedHeaders, "host") {
		return nil
	}
	return scopeProblem("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
}
