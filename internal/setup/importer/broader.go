package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// Finding is a statement that gives more than is needed, or one that is missing.
type Finding struct {
	Account  string     `json:"account"`
	Kind     setup.Kind `json:"kind"`
	Document string     `json:"document"` // for people
	ARN      string     `json:"arn"`
	// Sid, Index (from 1) and Statement are those of the statement; all empty when one is missing.
	Sid       string `json:"sid,omitempty"`
	Index     int    `json:"index,omitempty"`
	Statement string `json:"statement,omitempty"`
	// Broader lists the permissions that are not needed, one each.
	Broader []string `json:"broader"`
	// Enough are the statements that would do in its place; none: brokerd needs nothing of it.
	Enough []string `json:"enough,omitempty"`
	// Keep names a call that brokerd needs and the statement grants under conditions
	// that import cannot write again: narrow the statement by hand.
	Keep string `json:"keep,omitempty"`
	// LocksOut lists callers whose access ends with the replacement, as far as the
	// documents tell: ask their owners first.
	LocksOut []string `json:"locks_out,omitempty"`
}

// Calls that brokerd never makes, on objects, buckets and keys: the surplus of a
// wildcard.
var (
	objectCalls = []string{
		"s3:GetObject",
		"s3:GetObjectVersion",
		"s3:DeleteObject",
		"s3:DeleteObjectVersion",
		"s3:PutObjectAcl",
		"s3:PutObjectTagging",
		"s3:PutObjectRetention",
		"s3:PutObjectLegalHold",
		"s3:BypassGovernanceRetention",
		"s3:RestoreObject",
		"s3:GetObjectAcl",
		"s3:GetObjectTagging",
		"s3:ListMultipartUploadParts",
	}
	bucketCalls = []string{
		"s3:ListBucket",
		"s3:ListBucketVersions",
		"s3:ListBucketMultipartUploads",
		"s3:GetBucketLocation",
		"s3:GetBucketPolicy",
		"s3:PutBucketPolicy",
		"s3:DeleteBucketPolicy",
		"s3:PutBucketAcl",
		"s3:PutBucketPublicAccessBlock",
		"s3:PutEncryptionConfiguration",
		"s3:PutLifecycleConfiguration",
		"s3:DeleteBucket",
	}
	keyCalls = []string{
		"kms:Encrypt",
		"kms:ReEncryptFrom",
		"kms:ReEncryptTo",
		"kms:GenerateDataKeyWithoutPlaintext",
		"kms:DescribeKey",
		"kms:CreateGrant",
		"kms:GetKeyPolicy",
		"kms:PutKeyPolicy",
		"kms:DisableKey",
		"kms:ScheduleKeyDeletion",
	}
)

// wanted is what setup would write for the draft.
type wanted struct {
	docs   setup.Documents
	trust  setup.Policy
	needed []string // actions
}

func want(d edit.Draft) (wanted, error) {
	text, err := edit.New("the adopted destination", d)
	if err != nil {
		return wanted{}, err
	}
	c, err := config.Parse("the adopted destination", text)
	if err != nil {
		return wanted{}, err
	}
	dest := c.Destinations[d.Destination.Name]
	var w wanted
	if w.docs, err = setup.Desired(dest, setup.Options{}); err != nil {
		return wanted{}, err
	}
	w.needed = append(dest.WriteActions(), "kms:GenerateDataKey", "kms:Decrypt")
	if d.RunsAs.Type != "" {
		state, err := setup.StateOf(c)
		if err != nil {
			return wanted{}, err
		}
		w.trust = state.Roles[len(state.Roles)-1].Trust
	}
	return w, nil
}

