package sink

import (
	"encoding/xml"
	"net/http"
	"strings"
	"time"
)

// sessionLife is AWS's limit for chained roles, so that no benchmark sees a refresh.
const sessionLife = time.Hour

type assumed struct {
	XMLName     xml.Name `xml:"AssumeRoleResponse"`
	Namespace   string   `xml:"xmlns,attr"`
	ARN         string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	ID          string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	AccessKeyID string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret      string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	Token       string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Expiration  string   `xml:"AssumeRoleResult>Credentials>Expiration"`
	RequestID   string   `xml:"ResponseMetadata>RequestId"`
}

// serveSTS gives a session for any role. The token has the length of a real one,
// because it travels with every request.
func serveSTS(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	action := r.FormValue("Action")
	if action != "AssumeRole" {
		refuse(http.StatusBadRequest, "InvalidAction", action+" is not needed for uploads").write(w)
		return
	}
	role, session := r.FormValue("RoleArn"), r.FormValue("RoleSessionName")
	ok(nil, assumed{
		Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		ARN:       strings.Replace(strings.Replace(role, ":iam:", ":sts:", 1), ":role/", ":assumed-role/", 1) + "/" + session,
		ID:        "AROAEXAMPLEEXAMPLE:" + session, AccessKeyID: "ASIAEXAMPLEEXAMPLE", Secret: "secret-of-the-sink",
		Token:      strings.Repeat("token/of+the+sink", 40),
		Expiration: time.Now().Add(sessionLife).UTC().Format(time.RFC3339), RequestID: "sink",
	}).write(w)
}
