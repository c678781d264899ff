package importer

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// Asked names the arrangement.
type Asked struct {
	Destination string // the name to give it
	Role        string // ARN
	Bucket      string
	Key         string // ARN
}

// Scope lists the parts that Adopt needs to have read.
func (a Asked) Scope() (setup.Scope, error) {
	role, err := awsarn.Parse(a.Role)
	if err != nil || role.Service != "iam" || !strings.HasPrefix(role.Resource, "role/") {
		return setup.Scope{}, fmt.Errorf("%q is not the ARN of a role: arn:aws:iam::111122223333:role/NAME", a.Role)
	}
	key, err := awsarn.Parse(a.Key)
	if err != nil || key.Service != "kms" || !strings.HasPrefix(key.Resource, "key/") {
		return setup.Scope{}, fmt.Errorf("%q is not the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID", a.Key)
	}
	return setup.Scope{
		Identities: []string{a.Role}, Keys: []string{a.Key},
		Buckets: []setup.BucketRef{{Name: a.Bucket, Account: key.Account, Region: key.Region}},
	}, nil
}

// policy is a document that was read, with where it is.
type policy struct {
	kind       setup.Kind
	name       string // for people: "policy uploads of role Up"
	account    string
	arn        string
	doc        *iampolicy.Document
	statements []statement
}

// arrangement is all that was read, and the engine to ask about it.
type arrangement struct {
	Asked
	role, key   awsarn.ARN
	trust       *policy // nil when it was not read or is not there
	identity    []*policy
	bucket      *policy
	keyPolicy   *policy
	identityOK  bool // all of the role's policies were read
	bucketKnown bool // the bucket policy was read, or there is none
	keyKnown    bool
	snap        *setup.Snapshot
	acl         string            // that a policy asks for
	tags        map[string]string // that a policy asks for
	notes       []string
}

func (a *arrangement) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

// noteFirst puts a note before all others.
func (a *arrangement) noteFirst(format string, args ...any) {
	a.notes = append([]string{fmt.Sprintf(format, args...)}, a.notes...)
}

func open(asked Asked, snap *setup.Snapshot) (*arrangement, error) {
	if _, err := asked.Scope(); err != nil {
		return nil, err
	}
	a := &arrangement{Asked: asked, snap: snap}
	a.role, _ = awsarn.Parse(asked.Role) // Scope has parsed both
	a.key, _ = awsarn.Parse(asked.Key)
	role, bucket, key := snap.Identities[asked.Role], snap.Buckets[asked.Bucket], snap.Keys[asked.Key]
	if role == nil || bucket == nil || key == nil {
		return nil, fmt.Errorf("the snapshot is not of role %s, bucket %s and key %s", asked.Role, asked.Bucket, asked.Key)
	}
	if role.Info.Presence == setup.Absent {
		return nil, fmt.Errorf("there is no role %s", asked.Role)
	}
	if bucket.Info.Presence == setup.Absent {
		return nil, fmt.Errorf("there is no bucket %s", asked.Bucket)
	}
	if key.Info.Presence == setup.Absent {
		return nil, fmt.Errorf("there is no key %s", asked.Key)
	}
	a.trust, _ = a.read(setup.KindTrust, "the role's trust policy", a.role.Account, asked.Role, role.Trust)
	a.identityOK = true
	for _, list := range []setup.Part[[]setup.Document]{role.Inline, role.Attached} {
		if list.Presence == setup.Unread {
			a.identityOK = false
			a.note("policies of the role could not be read: %s", list.Reason)
		}
		for _, d := range list.Value {
			where, arn := "the role's inline policy "+d.Name, asked.Role
			if d.ARN != "" {
				where, arn = "the attached policy "+d.Name, d.ARN
			}
			p, known := a.read(setup.KindIdentity, where, a.role.Account, arn, setup.KnownPart(d.Text))
			a.identityOK = a.identityOK && known
			if p != nil {
				a.identity = append(a.identity, p)
			}
		}
	}
	a.bucket, a.bucketKnown = a.read(
		setup.KindBucket,
		"the bucket policy",
		a.key.Account,
		"arn:"+a.key.Partition+":s3:::"+asked.Bucket,
		bucket.Policy,
	)
	a.keyPolicy, a.keyKnown = a.read(setup.KindKey, "the key policy", a.key.Account, asked.Key, key.Policy)
	return a, nil
}