func (a *arrangement) broader(d edit.Draft, prefix string) ([]Finding, error) {
	w, err := want(d)
	if err != nil {
		return nil, err
	}
	out := []Finding{}
	for _, p := range a.identity {
		for i := range p.statements {
			s := &p.statements[i]
			out = a.report(out, p, s, prefix, a.beyond(p.kind, s, w, prefix), a.enough(p.kind, s, w, prefix))
		}
	}
	for _, p := range []*policy{a.bucket, a.keyPolicy} {
		if p == nil {
			continue
		}
		for i := range p.statements {
			s := &p.statements[i]
			if more := append(a.strangers(p.kind, s, prefix), a.beyond(p.kind, s, w, prefix)...); a.concerns(p.kind, s, prefix) {
				out = a.report(out, p, s, prefix, more, a.enough(p.kind, s, w, prefix))
			}
		}
	}
	if a.trust != nil {
		for i := range a.trust.statements {
			s := &a.trust.statements[i]
			var enough []string
			for _, t := range w.trust.Statement {
				if text, err := t.JSON(); err == nil {
					enough = append(enough, strings.TrimSpace(string(text)))
				}
			}
			out = a.report(out, a.trust, s, prefix, a.trusting(s, d.RunsAs), enough)
		}
	}
	return append(out, a.undenied(w, prefix)...), nil
}

func (a *arrangement) report(out []Finding, p *policy, s *statement, prefix string, more, enough []string) []Finding {
	if s.Effect != "Allow" || len(more) == 0 {
		return out
	}
	keep := ""
	if len(enough) == 0 {
		keep = s.grants("s3:PutObject", "s3:AbortMultipartUpload", "kms:GenerateDataKey", "kms:Decrypt")
	}
	f := Finding{
		Keep:      keep,
		Account:   p.account,
		Kind:      p.kind,
		Document:  p.name,
		ARN:       p.arn,
		Sid:       s.Sid,
		Index:     s.index + 1,
		Statement: s.text,
		Broader:   more,
		Enough:    enough,
	}
	a.prove(&f, p, prefix)
	return append(out, f)
}

func (a *arrangement) object(prefix string) string {
	return a.bucketARN() + "/" + prefix + "brokerd-import/object"
}

// concerns says that a resource's statement is about the role, or about everybody.
func (a *arrangement) concerns(kind setup.Kind, s *statement, prefix string) bool {
	for _, action := range append(
		append([]string{"s3:PutObject", "s3:AbortMultipartUpload", "kms:GenerateDataKey", "kms:Decrypt"}, objectCalls...),
		append(bucketCalls, keyCalls...)...,
	) {
		if r, _ := s.meeting(a.on(action, a.resourceOf(action, prefix))); gives(kind, s.alone, r) {
			return true
		}
	}
	return false
}

func (a *arrangement) resourceOf(action, prefix string) string {
	switch {
	case strings.HasPrefix(action, "kms:"):
		return a.Key
	case slices.Contains(bucketCalls, action):
		return a.bucketARN()
	}
	return a.object(prefix)
}

