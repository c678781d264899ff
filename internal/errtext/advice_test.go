package errtext

import (
	"regexp"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
)

// allAdvice lists each piece of advice of the package.
func allAdvice() []string {
	var all []string
	for _, c := range codeCauses {
		all = append(all, c.next)
	}
	for _, s := range sentences {
		all = append(all, s.next)
	}
	for _, layer := range []awserr.Layer{
		awserr.LayerUnknown, awserr.LayerIdentity, awserr.LayerResource, awserr.LayerBoundary, awserr.LayerSession, awserr.LayerSCP,
		awserr.LayerRCP, awserr.LayerVPCEndpoint, awserr.LayerPublicAccess, awserr.LayerTrust, awserr.LayerKeyPolicy,
	} {
		for _, action := range []string{"", "s3:PutObject", "kms:Decrypt", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"} {
			for _, explicit := range []bool{false, true} {
				all = append(all, lookAt(Error{Denial: awserr.Denial{Layer: layer, Action: action, Explicit: explicit}})...)
			}
		}
	}
	return all
}

// destinationWith is a configuration whose destination has a setting more.
func destinationWith(setting string) string {
	return `socket: {path: /run/brokerd/b.sock}
destinations:
  logs:
    owner: "111122223333"
    region: eu-west-1
    bucket: example-logs
    key: logs/{id}
    kms_key: arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    role: arn:aws:iam::444455556666:role/Uploader
    ` + setting + "\naccess:\n  - {peer: {uid: app}, destinations: [logs], allow: [upload]}\n"
}

// TestTheConfigurationAcceptsTheAdvice proves that each setting in the advice exists.
func TestTheConfigurationAcceptsTheAdvice(t *testing.T) {
	quoted := regexp.MustCompile("`([^`]+)`")
	settings := 0
	for _, advice := range allAdvice() {
		for _, m := range quoted.FindAllStringSubmatch(advice, -1) {
			if strings.HasPrefix(m[1], "brokerctl ") {
				continue
			}
			settings++
			setting := m[1]
			path, value, _ := strings.Cut(setting, ": ")
			if group, key, ok := strings.Cut(path, "."); ok {
				if value == "" {
					value = map[string]string{"session.tags": "{team: a}", "session.duration": "1h"}[path]
				}
				setting = group + ": {" + key + ": " + value + "}"
			}
			if _, err := config.Parse("brokerd.yaml", []byte(destinationWith(setting))); err != nil {
				t.Errorf("%q: the configuration does not accept %s: %v", advice, setting, err)
			}
		}
	}
	if settings < 4 {
		t.Errorf("the advice names %d settings, want at least 4", settings)
	}
	if _, err := config.Parse("brokerd.yaml", []byte(destinationWith("session: {scope: none}"))); err == nil {
		t.Error("the configuration accepts a scope that does not exist")
	}
}
