package broker

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// scopeMax is STS's limit for an inline session policy, in characters. Only STS knows
// the packed size, to which tags count as well.
const scopeMax = 2048

type scopeStatement struct {
	Effect, Resource string
	Action           []string
}

// scopePolicy returns the session policy that limits a session to the rights that an
// upload needs: writing below the destination's prefix, with its key. policy is empty
// without one. note describes the limit, or why there is none.
//
// A session policy grants nothing beyond the role's rights. UploadPart needs
// kms:Decrypt; without s3:GetObject it reads no object.
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
		statements = append(
			statements,
			scopeStatement{Effect: "Allow", Action: []string{"kms:GenerateDataKey", "kms:Decrypt"}, Resource: d.KMSKey},
		)
	}
	text, err := json.Marshal(struct {
		Version   string
		Statement []scopeStatement
	}{"2012-10-17", statements})
	if err != nil {
		return "", "off: " + err.Error()
	}
	if len(text) > scopeMax {
		return "", fmt.Sprintf("left out: the session policy has %d characters, and STS takes %d", len(text), scopeMax)
	}
	return string(text), note
}