// beyond asks the engine for permissions of the role that it does not need.
func (a *arrangement) beyond(kind setup.Kind, s *statement, w wanted, prefix string) []string {
	if s.Effect != "Allow" {
		return nil
	}
	var out, actions []string
	may := func(action, resource string) bool {
		r, _ := s.meeting(a.on(action, resource))
		return gives(kind, s.alone, r)
	}
	for _, action := range append(append(append([]string{}, objectCalls...), bucketCalls...), keyCalls...) {
		if !slices.Contains(w.needed, action) && may(action, a.resourceOf(action, prefix)) {
			actions = append(actions, action)
		}
	}
	// Actions that are written out and are in no list of ours.
	for _, action := range s.Action {
		known := slices.ContainsFunc(append(append([]string{}, w.needed...), actions...), func(x string) bool { return equalFold(x, action) })
		if !known && !strings.ContainsAny(action, "*?") {
			actions = append(actions, action)
		}
	}
	if len(actions) > 0 {
		out = append(out, "actions that brokerd never takes: "+strings.Join(actions, ", "))
	}
	if kind == setup.KindIdentity && may("iam:CreateUser", "arn:"+a.role.Partition+":iam::"+a.role.Account+":user/x") {
		out = append(out, "other services, such as IAM")
	}
	if prefix != "" && may("s3:PutObject", a.bucketARN()+"/brokerd-import-outside/object") {
		out = append(out, "writing outside "+prefix)
	}
	if kind == setup.KindIdentity {
		if may("s3:PutObject", "arn:"+a.key.Partition+":s3:::brokerd-import-another-bucket/"+prefix+"object") {
			out = append(out, "writing to other buckets")
		}
		other := a.key
		other.Resource = "key/00000000-0000-0000-0000-000000000000"
		if may("kms:GenerateDataKey", other.String()) || may("kms:Decrypt", other.String()) {
			out = append(out, "using other keys")
		}
	}
	for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
		direct := a.on(action, a.Key)
		delete(direct.Context, "kms:ViaService")
		if gives(kind, s.alone, direct) {
			out = append(out, action+" without S3: the condition kms:ViaService is missing")
		}
		elsewhere := a.on(action, a.Key)
		elsewhere.Context[context] = []string{"arn:" + a.key.Partition + ":s3:::brokerd-import-another-bucket"}
		if kind == setup.KindKey && gives(kind, s.alone, elsewhere) {
			out = append(out, action+" for other buckets: the condition "+context+" is missing")
		}
	}
	return out
}

// strangers asks whom else a resource's statement lets in.
func (a *arrangement) strangers(kind setup.Kind, s *statement, prefix string) []string {
	var out []string
	ask := func(principal, text string) bool {
		for _, action := range append(
			append(append([]string{"s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"}, objectCalls...), bucketCalls...), keyCalls...,
		) {
			r := a.on(action, a.resourceOf(action, prefix))
			r.Principal, r.RoleARN = principal, ""
			if principal == "*" {
				delete(r.Context, "kms:CallerAccount")
			}
			r, behind := s.meeting(r)
			if gives(kind, s.alone, r) {
				if behind != "" {
					text += ", behind " + behind
				}
				out = append(out, fmt.Sprintf("%s (%s, for example)", text, action))
				return true
			}
		}
		return false
	}
	if kind == setup.KindBucket && ask("*", "everybody, without credentials") {
		return out
	}
	if ask("arn:"+a.role.Partition+":sts::999999999999:assumed-role/stranger/x", "identities of any account") {
		return out
	}
	ask(
		"arn:"+a.role.Partition+":sts::"+a.role.Account+":assumed-role/brokerd-import-stranger/x",
		"every identity of account "+a.role.Account+" that its own policies let",
	)
	return out
}

