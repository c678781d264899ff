package rehearsal

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox"
)

// Accounts are the two accounts of a configuration and its Region.
type Accounts struct{ A, B, Region string }

// AccountsOf finds the accounts that the sandbox has to stand for.
func AccountsOf(cfg *config.Config) (Accounts, error) {
	var sources, targets []string
	var out Accounts
	for _, d := range cfg.Destinations {
		if d.Compatible {
			continue
		}
		roles := []string{d.Role}
		for _, hop := range d.Chain {
			roles = append(roles, hop.Role)
		}
		for _, role := range roles {
			arn, err := awsarn.Parse(role)
			if err != nil {
				return Accounts{}, err
			}
			sources = append(sources, arn.Account)
		}
		targets = append(targets, d.Owner)
		out.Region = d.Region
	}
	if len(targets) == 0 {
		return Accounts{}, errors.New("no destination is on AWS: the sandbox has nothing to stand for")
	}
	all := slices.Concat(sources, targets)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > 2 {
		return Accounts{}, fmt.Errorf(
			"the configuration names %d accounts (%s), and the sandbox has two; leave destinations out until two accounts remain",
			len(all),
			strings.Join(all, ", "),
		)
	}
	out.A, out.B = sources[0], targets[0]
	if out.A == out.B {
		// One account plays both parts; the sandbox still needs a second one.
		out.B = sandbox.DefaultAccountB
		if out.A == out.B {
			out.B = sandbox.DefaultAccountA
		}
		for _, id := range all {
			if id != out.A {
				out.B = id
			}
		}
	}
	return out, nil
}
