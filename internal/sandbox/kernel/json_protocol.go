package kernel

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The JSON protocol: JSON in, JSON out. KMS and CloudTrail speak it.

// CloudTrailTarget is the beginning of X-Amz-Target.
const CloudTrailTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."

// JSONContentType is the content type of every answer in the JSON protocol.
const JSONContentType = "application/x-amz-json-1.1"

// JSONTarget finds the service and operation of the JSON protocol.
func JSONTarget(r *http.Request) (service, operation string) {
	target := r.Header.Get("X-Amz-Target")
	if op, ok := strings.CutPrefix(target, "TrentService."); ok {
		return "kms", op
	}
	if op, ok := strings.CutPrefix(target, CloudTrailTarget); ok {
		return "cloudtrail", op
	}
	if op, ok := strings.CutPrefix(target, "CloudTrail_20131101."); ok {
		return "cloudtrail", op
	}
	return "", ""
}

// WriteJSON answers in the JSON protocol.
func (cl *Request) WriteJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering the answer: %w", err)
	}
	cl.Out.Header().Set("Content-Type", JSONContentType)
	cl.Reply(http.StatusOK)
	_, err = cl.Out.Write(body)
	return err
}

// JSONFail is an error of the JSON protocol.
func JSONFail(code, format string, args ...any) *Error {
	return Fail(http.StatusBadRequest, code, format, args...)
}
