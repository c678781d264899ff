package sts

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
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
func (s *Service) getSessionToken(cl *kernel.Request) error {
	s.iam.Mu.Lock()
	defer s.iam.Mu.Unlock()
	c := cl.Caller
	if c.Temporary {
		return kernel.Fail(http.StatusForbidden, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	if cl.Form.Get("SerialNumber") != "" || cl.Form.Get("TokenCode") != "" {
		return kernel.NotImplemented("MFA of GetSessionToken")
	}
	longest, duration := longestUserSession, defaultUserSession
	if c.Kind == kernel.RootUser {
		longest, duration = longestRootSession, longestRootSession
	}
	if text := cl.Form.Get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("a duration that was validated: %w", err)
		}
		duration = time.Duration(n) * time.Second
		duration = min(duration, longest)
	}
	cl.Record.Decision = "allowed"
	sess := &iam.Session{
		Token:   "IQoJ" + kernel.NewHex(180),
		Issued:  cl.Now,
		Expires: cl.Now.Add(duration).Truncate(time.Second),
		Transit: map[string]bool{},
	}
	key := s.iam.IssueLocked(cl, sess, c.Account)
	key.User = iam.IdentityOf(c).User
	return cl.WriteQuery(sessionTokenResult{Credentials: keyXML(key)})
}

// UserSessionAllows reports whether keys of GetSessionToken are accepted for an operation:
// IAM refuses them, and STS takes them for AssumeRole and GetCallerIdentity only.
func UserSessionAllows(service, operation string) bool {
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

func (s *Service) getAccessKeyInfo(cl *kernel.Request) error {
	s.iam.Mu.Lock()
	defer s.iam.Mu.Unlock()
	if e := s.iam.AuthorizeLocked(cl, kernel.Access{
		Caller: cl.Caller, Action: "sts:GetAccessKeyInfo", Resource: "*", Owner: cl.Caller.Account, Context: cl.Conditions(cl.Region()),
	}); e != nil {
		return e
	}
	id := cl.Form.Get("AccessKeyId")
	k := s.iam.Keys[id]
	if k == nil {
		return kernel.ValidationError("Invalid Access Key Id: %s", id)
	}
	return cl.WriteQuery(accessKeyInfoResult{Account: k.Account})
}