func (a *arrangement) read(kind setup.Kind, name, account, arn string, part setup.Part[string]) (*policy, bool) {
	switch part.Presence {
	case setup.Unread:
		a.note("%s could not be read: %s", name, part.Reason)
		return nil, false
	case setup.Absent:
		return nil, true
	}
	doc, list, err := statements(part.Value)
	if err != nil {
		a.note("%s could not be understood: %v", name, err)
		return nil, false
	}
	return &policy{kind, name, account, arn, doc, list}, true
}

const (
	sseHeader = "s3:x-amz-server-side-encryption"
	keyHeader = "s3:x-amz-server-side-encryption-aws-kms-key-id"
	context   = "kms:EncryptionContext:aws:s3:arn"
)

func (a *arrangement) bucketARN() string { return "arn:" + a.key.Partition + ":s3:::" + a.Bucket }

// on is a call by the role with all that our uploads say.
func (a *arrangement) on(action, resource string) iampolicy.Request {
	r := iampolicy.Request{
		Principal: awsarn.Session(a.Role, "brokerd"), RoleARN: a.Role, Action: action, Resource: resource, ResourceAccount: a.key.Account,
		Context: map[string][]string{"aws:SecureTransport": {"true"}},
	}
	switch {
	case strings.HasPrefix(action, "s3:Put"):
		r.Context[sseHeader], r.Context[keyHeader] = []string{"aws:kms"}, []string{a.Key}
		for tag, value := range a.tags {
			r.Context[tagKey+tag] = []string{value}
			r.Context["s3:RequestObjectTagKeys"] = append(r.Context["s3:RequestObjectTagKeys"], tag)
		}
		if a.acl != "" {
			r.Context[aclKey] = []string{a.acl}
		}
	case strings.HasPrefix(action, "kms:"):
		suffix := ""
		if a.key.Partition == "aws-cn" {
			suffix = ".cn"
		}
		r.Context["kms:ViaService"] = []string{"s3." + a.key.Region + ".amazonaws.com" + suffix}
		r.Context["kms:CallerAccount"] = []string{a.role.Account}
		r.Context[context] = []string{a.bucketARN()}
		r.Context["kms:EncryptionContextKeys"] = []string{"aws:s3:arn"}
	}
	return r
}

const (
	anyIdentity = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	anyResource = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`
)

// gives reports whether one side alone would let the call through, with the
// other side open: identity policies with any resource policy, or the reverse.
func gives(kind setup.Kind, doc *iampolicy.Document, r iampolicy.Request) bool {
	var set iampolicy.PolicySet
	if kind == setup.KindIdentity {
		set.Identity, set.Resource = []iampolicy.NamedPolicy{{Policy: doc}}, parsed(anyResource)
	} else {
		set.Identity, set.Resource = []iampolicy.NamedPolicy{{Policy: parsed(anyIdentity)}}, doc
	}
	return iampolicy.Evaluate(iampolicy.Scenario{Request: r, Policies: set}).Decision == iampolicy.Allowed
}

// parsed is for the two constants above; a nil document allows nothing.
func parsed(text string) *iampolicy.Document {
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil
	}
	return doc
}

// allowed reports whether the role's policies and the bucket's let a call through together.
func (a *arrangement) allowed(r iampolicy.Request) bool {
	var bucket *iampolicy.Document
	if a.bucket != nil {
		bucket = a.bucket.doc
	}
	return a.decide(r, bucket).Decision == iampolicy.Allowed
}

// decide asks the engine about a call with the role's policies and one of a resource.
func (a *arrangement) decide(r iampolicy.Request, resource *iampolicy.Document) iampolicy.Result {
	set := iampolicy.PolicySet{Resource: resource}
	for _, p := range a.identity {
		set.Identity = append(set.Identity, iampolicy.NamedPolicy{Name: p.name, Policy: p.doc})
	}
	return iampolicy.Evaluate(iampolicy.Scenario{Request: r, Policies: set})
}

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }
