package setup

import (
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// WarnOtherWriters is the code of a warning about a writer of the bucket whose uploads
// the planned Deny statements would refuse.
const WarnOtherWriters = "other-writers"

// writeForm is one way to write an object that setup's Deny statements are about.
type writeForm struct {
	name    string
	context map[string][]string
}

func writeForms() []writeForm {
	tls := map[string][]string{"aws:SecureTransport": {"true"}}
	with := func(key, value string) map[string][]string {
		out := maps.Clone(tls)
		out[key] = []string{value}
		return out
	}
	otherKey := with(sseHeader, "aws:kms")
	otherKey[keyHeader] = []string{"arn:aws:kms:us-east-1:999999999999:key/another"}
	return []writeForm{
		{"with SSE-S3", with(sseHeader, "AES256")},
		{"under another KMS key", otherKey},
		{"over plain HTTP", map[string][]string{"aws:SecureTransport": {"false"}}},
	}
}

// otherWriters compares the bucket policy before and after the plan, for every principal
// that an Allow statement of the policy names.
func (p *planner) otherWriters(d Delivery) {
	for _, c := range p.plan.Changes {
		if c.Kind != KindBucket || c.ARN != d.BucketARN || c.Before == "" || !c.Pending() {
			continue
		}
		before, err := iampolicy.Parse([]byte(c.Before))
		after, err2 := iampolicy.Parse([]byte(c.After))
		doc, err3 := policytext.ReadDocument(c.Before)
		if err != nil || err2 != nil || err3 != nil {
			continue
		}
		for i := range doc.Statements() {
			s := policytext.ReadElements(doc.Raw(i))
			if !s.Has("Effect", "Allow") {
				continue
			}
			for _, principal := range slices.Concat(s["Principal.AWS"], s["Principal.Service"], s["Principal"]) {
				if slices.Contains(d.Roles, principal) || p.ownRole(principal) {
					continue
				}
				p.refusedForms(d, c, principal, i, s, before, after)
			}
		}
	}
}

// ownRole reports whether a principal is the role of another destination of the plan.
func (p *planner) ownRole(principal string) bool {
	return slices.ContainsFunc(p.want.Deliveries, func(d Delivery) bool { return slices.Contains(d.Roles, principal) })
}

// refusedForms warns of a principal that loses one of the forms. Statement i lets it in.
func (p *planner) refusedForms(d Delivery, c Change, principal string, i int, s policytext.Elements,
	before, after *iampolicy.Document,
) {
	below := strings.TrimRight(d.Objects, "*")
	for _, resource := range s["Resource"] {
		if base := strings.TrimRight(resource, "*"); strings.HasPrefix(base, below) {
			below = base
		}
	}
	caller, name := otherCaller(principal)
	var refused []string
	for _, form := range writeForms() {
		r := iampolicy.Request{
			Principal: caller, Action: "s3:PutObject", Resource: below + "brokerd-other-writer", ResourceAccount: d.Destination.Owner,
			Context: wanted(s, form.context),
		}
		if allows(before, r, i) && !allows(after, r, -1) {
			refused = append(refused, form.name)
		}
	}
	if len(refused) > 0 {
		p.warn(WarnOtherWriters, c, "Let them change their uploads first, or give the destination a prefix of its own.",
			"%s can write objects below %s today; the new statements refuse those that are written %s", name,
			strings.TrimPrefix(below, d.BucketARN+"/"), strings.Join(refused, ", or "))
	}
}

// otherCaller returns a caller that a principal of a policy stands for, and its name for people.
func otherCaller(principal string) (caller, name string) {
	a, err := awsarn.Parse(principal)
	switch {
	case principal == "*":
		return "arn:aws:iam::999999999999:role/" + strangerName, "every caller that the policy lets in"
	case awsarn.IsAccount(principal):
		return "arn:aws:iam::" + principal + ":role/" + strangerName, "account " + principal
	case err == nil && a.Is("iam", "root"), err == nil && a.Resource == "root":
		return "arn:" + a.Partition + ":iam::" + a.Account + ":role/" + strangerName, "account " + a.Account
	}
	return principal, principal
}

// wanted adds the values that the conditions of an Allow statement ask for to a context.
func wanted(s policytext.Elements, context map[string][]string) map[string][]string {
	out := maps.Clone(context)
	for element, values := range s {
		rest, ok := strings.CutPrefix(element, "Condition.")
		operator, key, found := strings.Cut(rest, ".")
		if !ok || !found || len(values) == 0 || strings.Contains(operator, "Not") || operator == "Null" {
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(out)), func(k string) bool { return strings.EqualFold(k, key) }) {
			out[key] = values[:1]
		}
	}
	return out
}

// allows reports whether a bucket policy lets a caller through whose own policies allow
// everything. A caller of the bucket's account would not need the bucket policy: one of
// its statements, the i-th, has to let the caller in as well, unless i is negative.
func allows(bucket *iampolicy.Document, r iampolicy.Request, i int) bool {
	sc := iampolicy.Scenario{Request: r, Policies: iampolicy.PolicySet{Resource: bucket}}
	if doc, err := iampolicy.Parse([]byte(allowAll)); err == nil {
		sc.Policies.Identity = []iampolicy.NamedPolicy{{Name: "everything", Policy: doc}}
	}
	result := iampolicy.Evaluate(sc)
	for _, l := range result.Layers {
		if l.Layer == iampolicy.LayerResource && i >= 0 && l.Statements[i].Outcome != iampolicy.Matched {
			return false
		}
	}
	return result.Decision == iampolicy.Allowed
}
