package sandbox

import "regexp"

// The parameters of STS's operations and what their values may be, as the
// service's model has them.

const sessionNameText = `[\w+=,.@-]*`

var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
)

var stsShapes = map[string]shape{
	"AccessKeyId":       {least: 16, most: 128, pattern: regexp.MustCompile(`^\w*$`), text: `[\w]*`},
	"DurationSeconds":   {number: true, least: 900, most: 43200},
	"ExternalId":        {least: 2, most: 1224, pattern: externalIDPattern, text: `[\w+=,.@:\/-]*`},
	"Policy":            {least: 1},
	"RoleArn":           {least: 20, most: 2048},
	"RoleSessionName":   {least: 2, most: 64, pattern: sessionNamePattern, text: sessionNameText},
	"SourceIdentity":    {least: 2, most: 64, pattern: sessionNamePattern, text: sessionNameText},
	"Tags":              {most: maxIAMTags, tags: true},
	"TransitiveTagKeys": {most: maxIAMTags, member: &tagShapes[0]},
	"WebIdentityToken":  {least: 4, most: 20000},
}

var stsShapesOf = map[string]map[string]shape{
	"AssumeRoleWithWebIdentity": {"Policy": {least: 1, most: maxSessionPolicyLen}},
	"GetSessionToken":           {"DurationSeconds": {number: true, least: 900, most: 129600}},
}

var stsParameters = map[string]string{
	"AssumeRole":                "RoleArn! RoleSessionName! Policy DurationSeconds Tags TransitiveTagKeys ExternalId SourceIdentity",
	"AssumeRoleWithWebIdentity": "RoleArn! RoleSessionName! WebIdentityToken! Policy DurationSeconds",
	"GetSessionToken":           "DurationSeconds",
	"GetAccessKeyInfo":          "AccessKeyId!",
}

func stsShape(operation, name string) shape {
	if s, ok := stsShapesOf[operation][name]; ok {
		return s
	}
	return stsShapes[name]
}
