package kernel

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// authErrors are the codes and texts that differ between the protocols.
type authErrors struct {
	badHeader, unknownKey, badSignature, skewed, expired, badToken string
	unknownKeyText, BadSignatureText, expiredText, badTokenText    string
	badHeaderStatus, unknownKeyStatus, signatureStatus             int
	expiredStatus, badTokenStatus                                  int
}

const signatureText = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

var (
	// S3AuthErrors are the errors of S3.
	S3AuthErrors = authErrors{
		badHeader: "AuthorizationHeaderMalformed", badHeaderStatus: http.StatusBadRequest,
		unknownKey: "InvalidAccessKeyId", unknownKeyStatus: http.StatusForbidden,
		unknownKeyText: "The AWS Access Key Id you provided does not exist in our records.",
		badSignature:   "SignatureDoesNotMatch", signatureStatus: http.StatusForbidden,
		BadSignatureText: "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		skewed:           "RequestTimeTooSkewed",
		expired:          "ExpiredToken", expiredStatus: http.StatusBadRequest, expiredText: "The provided token has expired.",
		badToken: "InvalidToken", badTokenStatus: http.StatusBadRequest, badTokenText: "The provided token is malformed or otherwise invalid.",
	}
	queryAuthErrors = authErrors{
		badHeader: "IncompleteSignature", badHeaderStatus: http.StatusBadRequest,
		unknownKey: "InvalidClientTokenId", unknownKeyStatus: http.StatusForbidden,
		unknownKeyText: "The security token included in the request is invalid.",
		badSignature:   "SignatureDoesNotMatch", signatureStatus: http.StatusForbidden, BadSignatureText: signatureText,
		skewed:  "SignatureDoesNotMatch",
		expired: "ExpiredToken", expiredStatus: http.StatusForbidden, expiredText: "The security token included in the request is expired",
		badToken: "InvalidClientTokenId", badTokenStatus: http.StatusForbidden,
		badTokenText: "The security token included in the request is invalid.",
	}
	jsonAuthErrors = authErrors{
		badHeader: "IncompleteSignatureException", badHeaderStatus: http.StatusBadRequest,
		unknownKey: "UnrecognizedClientException", unknownKeyStatus: http.StatusBadRequest,
		unknownKeyText: "The security token included in the request is invalid.",
		badSignature:   "InvalidSignatureException", signatureStatus: http.StatusBadRequest, BadSignatureText: signatureText,
		skewed:  "InvalidSignatureException",
		expired: "ExpiredTokenException", expiredStatus: http.StatusBadRequest,
		expiredText: "The security token included in the request is expired", badToken: "UnrecognizedClientException",
		badTokenStatus: http.StatusBadRequest, badTokenText: "The security token included in the request is invalid.",
	}
)

func authErrorsOf(service string) *authErrors {
	switch service {
	case "s3":
		return &S3AuthErrors
	case "kms", "cloudtrail":
		return &jsonAuthErrors
	}
	return &queryAuthErrors
}

