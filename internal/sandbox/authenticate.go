package sandbox

import (
	"crypto/subtle"
	"net/http"
	"time"
)

// authErrors are the codes and texts that differ between the protocols.
type authErrors struct {
	badHeader, unknownKey, badSignature, skewed, expired, badToken string
	unknownKeyText, badSignatureText, expiredText, badTokenText    string
	badHeaderStatus, unknownKeyStatus, signatureStatus             int
	expiredStatus, badTokenStatus                                  int
}

const signatureText = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

var (
	s3AuthErrors = authErrors{
		badHeader: "AuthorizationHeaderMalformed", badHeaderStatus: http.StatusBadRequest,
		unknownKey: "InvalidAccessKeyId", unknownKeyStatus: http.StatusForbidden,
		unknownKeyText: "The AWS Access Key Id you provided does not exist in our records.",
		badSignature:   "SignatureDoesNotMatch", signatureStatus: http.StatusForbidden,
		badSignatureText: "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		skewed:           "RequestTimeTooSkewed",
		expired:          "ExpiredToken", expiredStatus: http.StatusBadRequest, expiredText: "The provided token has expired.",
		badToken: "InvalidToken", badTokenStatus: http.StatusBadRequest, badTokenText: "The provided token is malformed or otherwise invalid.",
	}
	queryAuthErrors = authErrors{
		badHeader: "IncompleteSignature", badHeaderStatus: http.StatusBadRequest,
		unknownKey: "InvalidClientTokenId", unknownKeyStatus: http.StatusForbidden,
		unknownKeyText: "The security token included in the request is invalid.",
		badSignature:   "SignatureDoesNotMatch", signatureStatus: http.StatusForbidden, badSignatureText: signatureText,
		skewed:  "SignatureDoesNotMatch",
		expired: "ExpiredToken", expiredStatus: http.StatusForbidden, expiredText: "The security token included in the request is expired",
		badToken: "InvalidClientTokenId", badTokenStatus: http.StatusForbidden, badTokenText: "The security token included in the request is invalid.",
	}
	jsonAuthErrors = authErrors{
		badHeader: "IncompleteSignatureException", badHeaderStatus: http.StatusBadRequest,
		unknownKey: "UnrecognizedClientException", unknownKeyStatus: http.StatusBadRequest,
		unknownKeyText: "The security token included in the request is invalid.",
		badSignature:   "InvalidSignatureException", signatureStatus: http.StatusBadRequest, badSignatureText: signatureText,
		skewed:  "InvalidSignatureException",
		expired: "ExpiredTokenException", expiredStatus: http.StatusBadRequest, expiredText: "The security token included in the request is expired",
		badToken: "UnrecognizedClientException", badTokenStatus: http.StatusBadRequest, badTokenText: "The security token included in the request is invalid.",
	}
)

func authErrorsOf(service string) *authErrors {
	switch service {
	case "s3":
		return &s3AuthErrors
	case "kms":
		return &jsonAuthErrors
	}
	return &queryAuthErrors
}

