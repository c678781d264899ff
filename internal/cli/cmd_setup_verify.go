package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/setupcmd"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	verifyAgain = 5 * time.Second
	fromTheHost = "run `brokerctl verify` where the daemon runs"
)

// verifySetup verifies the new arrangement with the daemon's source credentials. When
// they are not here, or an account is still to follow, it says so: that is not a
// failure, and not a pass either.
func verifySetup(ctx context.Context, a *console.App, r setupcmd.VerifyRequest) (result setupcmd.Verification, err error) {
	skip := func(why string) (setupcmd.Verification, error) {
		if r.Format == console.FormatText {
			_, err = fmt.Fprintln(a.Out, "Not verified: "+why)
		}
		return setupcmd.Verification{NotVerified: why}, err
	}
	for _, role := range r.State.Roles {
		if !r.Accounts.Reached(role.Account) {
			return skip("account " + role.Account + " is still to follow; then " + fromTheHost)
		}
	}
	for _, b := range r.State.Buckets {
		if !r.Accounts.Reached(b.Account) {
			return skip("account " + b.Account + " is still to follow; then " + fromTheHost)
		}
	}
	destinations := r.Destinations
	if len(destinations) == 0 {
		for _, d := range r.State.Deliveries {
			destinations = append(destinations, d.Destination.Name)
		}
	}
	backend, err := standaloneBackend(r.Path)
	if err != nil {
		return result, err
	}
	defer backend.close()
	if why := here(ctx, backend, r.State, destinations); why != "" {
		return skip(why + "; " + fromTheHost)
	}
	run, err := verifyUntil(ctx, a, r, backend, destinations)
	if err != nil {
		return result, err
	}
	result.Verified, _ = run.Verdict()
	for _, d := range run.Results {
		result.Destinations = append(result.Destinations, d.Report)
	}
	if r.Format == console.FormatText {
		v := &verifyRun{App: a, names: destinations, flags: verifyFlags{out: verifyText}}
		if err := v.write(a.Out, run); err != nil {
			return result, err
		}
	}
	if result.Verified == report.Fail {
		return result, &console.ExitError{Code: console.ExitFailed, Err: errors.New("the changes are made, and verify fails: see above")}
	}
	return result, nil
}

// verifyUntil verifies, with the policies as they are now, until nothing fails; when something was changed, again and
// again for a while: a document may take some time to reach every part
// of AWS.
func verifyUntil(
	ctx context.Context,
	a *console.App,
	r setupcmd.VerifyRequest,
	backend *verifyBackend,
	names []string,
) (render.Run, error) {
	v := &verifyRun{App: a, backend: backend, names: names}
	live := newLive(a, a.Err, names)
	defer live.stop()
	deadline := time.Now().Add(r.Wait)
	for {
		policies, err := policiesOf(ctx, r.Config, r.Accounts, backend.source, names)
		if err != nil {
			return render.Run{}, err
		}
		v.options = func(name string) report.RunOptions { return report.RunOptions{Policies: policies[name]} }
		run, err := v.all(ctx, names, false, live)
		if err != nil {
			return run, err
		}
		for _, d := range run.Results {
			if d.Err != nil {
				return run, fmt.Errorf("verifying %s: %w", d.Destination, d.Err)
			}
		}
		if result, _ := run.Verdict(); result != report.Fail || !r.Changed || time.Now().After(deadline) {
			return run, nil
		}
		live.again(names, "the changes may not be in force everywhere yet")
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-time.After(min(verifyAgain, max(0, time.Until(deadline)))):
		}
	}
}

// here says why the daemon's source credentials are not those that are found
// here; "" when they are.
func here(ctx context.Context, backend *verifyBackend, state setup.State, names []string) string {
	for _, d := range state.Deliveries {
		if !slices.Contains(names, d.Destination.Name) {
			continue
		}
		arn, err := backend.source(ctx, d.Destination.Name)
		if err != nil {
			return "the daemon's source credentials do not work from here: " + err.Error()
		}
		as := d.Setup.RunsAs
		if len(d.Roles) == 1 && as.Type != config.RunsWebIdentity && !sameIdentity(arn, as.Principal) {
			return "the credentials here are those of " + arn + ", and the daemon runs as " + as.Principal
		}
	}
	return ""
}

// sameIdentity compares who STS says it is with the ARN of a role or user. A
// session does not tell its role's path.
func sameIdentity(caller, principal string) bool {
	if caller == principal {
		return true
	}
	c, err := awsarn.Parse(awsarn.Role(caller))
	p, perr := awsarn.Parse(principal)
	return err == nil && perr == nil && awsarn.ResourceType(caller) == "assumed-role" && c.Account == p.Account && c.Name() == p.Name()
}