// trusting asks who else may assume the role.
func (a *arrangement) trusting(s *statement, as config.RunsAs) []string {
	if s.Effect != "Allow" {
		return nil
	}
	var out []string
	may := func(r iampolicy.Request) bool {
		r.Resource, r.ResourceAccount = a.Role, a.role.Account
		if id := s.condition("sts:ExternalId"); len(id) > 0 {
			if r.Context == nil {
				r.Context = map[string][]string{}
			}
			r.Context["sts:ExternalId"] = id[:1]
		}
		return gives(setup.KindTrust, s.alone, r)
	}
	stranger := func(account string) iampolicy.Request {
		return iampolicy.Request{
			Principal: "arn:" + a.role.Partition + ":sts::" + account + ":assumed-role/brokerd-import-stranger/x",
			Action:    "sts:AssumeRole",
		}
	}
	switch {
	case may(stranger("999999999999")):
		return append(out, "identities of any account may assume the role")
	default:
		if may(stranger(a.role.Account)) {
			out = append(out, "every identity of account "+a.role.Account+" that may call sts:AssumeRole may assume the role")
		}
		if a.key.Account != a.role.Account && may(stranger(a.key.Account)) {
			out = append(
				out,
				"every identity of account "+a.key.Account+", the bucket's, may assume the role: it is for the daemon's own identity in account "+
					a.role.Account,
			)
		}
	}
	for _, provider := range s.Principal["Federated"] {
		_, issuer, _ := strings.Cut(provider, ":oidc-provider/")
		token := func(sub, aud string) iampolicy.Request {
			return iampolicy.Request{
				Principal: provider,
				Action:    "sts:AssumeRoleWithWebIdentity",
				Context:   map[string][]string{issuer + ":sub": {sub}, issuer + ":aud": {aud}},
			}
		}
		audience := "sts.amazonaws.com"
		if as.Audience != "" {
			audience = as.Audience
		}
		if may(token("system:serviceaccount:brokerd-import:stranger", audience)) {
			out = append(out, "tokens of every subject of "+issuer+" may assume the role: the condition "+issuer+":sub is missing")
		} else if as.Subject != "" && may(token(as.Subject+"-other", audience)) {
			out = append(out, "tokens of subjects other than "+as.Subject+" may assume the role")
		}
		if as.Subject != "" && may(token(as.Subject, "brokerd-import-other-audience")) {
			out = append(out, "tokens for any audience may assume the role: the condition "+issuer+":aud is missing")
		}
	}
	for _, service := range s.Principal["Service"] {
		out = append(out, "the service "+service+" may assume the role")
	}
	for _, arn := range s.Principal["AWS"] {
		p, err := awsarn.Parse(arn)
		if err == nil && p.Resource != "root" && arn != as.Principal && as.Principal != "" {
			out = append(out, arn+" may assume the role as well")
		}
	}
	return out
}

// enough are the statements that would do for what brokerd needs of this one.
func (a *arrangement) enough(kind setup.Kind, s *statement, w wanted, prefix string) []string {
	var out []string
	add := func(kind setup.Kind, action, sid string) {
		if text := w.docs.Statement(kind, sid); text != nil && gives(kind, s.alone, a.on(action, a.resourceOf(action, prefix))) {
			out = append(out, strings.TrimSpace(string(text)))
		}
	}
	switch kind {
	case setup.KindIdentity:
		add(kind, "s3:PutObject", setup.SidWrite)
		add(kind, "kms:GenerateDataKey", setup.SidEncrypt)
		if len(out) == 0 {
			add(kind, "kms:Decrypt", setup.SidEncrypt)
		}
	case setup.KindBucket:
		add(kind, "s3:PutObject", setup.SidBucketWrite)
	case setup.KindKey:
		add(kind, "kms:GenerateDataKey", setup.SidKeyUse)
	}
	return out
}

// undenied asks for requests that the bucket allows and setup would have it refuse.
func (a *arrangement) undenied(w wanted, prefix string) []Finding {
	if !a.bucketKnown || !a.identityOK {
		return nil
	}
	var out []Finding
	for _, c := range []struct {
		text, sid string
		change    func(map[string][]string)
	}{
		{"uploads over plain HTTP", setup.SidDenyPlainHTTP, func(c map[string][]string) { c["aws:SecureTransport"] = []string{"false"} }},
		{"uploads with encryption other than aws:kms", setup.SidDenyNoKMS,
			func(c map[string][]string) { c[sseHeader] = []string{"AES256"}; delete(c, keyHeader) }},
		{"uploads with another key", setup.SidDenyOtherKey, func(c map[string][]string) { c[keyHeader] = []string{a.Key + "0"} }},
	} {
		r := a.on("s3:PutObject", a.object(prefix))
		c.change(r.Context)
		if !a.allowed(r) {
			continue
		}
		f := Finding{
			Account:  a.key.Account,
			Kind:     setup.KindBucket,
			Document: "the bucket policy",
			ARN:      a.bucketARN(),
			Broader:  []string{"no statement denies " + c.text},
		}
		if text := w.docs.Statement(setup.KindBucket, c.sid); text != nil {
			f.Enough = []string{strings.TrimSpace(string(text))}
		}
		out = append(out, f)
	}
	return out
}
