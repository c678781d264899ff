package sts

import (
	"regexp"

	"github.com/brokerd/brokerd/internal/sandbox/iam"
)

// The parameters of STS's operations and what their values may be, as the
// service's model has them.

const sessionNameText = `[\w+=,.@-]*`

var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
)

var shapes = map[string]iam.Shape{
	"AccessKeyId":       {Least: 16, Most: 128, Pattern: regexp.MustCompile(`^\w*$`), Text: `[\w]*`},
	"DurationSeconds":   {Number: true, Least: 900, Most: 43200},
	"ExternalId":        {Least: 2, Most: 1224, Pattern: externalIDPattern, Text: `[\w+=,.@:\/-]*`},
	"Policy":            {Least: 1},
	"RoleArn":           {Least: 20, Most: 2048},
	"RoleSessionName":   {Least: 2, Most: 64, Pattern: sessionNamePattern, Text: sessionNameText},
	"SourceIdentity":    {Least: 2, Most: 64, Pattern: sessionNamePattern, Text: sessionNameText},
	"Tags":              {Most: iam.MaxIAMTags, Tags: true},
	"TransitiveTagKeys": {Most: iam.MaxIAMTags, Member: &iam.TagShapes[0]},
	"WebIdentityToken":  {Least: 4, Most: 20000},
}

var shapesOf = map[string]map[string]iam.Shape{
	"AssumeRoleWithWebIdentity": {"Policy": {Least: 1, Most: maxSessionPolicyLen}},
	"GetSessionToken":           {"DurationSeconds": {Number: true, Least: 900, Most: 129600}},
}

var parameters = map[string]string{
	"AssumeRole":                "RoleArn! RoleSessionName! Policy DurationSeconds Tags TransitiveTagKeys ExternalId SourceIdentity",
	"AssumeRoleWithWebIdentity": "RoleArn! RoleSessionName! WebIdentityToken! Policy DurationSeconds",
	"GetSessionToken":           "DurationSeconds",
	"GetAccessKeyInfo":          "AccessKeyId!",
}

func shapeOf(operation, name string) iam.Shape {
	if s, ok := shapesOf[operation][name]; ok {
		return s
	}
	return shapes[name]
}
