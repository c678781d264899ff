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
func (s *Sandbox) getSessionToken(cl *call) error {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	c := cl.caller
	if c.session != nil {
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
	key := w.issue(cl, sess, c.account)
	key.user = c.user
	return s.writeQuery(cl, sessionTokenResult{Credentials: key.xml()})
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

func (s *Sandbox) getAccessKeyInfo(cl *call) error {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.authorize(cl, access{caller: cl.caller, action: "sts:GetAccessKeyInfo", resource: "*", owner: cl.caller.account, context: cl.requestContext(s.region(cl))}); e != nil {
		return e
	}
	id := cl.query.Get("AccessKeyId")
	k := w.keys[id]
	if k == nil {
		return validationError("Invalid Access Key Id: %s", id)
	}
	return s.writeQuery(cl, accessKeyInfoResult{Account: k.account})
}
