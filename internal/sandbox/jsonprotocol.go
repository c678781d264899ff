package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The JSON protocol: JSON in, JSON out. KMS and CloudTrail speak it.

// cloudTrailTarget is what X-Amz-Target starts with.
const cloudTrailTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."

// jsonContentType is the content type of every answer in the JSON protocol.
const jsonContentType = "application/x-amz-json-1.1"

// jsonTarget finds the service and operation of the JSON protocol.
func jsonTarget(r *http.Request) (service, operation string) {
	target := r.Header.Get("X-Amz-Target")
	if op, ok := strings.CutPrefix(target, "TrentService."); ok {
		return "kms", op
	}
	if op, ok := strings.CutPrefix(target, cloudTrailTarget); ok {
		return "cloudtrail", op
	}
	if op, ok := strings.CutPrefix(target, "CloudTrail_20131101."); ok {
		return "cloudtrail", op
	}
	return "", ""
}

// writeJSON answers in the JSON protocol.
func (cl *call) writeJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering the answer: %w", err)
	}
	cl.w.Header().Set("Content-Type", jsonContentType)
	cl.reply(http.StatusOK)
	_, err = cl.w.Write(body)
	return err
}

// jsonFail is an error of the JSON protocol.
func jsonFail(code, format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, code, format, args...)
}
