package sandbox

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

const (
	minSession          = 15 * time.Minute
	maxChainedSession   = time.Hour
	defaultSession      = time.Hour
	maxSessionPolicyLen = 2048
	maxSessionPolicies  = 10
	stsVersion          = "2011-06-15"
)

func (s *Sandbox) handleSTS(cl *call) error {
	if err := checkVersion(cl, stsVersion); err != nil {
		return err
	}
	sts := model{parameters: stsParameters, shape: stsShape, tellsValue: true}
	if err := sts.validate(cl.record.Operation, cl.query); err != nil {
		return err
	}
	switch cl.record.Operation {
	case "GetCallerIdentity":
		return s.getCallerIdentity(cl)
	case "AssumeRole":
		return s.assumeRole(cl)
	case "AssumeRoleWithWebIdentity":
		return s.assumeRoleWithWebIdentity(cl)
	case "GetSessionToken":
		return s.getSessionToken(cl)
	case "GetAccessKeyInfo":
		return s.getAccessKeyInfo(cl)
	}
	return notImplemented("sts:" + cl.record.Operation)
}

type callerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

// getCallerIdentity needs no permission; not even an explicit deny hinders it.
func (s *Sandbox) getCallerIdentity(cl *call) error {
	cl.record.Decision = "allowed"
	return s.writeQuery(cl, callerIdentityResult{Arn: cl.caller.arn, UserID: cl.caller.id, Account: cl.caller.account})
}

type credentialsXML struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRoleXML struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string
}

type assumeRoleResult struct {
	XMLName          xml.Name `xml:"AssumeRoleResult"`
	Credentials      credentialsXML
	AssumedRoleUser  assumedRoleXML
	PackedPolicySize int    `xml:",omitempty"`
	SourceIdentity   string `xml:",omitempty"`
}

type assumeRoleInput struct {
	roleARN, name, externalID, source string
	duration                          time.Duration
	policy                            *iampolicyText
	policyARNs                        []string
	tags                              []tag
	transitive                        []string
}

// readSession reads what the operations that assume roles have in common.
func readSession(cl *call) (in assumeRoleInput, err error) {
	form := cl.query
	in.roleARN, in.name = form.Get("RoleArn"), form.Get("RoleSessionName")
	if len(strings.Split(in.roleARN, ":")) != 6 {
		return in, validationError("%s is invalid", in.roleARN)
	}
	if n, err := strconv.Atoi(form.Get("DurationSeconds")); err == nil {
		in.duration = time.Duration(n) * time.Second
	}
	if text := form.Get("Policy"); text != "" {
		if in.policy, err = parseSessionPolicy(text); err != nil {
			return in, err
		}
	}
	for i := 1; form.Has(fmt.Sprintf("PolicyArns.member.%d.arn", i)); i++ {
		in.policyARNs = append(in.policyARNs, form.Get(fmt.Sprintf("PolicyArns.member.%d.arn", i)))
	}
	if n := len(in.policyARNs); n > maxSessionPolicies {
		return in, validationError("1 validation error detected: Value '[%s]' at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", strings.Join(in.policyARNs, ", "), maxSessionPolicies)
	}
	return in, nil
}

func parseSessionPolicy(text string) (*iampolicyText, error) {
	if len(text) > maxSessionPolicyLen {
		return nil, fail(http.StatusBadRequest, "PackedPolicyTooLarge", "Packed policy consumes %d%% of allotted space, please use smaller policy.", len(text)*100/maxSessionPolicyLen)
	}
	if err := checkGrammar(text, iampolicy.KindIdentity); err != nil {
		return nil, err
	}
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil, malformedDocument("%v", err)
	}
	return &iampolicyText{text, doc}, nil
}

