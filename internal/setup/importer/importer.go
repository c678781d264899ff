package importer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// Adoption is what an arrangement comes to.
type Adoption struct {
	Draft edit.Draft `json:"-"`
	// Notes list each conclusion with its basis, and each open question.
	Notes    []string  `json:"notes"`
	Findings []Finding `json:"findings"`
}

// Adopt reads an arrangement. An error concerns the names that were asked for; an
// arrangement in which uploads do not work is adopted with a note that says so.
func Adopt(asked Asked, snap *setup.Snapshot) (Adoption, error) {
	a, err := open(asked, snap)
	if err != nil {
		return Adoption{}, err
	}
	d := edit.Draft{Destination: edit.Destination{
		Name: cmp.Or(
			asked.Destination,
			asked.Bucket,
		), Role: asked.Role, Bucket: asked.Bucket, Owner: a.key.Account, Region: a.key.Region, KMSKey: asked.Key,
	}}
	if info := snap.Buckets[asked.Bucket].Info; info.Is() && info.Value.Region != "" && info.Value.Region != a.key.Region {
		a.noteFirst(
			"uploads cannot work: the bucket is in Region %s and the key in %s, and S3 needs both in one Region",
			info.Value.Region,
			a.key.Region,
		)
	}
	a.runsAs(&d)
	a.headers(&d)
	prefix := a.prefix()
	d.Destination.Key = edit.KeyBelow(prefix)
	a.session(&d)
	a.options(&d, prefix)
	a.boundary(&d)
	a.works(prefix)
	findings, err := a.broader(d, prefix)
	if err != nil {
		return Adoption{}, err
	}
	return Adoption{Draft: d, Notes: a.notes, Findings: findings}, nil
}

// runsAs looks for the one identity that the trust policy lets in.
func (a *arrangement) runsAs(d *edit.Draft) {
	if a.trust == nil {
		a.note("who runs the daemon is not known without the trust policy: write setup.runs_as")
		return
	}
	var found []config.RunsAs
	for i := range a.trust.statements {
		s := &a.trust.statements[i]
		if s.Effect != "Allow" {
			continue
		}
		for _, provider := range s.Principal["Federated"] {
			_, issuer, oidc := strings.Cut(provider, ":oidc-provider/")
			sub, aud := s.condition(issuer+":sub"), s.condition(issuer+":aud")
			if !oidc || len(sub) != 1 || strings.ContainsAny(sub[0], "*?") {
				a.note(
					"%s lets in tokens of %s, and not those of one service account alone: write setup.runs_as.subject for the daemon's own",
					a.trust.name,
					provider,
				)
				continue
			}
			as := config.RunsAs{Type: config.RunsWebIdentity, Provider: provider, Subject: sub[0]}
			if len(aud) == 1 && aud[0] != "sts.amazonaws.com" {
				as.Audience = aud[0]
			}
			found = append(found, as)
		}
		for _, arn := range s.Principal["AWS"] {
			p, err := awsarn.Parse(arn)
			switch {
			case err == nil && p.Service == "iam" && strings.HasPrefix(p.Resource, "role/"):
				found = append(found, config.RunsAs{Type: config.RunsRole, Principal: arn})
			case err == nil && p.Service == "iam" && strings.HasPrefix(p.Resource, "user/"):
				found = append(found, config.RunsAs{Type: config.RunsUser, Principal: arn})
			default:
				a.note("%s lets in %s: it is no role or user that could run the daemon", a.trust.name, arn)
			}
		}
		for _, service := range s.Principal["Service"] {
			a.note("%s lets in the service %s: the role is the runtime's own, and brokerd needs one more that it assumes", a.trust.name, service)
		}
	}
	switch len(found) {
	case 0:
		a.note("the trust policy names no role, user or service account that assumes the role: write setup.runs_as")
		return
	case 1:
	default:
		a.note("the trust policy lets in %d identities; %s%s is taken for the daemon's", len(found), found[0].Principal, found[0].Subject)
	}
	d.RunsAs = found[0]
	if d.RunsAs.Type == config.RunsWebIdentity {
		d.Source = config.SourceWebIdentity
	}
}

