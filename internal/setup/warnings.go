package setup

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// The codes of warnings.
const (
	WarnStalePrincipal  = "stale-principal"
	WarnPublicStatement = "public-statement"
	WarnKeyState        = "key-state"
	WarnViaService      = "via-service-conflict"
	WarnContext         = "encryption-context-conflict"
	WarnNetwork         = "network-condition"
	WarnSize            = "size-limit"
	WarnNoSource        = "no-source-identity"
	WarnRuntime         = "runtime-not-trusted"
	WarnDefaultKey      = "other-default-encryption"
	WarnUnfinished      = "unfinished-uploads"
)

var uniqueID = regexp.MustCompile(`^A(ROA|IDA)[A-Z0-9]{12,}$`)

func (p *planner) warn(code string, c Change, fix, format string, args ...any) {
	w := Warning{Code: code, Kind: c.Kind, Account: c.Account, ARN: c.ARN, Message: fmt.Sprintf(format, args...), Fix: fix}
	if !slices.Contains(p.plan.Warnings, w) {
		p.plan.Warnings = append(p.plan.Warnings, w)
	}
}

func (p *planner) warnings(state State) {
	p.plan.Warnings = []Warning{}
	for _, c := range p.plan.Changes {
		p.stale(c)
		if limit := limits[c.Kind]; limit > 0 && c.Op != OpHandOver {
			if n := size(c.Kind, c.After); n > limit {
				p.warn(WarnSize, c, "Remove statements that are not needed, or spread the destinations over more roles, buckets or keys.",
					"the document will have %d characters, and AWS takes %d by default", n, limit)
			}
		}
		if c.Kind == KindEncryption && c.Op == OpKeep && c.Reason != "" {
			p.warn(WarnDefaultKey, c, "", "the bucket's default encryption is with another key, %s: it stays", c.Before)
		}
	}
	if p.options.Remove {
		p.unfinished(state)
		return
	}
	for _, s := range state.Sources {
		if p.concerned(s.Destinations) {
			p.sourceWarnings(s)
		}
	}
	for _, d := range state.Deliveries {
		if p.concerned([]string{d.Destination.Name}) {
			p.deliveryWarnings(d)
		}
	}
}

// size counts as AWS does: IAM leaves white space out, outside strings.
func size(kind Kind, doc string) int {
	if kind != KindTrust && kind != KindIdentity {
		return len(doc)
	}
	n, quoted, escaped := 0, false, false
	for _, r := range doc {
		switch {
		case quoted:
			n++
			quoted, escaped = escaped || r != '"', !escaped && r == '\\'
		case r == '"':
			n++
			quoted = true
		case !strings.ContainsRune(" \t\r\n", r):
			n++
		}
	}
	return n
}

// stale finds principals that AWS shows by their unique ids: they were deleted. Our
// own statements are repaired by the plan, other people's are theirs.
func (p *planner) stale(c Change) {
	for _, s := range c.Statements {
		if s.Before == "" {
			continue
		}
		for element, values := range policytext.ReadElements(s.Before) {
			if !strings.HasPrefix(element, "Principal.") {
				continue
			}
			for _, v := range values {
				if !uniqueID.MatchString(v) {
					continue
				}
				fix := "Apply writes the statement again, with the ARN."
				if s.Op == StatementForeign {
					fix = "The owner of the statement has to write it again, or remove it."
				}
				p.warn(
					WarnStalePrincipal,
					c,
					fix,
					"statement %s is for %s, a role or user that was deleted; one of the same name that was made since is not meant",
					orText(s.Sid, "without a Sid"),
					v,
				)
			}
		}
	}
}

func (p *planner) sourceWarnings(s Source) {
	at := p.identity(s.ARN)
	c := Change{Kind: KindTrust, Account: s.Account, ARN: s.ARN}
	if at.Info.Presence == Absent {
		p.warn(
			WarnNoSource,
			c,
			"Make it before apply, or correct setup.runs_as.",
			"the identity that the daemon runs as does not exist: AWS refuses a trust policy that names it",
		)
		return
	}
	service := map[string]string{config.RunsEC2: "ec2.amazonaws.com", config.RunsECS: "ecs-tasks.amazonaws.com",
		config.RunsPodIdentity: "pods.eks.amazonaws.com"}[s.Type]
	if service == "" || !at.Trust.Is() {
		return
	}
	actions := []string{"sts:AssumeRole"}
	if s.Type == config.RunsPodIdentity {
		actions = append(actions, "sts:TagSession")
	}
	t, err := policytext.ReadDocument(at.Trust.Value)
	if err != nil {
		return
	}
	for _, action := range actions {
		ok := slices.ContainsFunc(t.Statements(), func(i policytext.Statement) bool {
			f := policytext.ReadElements(at.Trust.Value[i.Start:i.End])
			// China's services have names of their own for some of them.
			return f.Has("Effect", "Allow") && (f.Has("Principal.Service", service) || f.Has("Principal.Service", service+".cn")) &&
				(f.Has("Action", strings.ToLower(action)) || f.Has("Action", "sts:*"))
		})
		if !ok {
			p.warn(
				WarnRuntime,
				c,
				fmt.Sprintf("Let %s do %s in the trust policy of that role.", service, action),
				"the role is to be used by %s, and its trust policy does not allow %s %s",
				s.Type,
				service,
				action,
			)
		}
	}
}

