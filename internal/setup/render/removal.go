package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// Removal writes a script like those of CLI. It takes the statements of these
// destinations out of one account, and leaves all others as they are. The result is
// empty for an account that holds no part of them.
func Removal(s setup.State, account string, destinations []string) ([]byte, error) {
	rest, err := s.Without(destinations)
	if err != nil {
		return nil, err
	}
	r := &removal{script: script{writer: &writer{State: s, half: Both}}, rest: rest}
	r.begin(account, fmt.Sprintf(`# Account %s: takes out the statements of these destinations of brokerd, and
# nothing else: %s.
#
# Needs the AWS CLI (1 or 2) and jq, and credentials of that account in the
# environment. Safe to run twice: it reads first, and changes only what differs.
`, account, strings.Join(destinations, ", ")), scriptRemove)
	before := r.b.Len()
	r.resources(account) // a policy that names a role goes before the role
	r.roles(account)
	if r.b.Len() == before || r.err != nil {
		return nil, r.err
	}
	fmt.Fprintf(&r.b, `
if [ "$CHANGES" -eq 0 ] && [ "$LEFT" -eq 0 ]; then
  echo "account %[1]s: nothing to remove"
else
  echo "account %[1]s: $CHANGES ${DRY_RUN:+pending }changes, $LEFT left"
fi
`, account)
	return []byte(r.b.String()), nil
}

type removal struct {
	script
	rest setup.State // after the removal
}

// without calls a function that takes the difference of two policies out of a document.
func (r *removal) without(before, after setup.Policy, function ...string) {
	if gone := setup.RemovedFrom(before, after); len(gone.Sids) > 0 {
		r.ours(gone)
		r.call(function...)
	}
}

// roles takes the inline policy of a role out before the role: IAM deletes no role with one.
func (r *removal) roles(account string) {
	for _, src := range r.Sources {
		if src.Account == account {
			after := find(r.rest.Sources, func(o setup.Source) bool { return o.ARN == src.ARN })
			r.without(src.Inline, after.Inline, "inline_without", awsarn.ResourceType(src.ARN), lastOf(src.ARN), setup.InlineName)
		}
	}
	for _, role := range r.Roles {
		if role.Account == account {
			after := find(r.rest.Roles, func(o setup.Role) bool { return o.ARN == role.ARN })
			r.without(role.Inline, after.Inline, "inline_without", "role", role.Name, setup.InlineName)
			r.without(role.Trust, after.Trust, "role_without", role.Name, setup.InlineName)
		}
	}
}

func (r *removal) resources(account string) {
	for _, b := range r.Buckets {
		if b.Account == account {
			after := find(r.rest.Buckets, func(o setup.Bucket) bool { return o.ARN == b.ARN })
			r.without(b.Policy, after.Policy, "bucket_policy_without", b.Name, b.Region)
			r.rules(b, after)
		}
	}
	for _, k := range r.Keys {
		if k.Account == account {
			after := find(r.rest.Keys, func(o setup.Key) bool { return o.ARN == k.ARN })
			r.without(k.Policy, after.Policy, "key_policy_without", k.ARN, k.Region)
		}
	}
	for _, t := range r.Trails {
		if t.Account != account {
			continue
		}
		after := find(r.rest.Trails, func(o setup.Trail) bool { return o.ARN == t.ARN })
		gone := slices.DeleteFunc(slices.Clone(t.Objects), func(o string) bool { return slices.Contains(after.Objects, o) })
		if len(gone) > 0 {
			r.ours(object{{"Name", selectorName}, {"Objects", gone}})
			r.call("trail_without", t.ARN, t.Region)
		}
	}
}

// rules takes the lifecycle rules of the destinations out.
func (r *removal) rules(before, after setup.Bucket) {
	for _, rule := range before.Lifecycle {
		if !slices.ContainsFunc(after.Lifecycle, func(o setup.LifecycleRule) bool { return o.ID == rule.ID }) {
			r.ours([]string{rule.ID})
			r.call("lifecycle_without", before.Name, before.Region, rule.Prefix)
		}
	}
}

// find returns the first element that is; without one, the zero value.
func find[T any](list []T, is func(T) bool) (out T) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		out = list[i]
	}
	return out
}
