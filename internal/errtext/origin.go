package errtext

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// reServiceCode are the places where the SDKs and services of AWS write a code.
	reServiceCode = []*regexp.Regexp{
		re(`An error occurred \(([\w.]+)\) when calling`),
		re(`api error ([\w.]+):`),
		re(`Error Code: ([A-Za-z][\w.]+)`),
		re(`<Code>\s*([\w.]+)\s*</Code>`),
		re(`code: Some\("([\w.]+)"\)`),
		re(`"__type"\s*:\s*"(?:[\w.]+#)?(\w+)`),
		re(`HandlerErrorCode: (\w+)`),
	}
	// reFieldCode are fields of logs. Programs write codes of their own in them.
	reFieldCode = []*regexp.Regexp{
		re(`(?:error_?)?[cC]ode"?'?\s*[:=]\s*["']([A-Z][\w.]+)`),
		re(`errorCode["']?\s*[:=]\s*["']?([A-Z][\w.]+)`),
		re(`ExceptionName: (\w+)`),
	}
	camelCase = re(`^[A-Z][A-Za-z0-9.]*[a-z][A-Za-z0-9.]*$`)

	// ofAWS are the names that an error of AWS has around it.
	ofAWS = re(`(?i)\baws|amazon|\barn:|\b(?:s3a?|kms|sts|iam)\b|boto|x-amz|cloudtrail|` +
		`request[ _-]?id\b|host[ _-]?id\b|\bSDK\b|PutObject|put_object|\$fault`)
	// wordings are messages of AWS that have a shared code.
	wordings = re(`We encountered an internal error\. Please try again|The provided token is malformed or otherwise invalid|` +
		`validation errors? detected: Value |pre-conditions you specified did not hold|Your socket connection to the server was not read from|` +
		`A header you provided implies functionality|The specified method is not allowed against this resource|Please reduce your request rate`)
	// ofOthers are texts of other programs that use the same words.
	ofOthers = re(`Error from server \(|Access denied for user '|<center>nginx|\bdjango\b|You don't have permission to access|` +
		`java\.nio\.file\.AccessDeniedException: (?:[A-Z]:)?[\w./\\-]+(?: |$)`)
)

// sharedCodes are codes that programs without AWS use as well.
var sharedCodes = []string{
	"AccessDeniedException", "AccessDeniedError", "Forbidden", "NotAuthorized", "AuthorizationError", "AuthorizationErrorException",
	"UnauthorizedAccess", "ValidationError", "ValidationException", "InternalError", "InternalFailure", "NotFound",
	"NotFoundException", "ServiceUnavailable", "RequestTimeout", "NotImplemented", "MethodNotAllowed", "PreconditionFailed",
	"InvalidRequest", "InvalidArgument", "InvalidToken", "UnsupportedOperationException", "LimitExceededException",
	"TooManyRequestsException", "DisabledException",
}

// codeOf returns the code in a text, and reports whether AWS wrote it: a shared code alone
// is no error of AWS.
func codeOf(flat string) (code string, sure bool) {
	if code = first(reServiceCode, flat); code != "" {
		return code, true
	}
	if code = first(reFieldCode, flat); code != "" && (isKnownCode(code) || camelCase.MatchString(code)) {
		return code, isKnownCode(code) && !slices.Contains(sharedCodes, code)
	}
	if m := reKnownCode.FindString(flat); m != "" {
		return m, !slices.Contains(sharedCodes, m)
	}
	if m := reJavaClass.FindStringSubmatch(flat); m != nil {
		code = codeOfClass(m[1])
		return code, code != "" && !slices.Contains(sharedCodes, code)
	}
	return "", false
}

// refusalCode returns the code of a refusal by its text: a service wrote the code, or it is
// a code that stands for refusals. Another code in the text is a remark.
func refusalCode(code, flat string) string {
	if IsRefusal(code) || first(reServiceCode, flat) != "" {
		return code
	}
	for _, known := range reKnownCode.FindAllString(flat, -1) {
		if IsRefusal(known) {
			return known
		}
	}
	return ""
}

// statusOfCode returns a code that is an HTTP status: a HEAD has no body, and the CLI
// shows the status.
func statusOfCode(code string) int {
	n, err := strconv.Atoi(code)
	if err != nil {
		return 0
	}
	return n
}

// isError reports whether AWS is known to send the text of e.
func isError(e *Error, flat string, sure bool) bool {
	switch {
	case e.Denial.Action != "", sure, sentenceOf(flat) != nil:
		return true
	case ofOthers.MatchString(flat):
		return false
	case strings.Contains(flat, "Access Denied"): // the whole message of S3
		return true
	case !ofAWS.MatchString(flat) && !wordings.MatchString(flat):
		return false
	}
	return e.Code != "" || e.Status == 403 || e.Status >= 300 && e.Operation != "" ||
		strings.Contains(strings.ToLower(flat), "access denied")
}
