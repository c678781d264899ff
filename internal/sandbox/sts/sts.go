package sts

import (
	"crypto/ecdsa"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	minSession          = 15 * time.Minute
	maxChainedSession   = time.Hour
	defaultSession      = time.Hour
	maxSessionPolicyLen = 2048
	maxSessionPolicies  = 10
	version             = "2011-06-15"
)

// Service is STS of all accounts. Its sessions are access keys, which IAM keeps, so its
// operations take IAM's lock.
type Service struct {
	k   *kernel.Kernel
	iam *iam.Service

	keyMu     sync.RWMutex
	issuerKey *ecdsa.PrivateKey // signs web identity tokens
}

// New makes STS with a new key for its token issuer.
func New(k *kernel.Kernel, iam *iam.Service) (*Service, error) {
	key, err := newIssuerKey()
	if err != nil {
		return nil, err
	}
	return &Service{k: k, iam: iam, issuerKey: key}, nil
}

// Serve answers a call to STS.
func (s *Service) Serve(cl *kernel.Request) error {
	if err := iam.CheckVersion(cl, version); err != nil {
		return err
	}
	m := iam.Model{Parameters: parameters, Shape: shapeOf, TellsValue: true}
	if err := m.Validate(cl.Record.Operation, cl.Form); err != nil {
		return err
	}
	handle := handlers[cl.Record.Operation]
	if handle == nil {
		if !slices.Contains(unmodelled, cl.Record.Operation) {
			return kernel.Fail(
				http.StatusBadRequest,
				"InvalidAction",
				"Could not find operation %s for version %s",
				cl.Record.Operation,
				version,
			)
		}
		return kernel.NotImplemented("sts:" + cl.Record.Operation)
	}
	return handle(s, cl)
}

// handlers are the operations by name.
var handlers = map[string]func(*Service, *kernel.Request) error{
	"GetCallerIdentity": (*Service).getCallerIdentity, "AssumeRole": (*Service).assumeRole,
	"AssumeRoleWithWebIdentity": (*Service).assumeRoleWithWebIdentity, "GetSessionToken": (*Service).getSessionToken,
	"GetAccessKeyInfo": (*Service).getAccessKeyInfo,
}

// unmodelled are the operations of STS that the sandbox does not have.
var unmodelled = []string{
	"AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage", "GetDelegatedAccessToken", "GetFederationToken", "GetWebIdentityToken",
}

// Operations returns the names of the modelled operations in order.
func Operations() []string { return slices.Sorted(maps.Keys(handlers)) }

type callerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

// getCallerIdentity needs no permission; not even an explicit deny hinders it.
func (s *Service) getCallerIdentity(cl *kernel.Request) error {
	cl.Record.Decision = "allowed"
	return cl.WriteQuery(callerIdentityResult{Arn: cl.Caller.ARN, UserID: cl.Caller.ID, Account: cl.Caller.Account})
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
	policy                            *iam.PolicyText
	policyARNs                        []string
	tags                              []kernel.Tag
	transitive                        []string
}

// anyARN is the form that STS asks of a role's ARN before it looks for the role.
var anyARN = regexp.MustCompile(`^arn:[^:]+:[^:]+:[^:]*:[^:]*:[^:]+$`)

// readSession reads the parameters that the operations that assume roles share.
func readSession(cl *kernel.Request) (in assumeRoleInput, err error) {
	form := cl.Form
	in.roleARN, in.name = form.Get("RoleArn"), form.Get("RoleSessionName")
	if !anyARN.MatchString(in.roleARN) {
		return in, kernel.ValidationError("%s is invalid", in.roleARN)
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
		return in, kernel.ValidationError(
			"1 validation error detected: Value '[%s]' at 'policyArns' failed to satisfy constraint: Member must have length less than "+
				"or equal to %d",
			strings.Join(in.policyARNs, ", "),
			maxSessionPolicies,
		)
	}
	return in, nil
}

func parseSessionPolicy(text string) (*iam.PolicyText, error) {
	if len(text) > maxSessionPolicyLen {
		return nil, kernel.Fail(
			http.StatusBadRequest,
			"PackedPolicyTooLarge",
			"Packed policy consumes %d%% of allotted space, please use smaller policy.",
			len(text)*100/maxSessionPolicyLen,
		)
	}
	if err := iam.CheckGrammar(text, iampolicy.KindIdentity); err != nil {
		return nil, err
	}
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil, iam.MalformedDocument("%v", err)
	}
	return &iam.PolicyText{Text: text, Doc: doc}, nil
}

func readAssumeRole(cl *kernel.Request) (in assumeRoleInput, err error) {
	form := cl.Form
	if in, err = readSession(cl); err != nil {
		return in, err
	}
	if form.Has("SerialNumber") || form.Has("TokenCode") {
		return in, kernel.NotImplemented("MFA of AssumeRole")
	}
	if form.Has("ProvidedContexts.member.1.ProviderArn") {
		return in, kernel.NotImplemented("provided contexts of AssumeRole")
	}
	in.externalID, in.source = form.Get("ExternalId"), form.Get("SourceIdentity")
	if in.tags, err = iam.FormTags(form); err != nil {
		// STS has a code of its own for this error.
		var e *kernel.Error
		if errors.As(err, &e) {
			err = invalidParameter("%s", e.Message)
		}
		return in, err
	}
	in.transitive = kernel.FormList(form, "TransitiveTagKeys")
	return in, checkTransitive(in.tags, in.transitive)
}