// authenticate checks the signature and sets cl.caller. A request without one
// stays anonymous. payloadHash is what the canonical request ends with.
func (w *world) authenticate(cl *call, service, payloadHash string) error {
	e := authErrorsOf(service)
	r := cl.r
	var sig signature
	var err error
	header := r.Header.Get("Authorization")
	query := r.URL.Query()
	switch {
	case header != "":
		if sig, err = parseAuthorization(header); err != nil {
			return fail(e.badHeaderStatus, e.badHeader, "The authorization header is malformed; it must be AWS4-HMAC-SHA256 with Credential, SignedHeaders and Signature.")
		}
		stamp := r.Header.Get("X-Amz-Date")
		if sig.time, err = time.Parse(amzTimeLayout, stamp); err != nil {
			return fail(http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
		}
		sig.token = r.Header.Get("X-Amz-Security-Token")
	case query.Get("X-Amz-Algorithm") != "":
		if sig, err = parsePresigned(query); err != nil {
			return fail(http.StatusBadRequest, "AuthorizationQueryParametersError", "Query-string authentication version 4 requires valid X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
		payloadHash = payloadUnsigned
	default:
		return nil
	}
	if sig.service != service || sig.date != sig.time.Format("20060102") {
		return fail(e.badHeaderStatus, e.badHeader, "The credential scope does not fit the request: it names service %q and date %s.", sig.service, sig.date)
	}

	w.mu.RLock()
	key := w.keys[sig.accessKey]
	var secret string
	var session *session
	inactive := false
	if key != nil {
		secret, session, inactive = key.secret, key.session, key.inactive
		if session != nil {
			// With its role a session ends: nothing may pass for a new role of the name.
			_, alive := w.ids[session.role.id]
			inactive = !alive
		}
	}
	w.mu.RUnlock()
	if key == nil || inactive {
		return fail(e.unknownKeyStatus, e.unknownKey, "%s", e.unknownKeyText).with("AWSAccessKeyId", sig.accessKey)
	}
	// Signature first: nothing about a session is told to one who does not hold its secret.
	signingKey := sig.signingKey(secret)
	if err := checkTime(&sig, service, e, cl.now); err != nil {
		return err
	}
	if !sig.matches(r, signingKey, payloadHash) {
		return fail(e.signatureStatus, e.badSignature, "%s", e.badSignatureText).
			with("AWSAccessKeyId", sig.accessKey).with("SignatureProvided", sig.value)
	}
	if name := sig.unsignedAmzHeader(r); name != "" {
		return fail(http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed").with("HeadersNotSigned", name)
	}
	if (session == nil) != (sig.token == "") ||
		(session != nil && subtle.ConstantTimeCompare([]byte(session.token), []byte(sig.token)) != 1) {
		return fail(e.badTokenStatus, e.badToken, "%s", e.badTokenText)
	}
	if session != nil && !cl.now.Before(session.expires) {
		return fail(e.expiredStatus, e.expired, "%s", e.expiredText)
	}
	cl.caller, cl.sig, cl.sigKey = key.caller(), &sig, signingKey
	return nil
}

func checkTime(sig *signature, service string, e *authErrors, now time.Time) error {
	if sig.presigned {
		if now.Before(sig.time.Add(-maxClockSkew)) {
			return fail(http.StatusForbidden, "AccessDenied", "Request is not yet valid")
		}
		if now.After(sig.time.Add(sig.expires)) {
			return fail(http.StatusForbidden, "AccessDenied", "Request has expired").
				with("Expires", sig.time.Add(sig.expires).Format(time.RFC3339)).with("ServerTime", now.UTC().Format(time.RFC3339))
		}
		return nil
	}
	early, late := sig.time.After(now.Add(maxClockSkew)), sig.time.Before(now.Add(-maxClockSkew))
	if !early && !late {
		return nil
	}
	stamp, ours := sig.time.Format(amzTimeLayout), now.UTC()
	switch {
	case service == "s3":
		return fail(http.StatusForbidden, e.skewed, "The difference between the request time and the current time is too large.").
			with("RequestTime", stamp).with("ServerTime", ours.Format(time.RFC3339)).with("MaxAllowedSkewMilliseconds", "900000")
	case late:
		return fail(e.signatureStatus, e.skewed, "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			stamp, ours.Add(-maxClockSkew).Format(amzTimeLayout), ours.Format(amzTimeLayout))
	default:
		return fail(e.signatureStatus, e.skewed, "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			stamp, ours.Add(maxClockSkew).Format(amzTimeLayout), ours.Format(amzTimeLayout))
	}
}

// requestContext holds the condition keys that every call has.
func (cl *call) requestContext(region string) map[string][]string {
	now := cl.now.UTC()
	ctx := map[string][]string{
		"aws:CurrentTime":     {now.Format(time.RFC3339)},
		"aws:EpochTime":       {formatUnix(now)},
		"aws:SecureTransport": {boolText(cl.r.TLS != nil)},
		"aws:ViaAWSService":   {"false"},
		"aws:SourceIp":        {remoteIP(cl.r)},
	}
	if region != "" {
		ctx["aws:RequestedRegion"] = []string{region}
	}
	if ua := cl.r.UserAgent(); ua != "" {
		ctx["aws:UserAgent"] = []string{ua}
	}
	if ref := cl.r.Referer(); ref != "" {
		ctx["aws:Referer"] = []string{ref}
	}
	return ctx
}

// region is what the caller signed for; the home region for anonymous callers.
func (s *Sandbox) region(cl *call) string {
	if cl.sig == nil {
		return s.opts.Region
	}
	return cl.sig.region
}
