package broker

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// scopeMax is STS's limit for an inline session policy, in characters. What is
// left of the packed size, which tags count towards as well, only STS can tell.
const scopeMax = 2048

type scopeStatement struct {
	Effect, Resource string
	Action           []string
}

// scopePolicy is the session policy that limits a session to what an upload to
// the destination takes: writing below its prefix, with its key. It is empty
// when there is none, and note says what the session is limited to, or why it is
// not.
//
// A session policy gives nothing: what the role may not do, the session may not.
// Decrypt is what UploadPart needs; without s3:GetObject it reads nothing.
func scopePolicy(d *config.Destination) (policy, note string) {
	switch {
	case d.Role == "":
		return "", "source credentials: not limited"
	case d.Session.Scope == config.ScopeOff:
		return "", "off"
	case d.Compatible:
		return "", "off: an S3-compatible store"
	}
	role, err := awsarn.Parse(d.Role)
	if err != nil || d.KeyTemplate == nil {
		return "", "off: the destination was not loaded from a configuration"
	}
	prefix := d.KeyTemplate.Prefix()
	note = "prefix " + prefix
	if prefix == "" {
		note = "bucket " + d.Bucket
	}
	objects := "arn:" + role.Partition + ":s3:::" + d.Bucket + "/" + prefix + "*"
	statements := []scopeStatement{
		{Effect: "Allow", Action: d.WriteActions(), Resource: objects},
	}
	if strings.HasPrefix(d.KMSKey, "arn:") {
		statements = append(statements, scopeStatement{Effect: "Allow", Action: []string{"kms:GenerateDataKey", "kms:Decrypt"}, Resource: d.KMSKey})
	}
	text, err := json.Marshal(struct {
		Version   string
		Statement []scopeStatement
	}{"2012-10-17", statements})
	if err != nil {
		return "", "off: " + err.Error()
	}
	if len(text) > scopeMax {
		return "", fmt.Sprintf("left out: the session policy has %d characters, STS takes %d", len(text), scopeMax)
	}
	return string(text), note
}