func checkTransitive(tags []kernel.Tag, keys []string) error {
	for _, key := range keys {
		if !slices.ContainsFunc(tags, func(t kernel.Tag) bool { return strings.EqualFold(t.Key, key) }) {
			return invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

func invalidParameter(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidParameterValue", format, args...)
}

func (s *Service) assumeRole(cl *kernel.Request) error {
	in, err := readAssumeRole(cl)
	if err != nil {
		return err
	}
	s.iam.Mu.Lock()
	defer s.iam.Mu.Unlock()
	c, own := cl.Caller, iam.IdentityOf(cl.Caller)
	if c.Kind == kernel.RootUser {
		return kernel.Fail(http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts.")
	}
	target := s.iam.FindRoleLocked(in.roleARN)
	sessionTags, inherited, err := mergeSessionTags(own.Session, in.tags)
	if err != nil {
		return err
	}
	if c.Source != "" {
		if in.source != "" && in.source != c.Source {
			return kernel.Fail(http.StatusForbidden, "AccessDenied", "The source identity of a chained session cannot be changed.")
		}
	}

	ctx := cl.Conditions(cl.Region())
	if in.externalID != "" {
		ctx["sts:ExternalId"] = []string{in.externalID}
	}
	ctx["sts:RoleSessionName"] = []string{in.name}
	if in.source != "" {
		ctx["sts:SourceIdentity"] = []string{in.source}
	}
	kernel.TagContext(ctx, sessionTags)
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
		a := kernel.Access{Caller: c, Action: action, Resource: in.roleARN, Owner: awsarn.Account(in.roleARN), Context: ctx}
		if target != nil {
			_, a.Policy = s.iam.PolicyNowLocked(target.Trust)
		}
		sc, res := s.iam.DecideLocked(a)
		if target == nil {
			// A role that is not there reads exactly like one that does not trust the caller.
			res = iampolicy.Result{Decision: iampolicy.ImplicitDeny}
		}
		cl.Decided(a, res)
		if res.Decision != iampolicy.Allowed {
			// STS names no layer.
			e := kernel.Fail(
				http.StatusForbidden,
				"AccessDenied",
				"User: %s is not authorized to perform: %s on resource: %s",
				kernel.PrincipalText(sc.Request.Principal),
				action,
				in.roleARN,
			)
			e.Denied = true
			return e
		}
	}

	if c.Kind == kernel.RoleSession && in.duration > maxChainedSession {
		return kernel.ValidationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	sess, err := s.newRoleSession(cl, target, in)
	if err != nil {
		return err
	}
	sess.Tags = append(inherited, sessionTags...)
	if own.Session != nil {
		if sess.Source == "" {
			sess.Source = c.Source
		}
		for _, t := range inherited {
			sess.Transit[strings.ToLower(t.Key)] = true
		}
	}
	key := s.iam.IssueLocked(cl, sess, target.Account)
	return cl.WriteQuery(assumeRoleResult{
		Credentials: keyXML(key), AssumedRoleUser: s.assumedRole(key), SourceIdentity: sess.Source, PackedPolicySize: in.packedSize(),
	})
}

// newRoleSession makes the session that in asks for, within the role's limit.
// The caller holds IAM's lock.
func (s *Service) newRoleSession(cl *kernel.Request, target *iam.Role, in assumeRoleInput) (*iam.Session, error) {
	if in.duration == 0 {
		in.duration = min(defaultSession, target.MaxSession)
	}
	if in.duration > target.MaxSession {
		return nil, kernel.ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	sess := &iam.Session{
		Token: "IQoJ" + kernel.NewHex(180), Role: target, Name: in.name,
		Issued: cl.Now, Expires: cl.Now.Add(in.duration).Truncate(time.Second),
		Transit: map[string]bool{}, Source: in.source,
	}
	for _, k := range in.transitive {
		sess.Transit[strings.ToLower(k)] = true
	}
	if in.policy != nil {
		sess.Policies = []*iam.PolicyText{in.policy}
	}
	for _, arn := range in.policyARNs {
		p := s.iam.ManagedTextLocked(target.Account, arn)
		if p == nil {
			return nil, kernel.Fail(
				http.StatusBadRequest,
				"MalformedPolicyDocument",
				"The policy %s does not exist or is not attachable.",
				arn,
			)
		}
		sess.Policies = append(sess.Policies, p)
	}
	return sess, nil
}

// packedSize is the share of its space that the session policy takes, in percent.
func (in *assumeRoleInput) packedSize() int {
	if in.policy == nil {
		return 0
	}
	return max(1, len(in.policy.Text)*100/maxSessionPolicyLen)
}

func keyXML(k *iam.AccessKey) credentialsXML {
	return credentialsXML{
		AccessKeyID:     k.ID,
		SecretAccessKey: k.Secret,
		SessionToken:    k.Session.Token,
		Expiration:      kernel.QueryTime(k.Session.Expires),
	}
}

func (s *Service) assumedRole(k *iam.AccessKey) assumedRoleXML {
	return assumedRoleXML{Arn: s.iam.CallerLocked(k, k.Session).ARN, AssumedRoleID: k.Session.Role.ID + ":" + k.Session.Name}
}

// mergeSessionTags checks the new tags against the transitive ones that the
// caller's own session passes on.
func mergeSessionTags(in *iam.Session, tags []kernel.Tag) (own, inherited []kernel.Tag, err error) {
	if in == nil {
		return tags, nil, nil
	}
	for _, t := range in.Tags {
		if in.Transit[strings.ToLower(t.Key)] {
			inherited = append(inherited, t)
		}
	}
	for _, t := range tags {
		if in.Transit[strings.ToLower(t.Key)] {
			return nil, nil, invalidParameter(
				"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
			)
		}
	}
	return tags, inherited, nil
}
