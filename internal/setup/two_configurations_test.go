package setup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// otherTeam is a configuration of another account A with the same destination name.
func otherTeam(t *testing.T) State {
	t.Helper()
	text := strings.NewReplacer("111122223333", "555566667777", "logs/{", "other/{").Replace(stanza + asRole)
	state, err := StateOf(loadConfig(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// mayWrite asks the engine whether a role may put an object below its prefix.
func mayWrite(t *testing.T, policy string, d Delivery) bool {
	t.Helper()
	doc, err := iampolicy.Parse([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	r := iampolicy.Evaluate(iampolicy.Scenario{
		Request: iampolicy.Request{
			Principal: "arn:aws:sts::" + d.Roles[0][13:25] + ":assumed-role/" +
				d.Destination.Role[strings.LastIndexByte(d.Destination.Role, '/')+1:] + "/s", RoleARN: d.Destination.Role,
			Action: "s3:PutObject", Resource: strings.TrimSuffix(d.Objects, "*") + "x", ResourceAccount: d.Destination.Owner,
			Context: map[string][]string{"aws:SecureTransport": {"true"}},
		},
		Policies: iampolicy.PolicySet{Identity: everything().Identity, Resource: doc},
	})
	return r.Decision == iampolicy.Allowed
}

func applied(t *testing.T, kind Kind, policy string, want Policy, s State) string {
	t.Helper()
	e, err := planPolicy(kind, policy, want, ownership{s.Deliveries})
	if err != nil {
		t.Fatal(err)
	}
	again, err := planPolicy(kind, e.after, want, ownership{s.Deliveries})
	if err != nil || again.op != OpKeep {
		t.Errorf("planning again: %v, %v: %s", err, again.op, again.after)
	}
	return e.after
}

// TestTwoConfigurationsWithOneNameKeepTheirAccess: both teams apply, in turn, to
// one bucket and one key, and one of them goes.
func TestTwoConfigurationsWithOneNameKeepTheirAccess(t *testing.T) {
	one, two := stateOf(t, stanza), otherTeam(t)
	a, b := one.Deliveries[0], two.Deliveries[0]
	bucket := applied(t, KindBucket, "", one.Buckets[0].Policy, one)
	bucket = applied(t, KindBucket, bucket, two.Buckets[0].Policy, two)
	bucket = applied(t, KindBucket, bucket, one.Buckets[0].Policy, one)
	if !mayWrite(t, bucket, a) || !mayWrite(t, bucket, b) {
		t.Errorf("team one may write %v, team two %v:\n%s", mayWrite(t, bucket, a), mayWrite(t, bucket, b), bucket)
	}
	key := applied(t, KindKey, applied(t, KindKey, "", one.Keys[0].Policy, one), two.Keys[0].Policy, two)
	if !strings.Contains(key, a.Destination.Role) || !strings.Contains(key, b.Destination.Role) {
		t.Errorf("the key policy lost a role:\n%s", key)
	}
	gone, err := planPolicy(KindBucket, bucket, Policy{}, ownership{two.Deliveries})
	if err != nil || !mayWrite(t, gone.after, a) || mayWrite(t, gone.after, b) {
		t.Errorf("after team two was removed: %v\n%s", err, gone.after)
	}
}

// older writes a policy with ids of the form without a hash.
func older(t *testing.T, p Policy, d Delivery) string {
	t.Helper()
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), d.Sid+`"`, d.legacySid+`"`)
}

func TestOlderIdsAreTakenOver(t *testing.T) {
	one := stateOf(t, stanza)
	d := one.Deliveries[0]
	for kind, want := range map[Kind]Policy{KindTrust: one.Roles[0].Trust, KindIdentity: one.Roles[0].Inline,
		KindBucket: one.Buckets[0].Policy, KindKey: one.Keys[0].Policy} {
		after := applied(t, kind, older(t, want, d), want, one)
		if strings.Contains(after, d.legacySid+`"`) || strings.Count(after, d.Sid+`"`) != strings.Count(older(t, want, d), d.legacySid+`"`) {
			t.Errorf("%s: ids were not taken over:\n%s", kind, after)
		}
	}
}

// TestOlderIdsOfAnotherRoleStay: before ids had a hash, the second team would have
// replaced the statements of the first.
func TestOlderIdsOfAnotherRoleStay(t *testing.T) {
	one, two := stateOf(t, stanza), otherTeam(t)
	a, b := one.Deliveries[0], two.Deliveries[0]
	bucket := older(t, one.Buckets[0].Policy, a)
	after := applied(t, KindBucket, bucket, two.Buckets[0].Policy, two)
	if !mayWrite(t, after, a) || !mayWrite(t, after, b) {
		t.Errorf("team one may write %v, team two %v:\n%s", mayWrite(t, after, a), mayWrite(t, after, b), after)
	}
	var before, now struct{ Statement []json.RawMessage }
	if json.Unmarshal([]byte(bucket), &before) != nil || json.Unmarshal([]byte(after), &now) != nil {
		t.Fatal("not JSON")
	}
	for i, s := range before.Statement {
		if string(s) != string(now.Statement[i]) {
			t.Errorf("statement %d of the other team was changed:\n%s", i, now.Statement[i])
		}
	}
}