// Authenticate checks the signature and sets cl.Caller. A request without a signature
// stays anonymous. payloadHash is the last line of the canonical request.
func (cl *Request) Authenticate(keys keyring, service, payloadHash string) error {
	e := authErrorsOf(service)
	r := cl.HTTP
	var sig Signature
	var err error
	header := r.Header.Get("Authorization")
	query := r.URL.Query()
	switch {
	case header != "":
		if IsV2(header) {
			return UnsupportedSignature(e)
		}
		if isQueryService(service) {
			if sig, err = queryHeaderSignature(r, header, service); err != nil {
				return err
			}
			sig.Token = r.Header.Get("X-Amz-Security-Token")
			break
		}
		if service == "s3" && !strings.HasPrefix(header, SigAlgorithm) {
			return InvalidArgument(
				"Unsupported Authorization Type",
			).With("ArgumentName", "Authorization").
				With("ArgumentValue", strings.SplitN(header, " ", 2)[0])
		}
		if sig, err = parseAuthorization(header, service); err != nil {
			return Fail(e.badHeaderStatus, e.badHeader, "The authorization header is malformed; %v", err)
		}
		if sig.Time, err = signingTime(r); err != nil {
			return Fail(http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
		}
		if sig.date != sig.Time.Format("20060102") {
			return Fail(
				e.badHeaderStatus,
				e.badHeader,
				"The authorization header is malformed; Invalid credential date. Date is not the same as X-Amz-Date.",
			)
		}
		sig.Token = r.Header.Get("X-Amz-Security-Token")
	case isQueryService(service) && query.Has("X-Amz-Credential"):
		if sig, err = parseQueryPresigned(query, service); err != nil {
			return err
		}
	case query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature") || query.Has("X-Amz-Credential"):
		if sig, err = parsePresigned(query, service); err != nil {
			return Fail(http.StatusBadRequest, "AuthorizationQueryParametersError", "%v", err)
		}
		payloadHash = presignedPayload(service, payloadHash)
	case query.Has("AWSAccessKeyId") && query.Has("Signature"):
		return UnsupportedSignature(e)
	default:
		return nil
	}

	by, err := findSigner(keys, &sig, e)
	if err != nil {
		return err
	}
	signingKey := sig.signingKey(by.Secret)
	if err := checkTime(&sig, service, e, cl.Now); err != nil {
		return err
	}
	if isQueryService(service) {
		if err := sig.checkSignedHost(); err != nil {
			return err
		}
	}
	if !sig.matches(r, signingKey, payloadHash) {
		return Fail(e.signatureStatus, e.badSignature, "%s", e.BadSignatureText).
			With("AWSAccessKeyId", sig.accessKey).
			With("StringToSign", sig.stringToSign(r, payloadHash)).With("SignatureProvided", sig.Value).
			With("StringToSignBytes", hexBytes(sig.stringToSign(r, payloadHash))).
			With("CanonicalRequest", sig.canonicalRequest(r, payloadHash)).
			With("CanonicalRequestBytes", hexBytes(sig.canonicalRequest(r, payloadHash)))
	}
	if names := sig.unsignedHeaders(r); names != nil && !isQueryService(service) {
		return Fail(
			http.StatusForbidden,
			"AccessDenied",
			"There were headers present in the request which were not signed",
		).With("HeadersNotSigned", strings.Join(names, ", "))
	}
	if !by.Expires.IsZero() && !cl.Now.Before(by.Expires) {
		return Fail(e.expiredStatus, e.expired, "%s", e.expiredText)
	}
	cl.Caller, cl.Signature, cl.SigningKey = by.Caller, &sig, signingKey
	keys.Used(sig.accessKey, service, sig.Region, cl.Now)
	return nil
}

// keyring finds the access keys of all accounts. IAM implements it.
type keyring interface {
	// Signer looks an access key up. It returns nil for a key that is unknown or
	// inactive, or whose user or role is deleted.
	Signer(accessKeyID string) *Signer
	// Used notes that a call was signed with a key.
	Used(accessKeyID, service, region string, now time.Time)
}

// Signer is an access key as authentication needs it.
type Signer struct {
	Secret  string
	Token   string    // empty for long-term keys
	Expires time.Time // zero: never
	Caller  *Caller
}

// findSigner finds the key that a request says it is signed with, and checks its session token.
func findSigner(keys keyring, sig *Signature, e *authErrors) (*Signer, error) {
	by := keys.Signer(sig.accessKey)
	// A session's secret is in its token: without one there is nothing to verify against.
	if by == nil || by.Token != "" && sig.Token == "" {
		return nil, Fail(e.unknownKeyStatus, e.unknownKey, "%s", e.unknownKeyText).With("AWSAccessKeyId", sig.accessKey)
	}
	if subtle.ConstantTimeCompare([]byte(by.Token), []byte(sig.Token)) != 1 {
		return nil, Fail(e.badTokenStatus, e.badToken, "%s", e.badTokenText)
	}
	return by, nil
}

// AuthenticateText checks an S3 signature over a text, the policy of a form upload,
// and sets cl.Caller.
func (cl *Request) AuthenticateText(keys keyring, sig *Signature, text string) error {
	e := &S3AuthErrors
	by, err := findSigner(keys, sig, e)
	if err != nil {
		return err
	}
	key := sig.signingKey(by.Secret)
	if !hmac.Equal([]byte(hex.EncodeToString(HMAC(key, text))), []byte(sig.Value)) {
		return Fail(e.signatureStatus, e.badSignature, "%s", e.BadSignatureText).
			With("AWSAccessKeyId", sig.accessKey).With("StringToSign", text).With("SignatureProvided", sig.Value)
	}
	if !by.Expires.IsZero() && !cl.Now.Before(by.Expires) {
		return Fail(e.expiredStatus, e.expired, "%s", e.expiredText)
	}
	cl.Caller, cl.Signature, cl.SigningKey = by.Caller, sig, key
	keys.Used(sig.accessKey, "s3", sig.Region, cl.Now)
	return nil
}

// IsV2 reports whether an Authorization header is of Signature Version 2.
func IsV2(header string) bool {
	return strings.HasPrefix(header, "AWS ")
}

// UnsupportedSignature is the error for signatures that are not of version 4.
func UnsupportedSignature(e *authErrors) *Error {
	if e != &S3AuthErrors {
		return Fail(e.badHeaderStatus, e.badHeader, "Only Signature Version 4 is accepted.")
	}
	return Fail(
		http.StatusBadRequest,
		"InvalidRequest",
		"The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
	)
}

// signingTime is the time of signing, as the client states it.
func signingTime(r *http.Request) (time.Time, error) {
	if stamp := r.Header.Get("X-Amz-Date"); stamp != "" {
		return time.Parse(AmzTimeLayout, stamp)
	}
	stamp := r.Header.Get("Date")
	for _, layout := range []string{AmzTimeLayout, time.RFC1123Z} {
		if t, err := time.Parse(layout, stamp); err == nil {
			return t, nil
		}
	}
	return http.ParseTime(stamp)
}

// presignedPayload is the payload hash of a presigned request: S3 does not sign bodies there.
func presignedPayload(service, hash string) string {
	if service == "s3" {
		return PayloadUnsigned
	}
	return hash
}

func checkTime(sig *Signature, service string, e *authErrors, now time.Time) error {
	if sig.Presigned && !isQueryService(service) {
		if now.Before(sig.Time.Add(-maxClockSkew)) {
			return Fail(http.StatusForbidden, "AccessDenied", "Request is not yet valid")
		}
		if now.After(sig.Time.Add(sig.expires)) {
			return Fail(http.StatusForbidden, "AccessDenied", "Request has expired").
				With("X-Amz-Expires", strconv.Itoa(Seconds(sig.expires))).
				With("Expires", sig.Time.Add(sig.expires).Format(time.RFC3339)).With("ServerTime", now.UTC().Format(time.RFC3339))
		}
		return nil
	}
	early, late := sig.Time.After(now.Add(maxClockSkew)), sig.Time.Before(now.Add(-maxClockSkew))
	if !early && !late {
		return nil
	}
	stamp, ours := sig.Time.Format(AmzTimeLayout), now.UTC()
	switch {
	case service == "s3":
		return Fail(http.StatusForbidden, e.skewed, "The difference between the request time and the current time is too large.").
			With("RequestTime", stamp).With("ServerTime", ours.Format(time.RFC3339)).With("MaxAllowedSkewMilliseconds", "900000")
	case late:
		return Fail(e.signatureStatus, e.skewed, "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			stamp, ours.Add(-maxClockSkew).Format(AmzTimeLayout), ours.Format(AmzTimeLayout))
	default:
		return Fail(e.signatureStatus, e.skewed, "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			stamp, ours.Add(maxClockSkew).Format(AmzTimeLayout), ours.Format(AmzTimeLayout))
	}
}

// Conditions holds the condition keys that every call has.
func (cl *Request) Conditions(region string) map[string][]string {
	now := cl.Now.UTC()
	ctx := map[string][]string{
		"aws:CurrentTime":     {now.Format(time.RFC3339)},
		"aws:EpochTime":       {FormatUnix(now)},
		"aws:SecureTransport": {BoolText(cl.HTTP.TLS != nil)},
		"aws:ViaAWSService":   {"false"},
		"aws:SourceIp":        {RemoteIP(cl.HTTP)},
	}
	if e := cl.Endpoint; e != nil {
		delete(ctx, "aws:SourceIp")
		ctx["aws:SourceVpce"], ctx["aws:SourceVpc"], ctx["aws:VpcSourceIp"] = []string{e.ID}, []string{e.VPC}, []string{RemoteIP(cl.HTTP)}
	}
	if region != "" {
		ctx["aws:RequestedRegion"] = []string{region}
	}
	if ua := cl.HTTP.UserAgent(); ua != "" {
		ctx["aws:UserAgent"] = []string{ua}
	}
	if ref := cl.HTTP.Referer(); ref != "" {
		ctx["aws:Referer"] = []string{ref}
	}
	return ctx
}

// Region is the Region that the caller signed for; the home Region for anonymous callers.
func (cl *Request) Region() string {
	if cl.Signature == nil {
		return cl.Kernel.region
	}
	return cl.Signature.Region
}

// hexBytes are the bytes of a text in hexadecimal with spaces, as S3 shows them.
func hexBytes(text string) string { return fmt.Sprintf("% x", text) }