func readAssumeRole(cl *call) (in assumeRoleInput, err error) {
	form := cl.query
	if in, err = readSession(cl); err != nil {
		return in, err
	}
	if form.Has("SerialNumber") || form.Has("TokenCode") {
		return in, notImplemented("MFA of AssumeRole")
	}
	if form.Has("ProvidedContexts.member.1.ProviderArn") {
		return in, notImplemented("provided contexts of AssumeRole")
	}
	in.externalID, in.source = form.Get("ExternalId"), form.Get("SourceIdentity")
	if in.tags, err = formTags(form); err != nil {
		// STS has its own code for what IAM calls an invalid input.
		var e *apiError
		if errors.As(err, &e) {
			err = invalidParameter("%s", e.Message)
		}
		return in, err
	}
	in.transitive = formList(form, "TransitiveTagKeys")
	return in, checkTransitive(in.tags, in.transitive)
}

func checkTransitive(tags []tag, keys []string) error {
	for _, key := range keys {
		if !slices.ContainsFunc(tags, func(t tag) bool { return strings.EqualFold(t.Key, key) }) {
			return invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

func invalidParameter(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidParameterValue", format, args...)
}

func (s *Sandbox) assumeRole(cl *call) error {
	in, err := readAssumeRole(cl)
	if err != nil {
		return err
	}
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	c := cl.caller
	if c.kind == rootUser {
		return fail(http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts.")
	}
	target := w.findRole(in.roleARN)
	sessionTags, inherited, err := mergeSessionTags(c, in.tags)
	if err != nil {
		return err
	}
	if c.session != nil && c.session.source != "" {
		if in.source != "" && in.source != c.session.source {
			return fail(http.StatusForbidden, "AccessDenied", "The source identity of a chained session cannot be changed.")
		}
	}

	ctx := cl.requestContext(s.region(cl))
	if in.externalID != "" {
		ctx["sts:ExternalId"] = []string{in.externalID}
	}
	ctx["sts:RoleSessionName"] = []string{in.name}
	if in.source != "" {
		ctx["sts:SourceIdentity"] = []string{in.source}
	}
	tagContext(ctx, sessionTags)
	if in.transitive != nil {
		ctx["sts:TransitiveTagKeys"] = in.transitive
	}
	actions := []string{"sts:AssumeRole"}
	// Tags that the calling session passes on count as well: a role behind EKS Pod
	// Identity, whose sessions have transitive tags, has to allow sts:TagSession
	// (EKS User Guide, pod-id-assign-target-role). Not compared with AWS.
	if len(sessionTags)+len(inherited) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		a := access{caller: c, action: action, resource: in.roleARN, owner: awsarn.Account(in.roleARN), context: ctx}
		if target != nil {
			_, a.policy = w.policyNow(target.trust)
		}
		sc, res := w.decide(a)
		if target == nil {
			// A role that is not there reads exactly like one that does not trust the caller.
			res = iampolicy.Result{Decision: iampolicy.ImplicitDeny}
		}
		cl.decided(a, res)
		if res.Decision != iampolicy.Allowed {
			// STS names no layer.
			e := fail(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", principalText(sc.Request.Principal), action, in.roleARN)
			e.denied = true
			return e
		}
	}

	if c.kind == roleSession && in.duration > maxChainedSession {
		return validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	sess, err := w.newRoleSession(cl, target, in)
	if err != nil {
		return err
	}
	sess.tags = append(inherited, sessionTags...)
	if c.session != nil {
		if sess.source == "" {
			sess.source = c.session.source
		}
		for _, t := range inherited {
			sess.transit[strings.ToLower(t.Key)] = true
		}
	}
	key := w.issue(cl, sess, target.account)
	return s.writeQuery(cl, assumeRoleResult{
		Credentials: key.xml(), AssumedRoleUser: key.assumedRole(), SourceIdentity: sess.source, PackedPolicySize: in.packedSize(),
	})
}

// newRoleSession makes the session that in asks for, within the role's limit.
func (w *world) newRoleSession(cl *call, target *role, in assumeRoleInput) (*session, error) {
	if in.duration == 0 {
		in.duration = min(defaultSession, target.maxSession)
	}
	if in.duration > target.maxSession {
		return nil, validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	sess := &session{
		token: "IQoJ" + newHex(180), role: target, name: in.name,
		issued: cl.now, expires: cl.now.Add(in.duration).Truncate(time.Second),
		transit: map[string]bool{}, source: in.source,
	}
	for _, k := range in.transitive {
		sess.transit[strings.ToLower(k)] = true
	}
	if in.policy != nil {
		sess.policies = []*iampolicyText{in.policy}
	}
	for _, arn := range in.policyARNs {
		p := w.policyByARN(target.account, arn)
		if p == nil {
			return nil, fail(http.StatusBadRequest, "MalformedPolicyDocument", "The policy %s does not exist or is not attachable.", arn)
		}
		v := p.version(p.Default)
		sess.policies = append(sess.policies, &iampolicyText{v.Text, v.doc})
	}
	return sess, nil
}

// packedSize is the share of its space that the session policy takes, in percent.
func (in *assumeRoleInput) packedSize() int {
	if in.policy == nil {
		return 0
	}
	return max(1, len(in.policy.text)*100/maxSessionPolicyLen)
}

// issue makes the access key of a session. The caller holds mu.
func (w *world) issue(cl *call, sess *session, account string) *accessKey {
	key := &accessKey{id: newID("ASIA", 16), secret: newSecret(), account: account, session: sess, created: cl.now}
	w.keys[key.id], w.dirty = key, true
	w.dropExpired(cl.now)
	cl.response = map[string]any{"credentials": map[string]any{"accessKeyId": key.id, "expiration": queryTime(sess.expires)}}
	if sess.role != nil {
		cl.response["assumedRoleUser"] = map[string]any{"assumedRoleId": sess.role.id + ":" + sess.name, "arn": key.caller(sess).arn}
	}
	return key
}

func (k *accessKey) xml() credentialsXML {
	return credentialsXML{AccessKeyID: k.id, SecretAccessKey: k.secret, SessionToken: k.session.token, Expiration: queryTime(k.session.expires)}
}

func (k *accessKey) assumedRole() assumedRoleXML {
	return assumedRoleXML{Arn: k.caller(k.session).arn, AssumedRoleID: k.session.role.id + ":" + k.session.name}
}

// dropExpired forgets sessions that ended more than a day ago; until then they
// answer ExpiredToken.
func (w *world) dropExpired(now time.Time) {
	if len(w.keys)%256 != 0 {
		return
	}
	for id, k := range w.keys {
		if k.session != nil && now.Sub(k.session.expires) > 24*time.Hour {
			delete(w.keys, id)
		}
	}
}

// mergeSessionTags checks the new tags against the transitive ones that the
// caller's own session passes on.
func mergeSessionTags(c *caller, tags []tag) (own, inherited []tag, err error) {
	if c.session == nil {
		return tags, nil, nil
	}
	for _, t := range c.session.tags {
		if c.session.transit[strings.ToLower(t.Key)] {
			inherited = append(inherited, t)
		}
	}
	for _, t := range tags {
		if c.session.transit[strings.ToLower(t.Key)] {
			return nil, nil, invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
	}
	return tags, inherited, nil
}

// findRole looks a role up by its ARN, path included.
func (w *world) findRole(arn string) *role {
	a, ok := awsarn.Split(arn)
	if !ok || w.accounts[a.Account] == nil {
		return nil
	}
	r := w.accounts[a.Account].roles[a.Name()]
	if r == nil || r.arn != arn {
		return nil
	}
	return r
}

func rootPolicyDocument() (*iampolicy.Document, error) {
	doc, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"RootUser","Effect":"Allow","Action":"*","Resource":"*"}]}`))
	if err != nil {
		return nil, fmt.Errorf("parsing the root user's policy: %w", err)
	}
	return doc, nil
}
