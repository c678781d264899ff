package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/verify"
)

const (
	verifyAgain = 5 * time.Second
	fromTheHost = "run `brokerctl verify` where the daemon runs"
)

// verifySetup verifies what was set up with the daemon's source credentials. When
// they are not here, or an account is still to follow, it says so: that is not a
// failure, and not a pass either.
func (a *app) verifySetup(ctx context.Context, r *arrangement, destinations []string, f *applyFlags, result *setupResult) error {
	skip := func(why string) error {
		result.NotVerified = why
		if f.out == formatText {
			_, err := fmt.Fprintln(a.Out, "Not verified: "+why)
			return err
		}
		return nil
	}
	for _, role := range r.state.Roles {
		if !r.accounts.Reached(role.Account) {
			return skip("account " + role.Account + " is still to follow; then " + fromTheHost)
		}
	}
	for _, b := range r.state.Buckets {
		if !r.accounts.Reached(b.Account) {
			return skip("account " + b.Account + " is still to follow; then " + fromTheHost)
		}
	}
	if len(destinations) == 0 {
		for _, d := range r.state.Deliveries {
			destinations = append(destinations, d.Destination.Name)
		}
	}
	run, err := verifyHere(f.config)
	if err != nil {
		return err
	}
	defer run.close()
	if why := here(ctx, run, r.state, destinations); why != "" {
		return skip(why + "; " + fromTheHost)
	}
	var reports []verify.Report
	deadline := time.Now().Add(f.wait)
	for {
		if reports, err = collect(ctx, run, destinations); err != nil {
			return err
		}
		// What was written a moment ago may not have reached every part of AWS.
		if worst(reports) != verify.Fail || len(result.Done) == 0 || time.Now().After(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(verifyAgain, max(0, time.Until(deadline)))):
		}
	}
	result.Verified, result.Destinations = worst(reports), reports
	if f.out == formatText {
		render := newCheckRenderer(a.Out)
		render.brief = true
		for _, report := range reports {
			render.begin(report.Destination)
			for _, c := range report.Checks {
				if err := render.check(c); err != nil {
					return err
				}
			}
			if err := render.end(report); err != nil {
				return err
			}
		}
	}
	if result.Verified == verify.Fail {
		return &exitError{exitFailed, errors.New("the changes are made, and verify fails: see above")}
	}
	return nil
}

func collect(ctx context.Context, run *verification, names []string) ([]verify.Report, error) {
	var reports []verify.Report
	for _, name := range names {
		report := verify.Report{Destination: name}
		if err := run.verify(ctx, name, func(c verify.Check) error {
			report.Checks = append(report.Checks, c)
			return nil
		}); err != nil {
			return nil, fmt.Errorf("verifying %s: %w", name, err)
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// here says why the daemon's source credentials are not those that are found
// here; "" when they are.
func here(ctx context.Context, run *verification, state setup.State, names []string) string {
	for _, d := range state.Deliveries {
		if !slices.Contains(names, d.Destination.Name) {
			continue
		}
		arn, err := run.source(ctx, d.Destination.Name)
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
	c, err := config.ParseARN(caller)
	p, perr := config.ParseARN(principal)
	name, _, _ := strings.Cut(strings.TrimPrefix(c.Resource, "assumed-role/"), "/")
	return err == nil && perr == nil && c.Account == p.Account && strings.HasPrefix(c.Resource, "assumed-role/") && strings.HasSuffix(p.Resource, "/"+name)
}

// worst is the result of all reports together.
func worst(reports []verify.Report) verify.Result {
	order := []verify.Result{verify.Pass, verify.Unknown, verify.Fail}
	at := 0
	for _, r := range reports {
		at = max(at, slices.Index(order, r.Result()))
	}
	return order[at]
}
