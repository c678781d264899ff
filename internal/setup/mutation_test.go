package setup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// mutant is a policy with one thing less.
type mutant struct {
	name   string
	policy Policy
}

// mutants are all policies that lack one statement, one action or one resource.
func mutants(p Policy) []mutant {
	var out []mutant
	clone := func() Policy {
		c := Policy{Version: p.Version, Statement: slices.Clone(p.Statement)}
		return c
	}
	for i, s := range p.Statement {
		c := clone()
		c.Statement = slices.Delete(c.Statement, i, i+1)
		out = append(out, mutant{"without " + s.Sid, c})
		for j := range s.Action {
			if len(s.Action) > 1 {
				c := clone()
				c.Statement[i].Action = slices.Delete(slices.Clone(s.Action), j, j+1)
				out = append(out, mutant{"without " + s.Action[j] + " of " + s.Sid, c})
			}
		}
		for j := range s.Resource {
			if len(s.Resource) > 1 {
				c := clone()
				c.Statement[i].Resource = slices.Delete(slices.Clone(s.Resource), j, j+1)
				out = append(out, mutant{"without " + s.Resource[j] + " of " + s.Sid, c})
			}
		}
		for operator, keys := range s.Condition {
			for key := range keys {
				c := clone()
				c.Statement[i].Condition = map[string]map[string]policytext.StringList{}
				for o, ks := range s.Condition {
					for k, v := range ks {
						if o == operator && k == key {
							continue
						}
						if c.Statement[i].Condition[o] == nil {
							c.Statement[i].Condition[o] = map[string]policytext.StringList{}
						}
						c.Statement[i].Condition[o][k] = v
					}
				}
				out = append(out, mutant{"without the condition " + operator + " " + key + " of " + s.Sid, c})
			}
		}
	}
	return out
}

