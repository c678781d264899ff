package sandbox

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// GetSessionToken and GetAccessKeyInfo.

const (
	longestUserSession = 36 * time.Hour
	defaultUserSession = 12 * time.Hour
	longestRootSession = time.Hour
)

type sessionTokenResult struct {
	XMLName     xml.Name `xml:"GetSessionTokenResult"`
	Credentials credentialsXML
}

// getSessionToken gives a user temporary keys with its own permissions. No
// permission is needed for it.
func (s *stsService) getSessionToken(cl *call) error {
	s.iam.mu.Lock()
	defer s.iam.mu.Unlock()
	c := cl.caller
	if c.temporary {
		return fail(http.StatusForbidden, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	if cl.query.Get("SerialNumber") != "" || cl.query.Get("TokenCode") != "" {
		return notImplemented("MFA of GetSessionToken")
	}
	longest, duration := longestUserSession, defaultUserSession
	if c.kind == rootUser {
		longest, duration = longestRootSession, longestRootSession
	}
	if text := cl.query.Get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("a duration that was validated: %w", err)
		}
		duration = time.Duration(n) * time.Second
		duration = min(duration, longest)
	}
	cl.record.Decision = "allowed"
	sess := &session{token: "IQoJ" + newHex(180), issued: cl.now, expires: cl.now.Add(duration).Truncate(time.Second), transit: map[string]bool{}}
	key := s.iam.issueLocked(cl, sess, c.account)
	key.user = identityOf(c).user
	return cl.writeQuery(sessionTokenResult{Credentials: keyXML(key)})
}

// userSessionAllows: the keys of GetSessionToken are not for IAM, and of STS
// only for AssumeRole and GetCallerIdentity.
func userSessionAllows(service, operation string) bool {
	switch service {
	case "iam":
		return false
	case "sts":
		return operation == "AssumeRole" || operation == "GetCallerIdentity"
	}
	return true
}

type accessKeyInfoResult struct {
	XMLName xml.Name `xml:"GetAccessKeyInfoResult"`
	Account string
}

func (s *stsService) getAccessKeyInfo(cl *call) error {
	s.iam.mu.Lock()
	defer s.iam.mu.Unlock()
	if e := s.iam.authorizeLocked(cl, access{caller: cl.caller, action: "sts:GetAccessKeyInfo", resource: "*", owner: cl.caller.account, context: cl.requestContext(cl.region())}); e != nil {
		return e
	}
	id := cl.query.Get("AccessKeyId")
	k := s.iam.keys[id]
	if k == nil {
		return validationError("Invalid Access Key Id: %s", id)
	}
	return cl.writeQuery(accessKeyInfoResult{Account: k.account})
}
