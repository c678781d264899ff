package sandbox

import (
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// Sessions of roles and users. STS makes them; IAM holds their access keys.

// issueLocked makes the access key of a session. The caller holds mu.
func (s *iamService) issueLocked(cl *call, sess *session, account string) *accessKey {
	key := &accessKey{id: newID("ASIA", 16), secret: newSecret(), account: account, session: sess, created: cl.now}
	s.keys[key.id] = key
	s.k.markDirty()
	s.dropExpired(cl.now)
	cl.response = map[string]any{"credentials": map[string]any{"accessKeyId": key.id, "expiration": queryTime(sess.expires)}}
	if sess.role != nil {
		cl.response["assumedRoleUser"] = map[string]any{"assumedRoleId": sess.role.id + ":" + sess.name, "arn": s.callerLocked(key, sess).arn}
	}
	return key
}

// dropExpired forgets sessions that ended more than a day ago; until then they
// answer ExpiredToken.
func (s *iamService) dropExpired(now time.Time) {
	if len(s.keys)%256 != 0 {
		return
	}
	for id, k := range s.keys {
		if k.session != nil && now.Sub(k.session.expires) > 24*time.Hour {
			delete(s.keys, id)
		}
	}
}

// findRoleLocked finds a role by its ARN, path included; nil for none. The caller holds mu.
func (s *iamService) findRoleLocked(arn string) *role {
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