func (p *planner) deliveryWarnings(d Delivery) {
	if k, ok := p.snap.Keys[d.Destination.KMSKey]; ok && k.Info.Is() {
		c, info := Change{Kind: KindKey, Account: awsarn.Account(k.ARN), ARN: k.ARN}, k.Info.Value
		switch {
		case info.Manager == "AWS":
			p.warn(WarnKeyState, c, "Use a key of the account's own.", "the key is managed by AWS: it can never be used from another account")
		case info.Usage != "ENCRYPT_DECRYPT" || info.Spec != "SYMMETRIC_DEFAULT":
			p.warn(WarnKeyState, c, "Use a symmetric encryption key.", "the key is for %s with %s: S3 cannot encrypt with it", info.Usage, info.Spec)
		case info.State != "Enabled":
			p.warn(WarnKeyState, c, "Enable the key, or cancel its deletion.", "the key is %s: no upload succeeds until it is enabled", info.State)
		}
	}
	p.keyConflicts(d)
	p.otherWriters(d)
	if b, ok := p.snap.Buckets[d.Destination.Bucket]; ok && public(b.Policy.Value) {
		c := Change{Kind: KindBucket, Account: d.Destination.Owner, ARN: d.BucketARN}
		if b.PublicAccess.Value.RestrictPublicBuckets || b.AccountPublicAccess.Value.RestrictPublicBuckets {
			p.warn(
				WarnPublicStatement,
				c,
				"Take the public statement out; leave the block.",
				"the bucket policy has a public statement and RestrictPublicBuckets is on: S3 then refuses every caller of another account, "+
					"also those that other statements name",
			)
		} else {
			p.warn(WarnPublicStatement, c, "Take the public statement out, then apply again.",
				"the bucket policy has a public statement: public access is not blocked while it is there")
		}
	}
	for _, arn := range d.Roles {
		at := p.identity(arn)
		for _, doc := range append(slices.Clone(at.Inline.Value), at.Attached.Value...) {
			for _, f := range lint(doc.Text) {
				if f.Code == "POL009" {
					p.warn(
						WarnNetwork,
						Change{Kind: KindIdentity, Account: awsarn.Account(arn), ARN: arn},
						"",
						"policy %s, line %d: %s",
						doc.Name,
						f.Line,
						f.Message,
					)
				}
			}
		}
	}
}

func lint(policy string) []iampolicy.Finding {
	return iampolicy.LintText([]byte(policy), iampolicy.KindIdentity)
}

// keyConflicts finds conditions of other people's statements about the same role
// that an upload of ours does not meet.
func (p *planner) keyConflicts(d Delivery) {
	dest := d.Destination
	via := part{dest: dest, partition: awsarn.Partition(d.BucketARN)}
	bucketKey := via.bucketKey()
	look := func(c Change, raw string, sid string) {
		f := policytext.ReadElements(raw)
		for element, values := range f {
			switch {
			case strings.HasSuffix(element, ".kms:viaservice") && !matches(element, values, via.viaS3()):
				p.warn(
					WarnViaService,
					c,
					"Change or take out the statement if it is meant for these uploads.",
					"statement %s asks for kms:ViaService %s; uploads come through %s",
					orText(sid, "without a Sid"),
					strings.Join(values, ", "),
					via.viaS3(),
				)
			case strings.HasSuffix(element, ".kms:encryptioncontext:aws:s3:arn"):
				for _, v := range values {
					if whole := v == d.BucketARN; strings.HasPrefix(v, d.BucketARN) && whole != bucketKey {
						p.warn(
							WarnContext,
							c,
							"With bucket keys the context is the bucket's ARN, without them the object's.",
							"statement %s asks for the encryption context %s, and bucket_key is %v",
							orText(sid, "without a Sid"),
							v,
							bucketKey,
						)
					}
				}
			}
		}
	}
	for _, change := range p.plan.Changes {
		if change.Kind == KindKey && change.ARN == dest.KMSKey {
			for _, s := range change.Statements {
				f := policytext.ReadElements(s.Before)
				if s.Op == StatementForeign && (f.Has("Principal.AWS", dest.Role) || f.Has("Effect", "Deny")) {
					look(change, s.Before, s.Sid)
				}
			}
		}
		if change.Kind == KindIdentity && change.ARN == dest.Role {
			for _, s := range change.Statements {
				if s.Op == StatementForeign && policytext.ReadElements(s.Before).Has("Resource", dest.KMSKey) {
					look(change, s.Before, s.Sid)
				}
			}
		}
	}
}

// matches reports whether a condition's values let one through, as far as a look
// at the operator's name can tell.
func matches(element string, values []string, v string) bool {
	in := slices.Contains(values, v) || slices.ContainsFunc(values, func(pattern string) bool {
		head, _, wild := strings.Cut(pattern, "*")
		return wild && strings.Contains(element, "Like") && strings.HasPrefix(v, head)
	})
	return in != strings.Contains(element, ".StringNot")
}
