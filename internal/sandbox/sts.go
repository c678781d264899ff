package sandbox

import (
	"crypto/ecdsa"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const (
	minSession          = 15 * time.Minute
	maxChainedSession   = time.Hour
	defaultSession      = time.Hour
	maxSessionPolicyLen = 2048
	maxSessionPolicies  = 10
	stsVersion          = "2011-06-15"
)

// stsService is STS of all accounts. Its sessions are access keys, which IAM holds:
// its operations take IAM's lock.
type stsService struct {
	k   *kernel
	iam *iamService

	keyMu     sync.RWMutex
	issuerKey *ecdsa.PrivateKey // signs web identity tokens
}

func newSTS(k *kernel, iam *iamService) (*stsService, error) {
	key, err := newIssuerKey()
	if err != nil {
		return nil, err
	}
	return &stsService{k: k, iam: iam, issuerKey: key}, nil
}

// serve answers a call to STS.
func (s *stsService) serve(cl *call) error {
	if err := checkVersion(cl, stsVersion); err != nil {
		return err
	}
	m := model{parameters: stsParameters, shape: stsShape, tellsValue: true}
	if err := m.validate(cl.record.Operation, cl.query); err != nil {
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
func (s *stsService) getCallerIdentity(cl *call) error {
	cl.record.Decision = "allowed"
	return cl.writeQuery(callerIdentityResult{Arn: cl.caller.arn, UserID: cl.caller.id, Account: cl.caller.account})
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

func (s *stsService) assumeRole(cl *call) error {
	in, err := readAssumeRole(cl)
	if err != nil {
		return err
	}
	s.iam.mu.Lock()
	defer s.iam.mu.Unlock()
	c, own := cl.caller, identityOf(cl.caller)
	if c.kind == rootUser {
		return fail(http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts.")
	}
	target := s.iam.findRoleLocked(in.roleARN)
	sessionTags, inherited, err := mergeSessionTags(own.session, in.tags)
	if err != nil {
		return err
	}
	if c.source != "" {
		if in.source != "" && in.source != c.source {
			return fail(http.StatusForbidden, "AccessDenied", "The source identity of a chained session cannot be changed.")
		}
	}

	ctx := cl.requestContext(cl.region())
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
			_, a.policy = s.iam.policyNowLocked(target.trust)
		}
		sc, res := s.iam.decideLocked(a)
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
	sess, err := s.newRoleSession(cl, target, in)
	if err != nil {
		return err
	}
	sess.tags = append(inherited, sessionTags...)
	if own.session != nil {
		if sess.source == "" {
			sess.source = c.source
		}
		for _, t := range inherited {
			sess.transit[strings.ToLower(t.Key)] = true
		}
	}
	key := s.iam.issueLocked(cl, sess, target.account)
	return cl.writeQuery(assumeRoleResult{
		Credentials: keyXML(key), AssumedRoleUser: s.assumedRole(key), SourceIdentity: sess.source, PackedPolicySize: in.packedSize(),
	})
}

// newRoleSession makes the session that in asks for, within the role's limit.
// The caller holds IAM's lock.
func (s *stsService) newRoleSession(cl *call, target *role, in assumeRoleInput) (*session, error) {
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
		p := s.iam.policyByARN(target.account, arn)
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

func keyXML(k *accessKey) credentialsXML {
	return credentialsXML{AccessKeyID: k.id, SecretAccessKey: k.secret, SessionToken: k.session.token, Expiration: queryTime(k.session.expires)}
}

func (s *stsService) assumedRole(k *accessKey) assumedRoleXML {
	return assumedRoleXML{Arn: s.iam.callerLocked(k, k.session).arn, AssumedRoleID: k.session.role.id + ":" + k.session.name}
}

// mergeSessionTags checks the new tags against the transitive ones that the
// caller's own session passes on.
func mergeSessionTags(in *session, tags []tag) (own, inherited []tag, err error) {
	if in == nil {
		return tags, nil, nil
	}
	for _, t := range in.tags {
		if in.transit[strings.ToLower(t.Key)] {
			inherited = append(inherited, t)
		}
	}
	for _, t := range tags {
		if in.transit[strings.ToLower(t.Key)] {
			return nil, nil, invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
	}
	return tags, inherited, nil
}