// arranged is a snapshot of accounts that are as a state asks.
func arranged(t *testing.T, s State, change func(kind Kind, arn string, p Policy) Policy) *Snapshot {
	t.Helper()
	text := func(kind Kind, arn string, p Policy) Part[string] {
		if change != nil {
			p = change(kind, arn, p)
		}
		if p.Empty() {
			return AbsentPart[string]()
		}
		out, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return KnownPart(string(out))
	}
	snap := &Snapshot{Taken: time.Unix(0, 0), Callers: map[string]string{}, Identities: map[string]*Identity{},
		Buckets: map[string]*BucketAt{}, Keys: map[string]*KeyAt{}}
	put := func(arn string, trust, inline Part[string]) {
		id := &Identity{ARN: arn, Info: KnownPart(IdentityInfo{}), Trust: trust, Inline: KnownPart([]Document{}),
			Attached: KnownPart([]Document{}), Boundary: AbsentPart[Document]()}
		if inline.Is() {
			id.Inline = KnownPart([]Document{{Name: InlineName, Text: inline.Value}})
		}
		snap.Identities[arn] = id
		snap.Callers[awsarn.Account(arn)] = "arn:x"
	}
	for _, src := range s.Sources {
		put(src.ARN, AbsentPart[string](), text(KindIdentity, src.ARN, src.Inline))
	}
	for _, r := range s.Roles {
		put(r.ARN, text(KindTrust, r.ARN, r.Trust), text(KindIdentity, r.ARN, r.Inline))
	}
	for _, k := range s.Keys {
		snap.Keys[k.ARN] = &KeyAt{ARN: k.ARN, Info: KnownPart(KeyInfo{State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT"}),
			Policy: text(KindKey, k.ARN, k.Policy)}
		snap.Callers[k.Account] = "arn:x"
	}
	for _, b := range s.Buckets {
		snap.Buckets[b.Name] = &BucketAt{Name: b.Name, Info: KnownPart(BucketInfo{}), Policy: text(KindBucket, b.ARN, b.Policy),
			PublicAccess: KnownPart(b.PublicAccess), AccountPublicAccess: AbsentPart[PublicAccess]()}
	}
	return snap
}

// broken names the cases that do not hold, and the account that can no longer
// administer its key.
func broken(t *testing.T, s State, snap *Snapshot) []string {
	t.Helper()
	var out []string
	for _, c := range prove(s, snap, &Plan{}, nil) {
		if c.Verdict != Holds {
			out = append(out, c.Name)
		}
	}
	for arn, k := range snap.Keys {
		doc, err := iampolicy.Parse([]byte(k.Policy.Value))
		if err != nil {
			return append(out, "the key has no policy")
		}
		r := iampolicy.Evaluate(iampolicy.Scenario{Policies: iampolicy.PolicySet{Resource: doc}, Request: iampolicy.Request{
			Principal: "arn:aws:iam::" + awsarn.Account(arn) + ":root", Action: "kms:PutKeyPolicy", Resource: arn,
		}})
		if r.Decision != iampolicy.Allowed {
			out = append(out, "nobody can administer the key")
		}
	}
	return out
}

// Two conditions say the same on both sides, and no request can tell which of
// them refused it. They are not mutated.
var doubled = []string{"kms:ViaService of " + SidEncrypt, "kms:ViaService of " + SidKeyUse}

func TestEverythingInThePoliciesIsNeeded(t *testing.T) {
	hub := "    chain:\n      - {role: \"arn:aws:iam::777788889999:role/net/hub\", external_id: hub-7, tags: {team: a}, " +
		"transitive_tags: [team]}\n    bucket:"
	for name, yaml := range map[string]string{
		"one": stanza + asRole,
		"tags and an acl": strings.Replace(stanza, "    session:",
			"    tags: {kept: 7y}\n    acl: bucket-owner-full-control\n    session:", 1) + asRole,
		"tagged sessions": strings.Replace(stanza, "{external_id: tenant-7}",
			"{external_id: tenant-7, tags: {team: a}, source_identity: app1}", 1) + asRole,
		"a chain":              strings.Replace(stanza, "    bucket:", hub, 1) + strings.Replace(asRole, "111122223333", "999900001111", 1),
		"without a bucket key": stanza + "    bucket_key: false\n" + asRole,
		"a web identity": "aws: {source: {type: web-identity}}\n" +
			strings.Replace(stanza, "session: {external_id: tenant-7}", "session: {}", 1) + "setup:\n  runs_as: {type: web-identity, provider: " +
			"\"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/E\", " +
			"subject: \"system:serviceaccount:logging:brokerd\"}\n",
		"two destinations": stanza +
			strings.NewReplacer("destinations:\n", "", "audit-logs:", "metrics:", "logs/", "metrics/").Replace(stanza) + asRole,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := StateOf(loadConfig(t, yaml))
			if err != nil {
				t.Fatal(err)
			}
			if b := broken(t, s, arranged(t, s, nil)); len(b) > 0 {
				t.Fatalf("the policies as they are: %s", b)
			}
			documents := map[string]Policy{}
			note := func(kind Kind, arn string, p Policy) Policy {
				documents[string(kind)+" "+arn] = p
				return p
			}
			arranged(t, s, note)
			n := 0
			for at, p := range documents {
				for _, m := range mutants(p) {
					if slices.ContainsFunc(doubled, func(d string) bool { return strings.Contains(m.name, d) }) {
						continue
					}
					n++
					snap := arranged(t, s, func(kind Kind, arn string, p Policy) Policy {
						if string(kind)+" "+arn == at {
							return m.policy
						}
						return p
					})
					if len(broken(t, s, snap)) == 0 {
						t.Errorf("%s %s: nothing misses it", at, m.name)
					}
				}
			}
			if n < 15 {
				t.Errorf("%d mutants", n)
			}
		})
	}
}

func TestAPlanFindsEveryMutant(t *testing.T) {
	s := stateOf(t, stanza)
	documents := map[string]Policy{}
	arranged(t, s, func(kind Kind, arn string, p Policy) Policy {
		documents[string(kind)+" "+arn] = p
		return p
	})
	for at, p := range documents {
		for _, m := range mutants(p) {
			snap := arranged(t, s, func(kind Kind, arn string, p Policy) Policy {
				if string(kind)+" "+arn == at {
					return m.policy
				}
				return p
			})
			plan, err := NewPlan(s, snap, PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(m.name, SidKeyAdmin) {
				continue // the key's administration is its owner's
			}
			if !plan.Pending() {
				t.Errorf("%s %s: the plan sees nothing to do", at, m.name)
			}
			for _, c := range plan.Proof {
				if c.Verdict == Fails {
					t.Errorf("%s %s: after apply %s is %s", at, m.name, c.Name, c.Verdict)
				}
			}
			for _, c := range plan.Changes {
				if c.Pending() && c.After != "" && !json.Valid([]byte(c.After)) {
					t.Errorf("%s %s: %s", at, m.name, fmt.Sprint(c.After))
				}
			}
		}
	}
}