// prefix is the widest part of the bucket in which both sides let the role write.
func (a *arrangement) prefix() string {
	if !a.identityOK || !a.bucketKnown {
		a.note("the prefix is not known without the policies of both sides: correct key")
		return ""
	}
	var candidates []string
	lists := append([]*policy{}, a.identity...)
	if a.bucket != nil {
		lists = append(lists, a.bucket)
	}
	for _, p := range lists {
		for _, s := range p.statements {
			if s.Effect != "Allow" {
				continue
			}
			for _, r := range s.Resource {
				if below, ok := strings.CutPrefix(r, a.bucketARN()+"/"); ok {
					fixed, _, _ := strings.Cut(below, "*")
					// A key template ends its fixed part at a slash.
					candidates = append(candidates, fixed[:strings.LastIndexByte(fixed, '/')+1])
				} else if strings.ContainsAny(r, "*?") {
					candidates = append(candidates, "")
				}
			}
		}
	}
	slices.SortFunc(candidates, func(x, y string) int { return cmp.Or(len(x)-len(y), strings.Compare(x, y)) })
	candidates = slices.Compact(candidates)
	var writable []string
	for _, c := range candidates {
		if !a.allowed(a.on("s3:PutObject", a.bucketARN()+"/"+c+"brokerd-import/object")) ||
			slices.ContainsFunc(writable, func(w string) bool { return strings.HasPrefix(c, w) }) {
			continue
		}
		writable = append(writable, c)
	}
	switch {
	case len(writable) == 0:
		a.note(
			"nowhere in the bucket do both sides let the role write as brokerd does: correct key, and see `brokerctl verify` for the policy that " +
				"is in the way",
		)
		return "logs/"
	case writable[0] == "":
		a.note(
			"both sides let the role write anywhere in the bucket: key stands for the whole bucket; give it a prefix of its own to narrow that",
		)
	case len(writable) > 1:
		a.note("the role may write below %s: key takes the first", strings.Join(writable, ", "))
	}
	return writable[0]
}

// session derives what AssumeRole has to say.
func (a *arrangement) session(d *edit.Draft) {
	if a.trust != nil {
		for i := range a.trust.statements {
			s := &a.trust.statements[i]
			if id := s.condition("sts:ExternalId"); s.Effect == "Allow" && len(id) > 0 {
				d.Destination.ExternalID = id[0]
				if len(id) > 1 {
					a.note("the trust policy takes %d external ids; the first is written", len(id))
				}
				break
			}
		}
	}
	info := a.snap.Identities[a.Role].Info
	// A role that a role assumed lasts an hour, whatever its own maximum.
	if direct := d.RunsAs.Type == config.RunsWebIdentity || d.RunsAs.Type == config.RunsUser; info.Is() && direct &&
		info.Value.MaxSession > time.Hour {
		d.Destination.Duration = info.Value.MaxSession
	}
}

// options are the parts of the stanza that the needed permissions depend on.
func (a *arrangement) options(d *edit.Draft, prefix string) {
	no := false
	if a.keyPolicy != nil && a.identityOK {
		object := a.on("kms:GenerateDataKey", a.Key)
		object.Context[context] = []string{a.bucketARN() + "/" + prefix + "brokerd-import/object"}
		bucket := a.on("kms:GenerateDataKey", a.Key)
		if gives(setup.KindKey, a.keyPolicy.doc, object) && !gives(setup.KindKey, a.keyPolicy.doc, bucket) {
			d.Destination.BucketKey = &no
			a.note("the key policy asks for the object's ARN as encryption context: bucket_key is off")
		}
	}
	bucket := a.snap.Buckets[a.Bucket]
	if e := bucket.Encryption; d.Destination.BucketKey == nil && e.Is() && strings.HasPrefix(e.Value.Algorithm, "aws:kms") &&
		e.Value.KeyARN == a.Key &&
		!e.Value.BucketKey {
		d.Destination.BucketKey = &no
		a.note("the bucket's default encryption has no bucket key: bucket_key is off")
	}
	if o := bucket.Ownership; d.Destination.ACL == "" && o.Is() && o.Value != "BucketOwnerEnforced" {
		put := a.on("s3:PutObjectAcl", a.bucketARN()+"/"+prefix+"brokerd-import/object")
		if a.allowed(put) {
			d.Destination.ACL = "bucket-owner-full-control"
			a.note("objects belong to who writes them (%s), and the role may set ACLs: acl gives them to the bucket's owner", o.Value)
		} else {
			a.note("objects belong to who writes them (%s): the bucket's owner cannot read them; set BucketOwnerEnforced", o.Value)
		}
	}
}

func (a *arrangement) boundary(d *edit.Draft) {
	switch b := a.snap.Identities[a.Role].Boundary; {
	case b.Is():
		d.Boundary = b.Value.ARN
	case b.Presence == setup.Unread:
		a.note("whether the role has a boundary could not be read: %s", b.Reason)
	}
}
