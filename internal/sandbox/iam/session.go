package iam

import (
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Sessions of roles and users. STS makes them; IAM holds their access keys.

// IssueLocked makes the access key of a session. The caller holds mu.
func (s *Service) IssueLocked(cl *kernel.Request, sess *Session, account string) *AccessKey {
	key := &AccessKey{ID: kernel.NewID("ASIA", 16), Secret: kernel.NewSecret(), Account: account, Session: sess, created: cl.Now}
	s.Keys[key.ID] = key
	s.k.MarkDirty()
	s.dropExpired(cl.Now)
	cl.Response = map[string]any{"credentials": map[string]any{"accessKeyId": key.ID, "expiration": kernel.QueryTime(sess.Expires)}}
	if sess.Role != nil {
		cl.Response["assumedRoleUser"] = map[string]any{
			"assumedRoleId": sess.Role.ID + ":" + sess.Name,
			"arn":           s.CallerLocked(key, sess).ARN,
		}
	}
	return key
}

// dropExpired forgets sessions that ended more than a day ago; until then they
// answer ExpiredToken.
func (s *Service) dropExpired(now time.Time) {
	if len(s.Keys)%256 != 0 {
		return
	}
	for id, k := range s.Keys {
		if k.Session != nil && now.Sub(k.Session.Expires) > 24*time.Hour {
			delete(s.Keys, id)
		}
	}
}

// FindRoleLocked finds a role by its ARN, path included; nil for none. The caller holds mu.
func (s *Service) FindRoleLocked(arn string) *Role {
	a, ok := awsarn.Split(arn)
	if !ok || s.accounts[a.Account] == nil {
		return nil
	}
	r := s.accounts[a.Account].roles[a.Name()]
	if r == nil || r.arn != arn {
		return nil
	}
	return r
}
