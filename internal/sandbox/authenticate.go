package sandbox

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
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
	case "kms", "cloudtrail":
		return &jsonAuthErrors
	}
	return &queryAuthErrors
}

// authenticate checks the signature and sets cl.caller. A request without one
// stays anonymous. payloadHash is what the canonical request ends with.
func (cl *call) authenticate(keys keyring, service, payloadHash string) error {
	e := authErrorsOf(service)
	r := cl.r
	var sig signature
	var err error
	header := r.Header.Get("Authorization")
	query := r.URL.Query()
	switch {
	case header != "":
		if isV2(header) {
			return unsupportedSignature(e)
		}
		if isQueryService(service) {
			if sig, err = queryHeaderSignature(r, header, service); err != nil {
				return err
			}
			sig.token = r.Header.Get("X-Amz-Security-Token")
			break
		}
		if service == "s3" && !strings.HasPrefix(header, sigAlgorithm) {
			return invalidArgument("Unsupported Authorization Type").with("ArgumentName", "Authorization").with("ArgumentValue", strings.SplitN(header, " ", 2)[0])
		}
		if sig, err = parseAuthorization(header, service); err != nil {
			return fail(e.badHeaderStatus, e.badHeader, "The authorization header is malformed; %v", err)
		}
		if sig.time, err = signingTime(r); err != nil {
			return fail(http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
		}
		if sig.date != sig.time.Format("20060102") {
			return fail(e.badHeaderStatus, e.badHeader, "The authorization header is malformed; Invalid credential date. Date is not the same as X-Amz-Date.")
		}
		sig.token = r.Header.Get("X-Amz-Security-Token")
	case isQueryService(service) && query.Has("X-Amz-Credential"):
		if sig, err = parseQueryPresigned(query, service); err != nil {
			return err
		}
	case query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature") || query.Has("X-Amz-Credential"):
		if sig, err = parsePresigned(query, service); err != nil {
			return fail(http.StatusBadRequest, "AuthorizationQueryParametersError", "%v", err)
		}
		payloadHash = presignedPayload(service, payloadHash)
	case query.Has("AWSAccessKeyId") && query.Has("Signature"):
		return unsupportedSignature(e)
	default:
		return nil
	}

	by, err := findSigner(keys, &sig, e)
	if err != nil {
		return err
	}
	signingKey := sig.signingKey(by.secret)
	if err := checkTime(&sig, service, e, cl.now); err != nil {
		return err
	}
	if isQueryService(service) {
		if err := sig.checkSignedHost(); err != nil {
			return err
		}
	}
	if !sig.matches(r, signingKey, payloadHash) {
		return fail(e.signatureStatus, e.badSignature, "%s", e.badSignatureText).
			with("AWSAccessKeyId", sig.accessKey).with("StringToSign", sig.stringToSign(r, payloadHash)).with("SignatureProvided", sig.value).
			with("CanonicalRequest", sig.canonicalRequest(r, payloadHash))
	}
	if names := sig.unsignedHeaders(r); names != nil && !isQueryService(service) {
		return fail(http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed").with("HeadersNotSigned", strings.Join(names, ", "))
	}
	if !by.expires.IsZero() && !cl.now.Before(by.expires) {
		return fail(e.expiredStatus, e.expired, "%s", e.expiredText)
	}
	cl.caller, cl.sig, cl.sigKey = by.caller, &sig, signingKey
	keys.used(sig.accessKey, service, sig.region, cl.now)
	return nil
}

// keyring finds the access keys of all accounts. IAM implements it.
type keyring interface {
	// signer looks an access key up. It returns nil for a key that is unknown or
	// inactive, or whose user or role is deleted.
	signer(accessKeyID string) *signer
	// used notes that a call was signed with a key.
	used(accessKeyID, service, region string, now time.Time)
}

// signer is an access key as authentication needs it.
type signer struct {
	secret  string
	token   string    // empty for long-term keys
	expires time.Time // zero: never
	caller  *caller
}

// findSigner finds the key that a request says it is signed with, and checks its session token.
func findSigner(keys keyring, sig *signature, e *authErrors) (*signer, error) {
	by := keys.signer(sig.accessKey)
	// A session's secret is in its token: without one there is nothing to verify against.
	if by == nil || by.token != "" && sig.token == "" {
		return nil, fail(e.unknownKeyStatus, e.unknownKey, "%s", e.unknownKeyText).with("AWSAccessKeyId", sig.accessKey)
	}
	if subtle.ConstantTimeCompare([]byte(by.token), []byte(sig.token)) != 1 {
		return nil, fail(e.badTokenStatus, e.badToken, "%s", e.badTokenText)
	}
	return by, nil
}

// authenticateText checks an S3 signature over a text, the policy of a form upload,
// and sets cl.caller.
func (cl *call) authenticateText(keys keyring, sig *signature, text string) error {
	e := &s3AuthErrors
	by, err := findSigner(keys, sig, e)
	if err != nil {
		return err
	}
	key := sig.signingKey(by.secret)
	if !hmac.Equal([]byte(hex.EncodeToString(mac(key, text))), []byte(sig.value)) {
		return fail(e.signatureStatus, e.badSignature, "%s", e.badSignatureText).
			with("AWSAccessKeyId", sig.accessKey).with("StringToSign", text).with("SignatureProvided", sig.value)
	}
	if !by.expires.IsZero() && !cl.now.Before(by.expires) {
		return fail(e.expiredStatus, e.expired, "%s", e.expiredText)
	}
	cl.caller, cl.sig, cl.sigKey = by.caller, sig, key
	keys.used(sig.accessKey, "s3", sig.region, cl.now)
	return nil
}

func isV2(header string) bool {
	return strings.HasPrefix(header, "AWS ")
}

func unsupportedSignature(e *authErrors) *apiError {
	if e != &s3AuthErrors {
		return fail(e.badHeaderStatus, e.badHeader, "Only Signature Version 4 is accepted.")
	}
	return fail(http.StatusBadRequest, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
}

// signingTime is the time that the client says it signed at.
func signingTime(r *http.Request) (time.Time, error) {
	if stamp := r.Header.Get("X-Amz-Date"); stamp != "" {
		return time.Parse(amzTimeLayout, stamp)
	}
	return http.ParseTime(r.Header.Get("Date"))
}

// presignedPayload is the payload hash of a presigned request: S3 does not sign bodies there.
func presignedPayload(service, hash string) string {
	if service == "s3" {
		return payloadUnsigned
	}
	return hash
}

func checkTime(sig *signature, service string, e *authErrors, now time.Time) error {
	if sig.presigned && !isQueryService(service) {
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
	if e := cl.endpoint; e != nil {
		delete(ctx, "aws:SourceIp")
		ctx["aws:SourceVpce"], ctx["aws:SourceVpc"], ctx["aws:VpcSourceIp"] = []string{e.ID}, []string{e.VPC}, []string{remoteIP(cl.r)}
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

// region is the Region that the caller signed for; the home Region for anonymous callers.
func (cl *call) region() string {
	if cl.sig == nil {
		return cl.k.region
	}
	return cl.sig.region
}
