package setupcmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/setup"
)

// planView prints a plan for people.
type planView struct {
	w   io.Writer
	p   console.Palette
	err error
}

func newPlanView(a *console.App) *planView { return &planView{w: a.Out, p: a.Palette(a.Out)} }

func (v *planView) line(format string, args ...any) {
	if v.err == nil {
		_, v.err = fmt.Fprintln(v.w, console.Fit(v.w, fmt.Sprintf(format, args...)))
	}
}

func (v *planView) plan(p *setup.Plan, callers map[string]string) {
	account := ""
	for _, c := range p.Changes {
		if c.Account != account {
			account = c.Account
			who := v.p.Dim("as " + callers[account])
			if callers[account] == "" {
				who = v.p.Warn("not reached: for its administrator")
			}
			v.line("%s  %s", v.p.Bold("account "+account), who)
		}
		v.change(c)
	}
	if len(p.Warnings) > 0 {
		v.line("%s", v.p.Bold("warnings"))
	}
	for _, w := range p.Warnings {
		v.line("  %s %s  %s", v.p.Warn("!"), w.Message, v.p.Dim(w.Code))
		v.line("      %s, account %s", Describe(&setup.Change{Kind: w.Kind, ARN: w.ARN}), w.Account)
		if w.Fix != "" {
			v.line("      %s", w.Fix)
		}
	}
	v.proof(p.Proof)
	v.line("%s", v.p.Bold(summary(p)))
}

func (v *planView) change(c setup.Change) {
	mark, word := v.mark(c.Op)
	v.line("  %s %s  %s", mark, Describe(&c), v.p.Dim(word))
	if c.Reason != "" {
		v.line("      %s", v.p.Warn(c.Reason))
	}
	if len(c.Statements) == 0 {
		v.setting(c)
		return
	}
	foreign, same := 0, 0
	for _, s := range c.Statements {
		switch s.Op {
		case setup.StatementForeign:
			foreign++
		case setup.StatementSame:
			same++
		default:
			v.statement(s)
		}
	}
	if same > 0 {
		v.line("      %s", v.p.Dim("= "+console.Counted(same, "statement")+" of ours unchanged"))
	}
	if foreign > 0 {
		v.line("      %s", v.p.Dim("= "+console.Counted(foreign, "statement")+" of others, kept byte for byte"))
	}
}

func (v *planView) mark(op setup.Op) (mark, word string) {
	switch op {
	case setup.OpCreate:
		return v.p.Good("+"), "create"
	case setup.OpUpdate:
		return v.p.Warn("~"), "update"
	case setup.OpDelete:
		return v.p.Bad("-"), "delete"
	case setup.OpKeep:
		return v.p.Dim("="), "unchanged"
	case setup.OpHandOver:
		return v.p.Warn(">"), "handed over"
	}
	return v.p.Bad("?"), "could not be decided"
}

func (v *planView) statement(s setup.StatementChange) {
	mark := map[setup.StatementOp]string{setup.StatementAdded: v.p.Good("+"), setup.StatementChanged: v.p.Warn("~"),
		setup.StatementRemoved: v.p.Bad("-")}[s.Op]
	v.line("      %s %s", mark, v.p.Bold(s.Sid))
	for _, e := range s.Elements {
		name := strings.TrimPrefix(e.Element, "Principal.")
		if condition, ok := strings.CutPrefix(e.Element, "Condition."); ok {
			operator, key, _ := strings.Cut(condition, ".")
			name = operator + " " + key + ":"
		}
		switch {
		case s.Op != setup.StatementChanged: // every element is added, or removed
			v.line("          %-10s %s", name, strings.Join(append(slices.Clone(e.Added), e.Removed...), ", "))
		default:
			for _, value := range e.Removed {
				v.line("          %s %-10s %s", v.p.Bad("-"), name, value)
			}
			for _, value := range e.Added {
				v.line("          %s %-10s %s", v.p.Good("+"), name, value)
			}
		}
	}
}

// Describe names a change for people.
func Describe(c *setup.Change) string {
	name := map[setup.Kind]string{
		setup.KindTrust: "trust policy of role", setup.KindIdentity: "inline policy " + setup.InlineName + " of", setup.KindRole: "role",
		setup.KindBoundary: "permissions boundary of role", setup.KindMaxSession: "longest session of role", setup.KindKey: "key policy of",
		setup.KindBucketMade: "bucket", setup.KindPublicBlock: "public-access block of", setup.KindOwnership: "object ownership of",
		setup.KindEncryption: "default encryption of", setup.KindLifecycle: "lifecycle rules of", setup.KindLogging: "access logs of",
		setup.KindBucket: "bucket policy of", setup.KindTrail: "data events of trail",
	}[c.Kind]
	if name == "" {
		name = string(c.Kind) + " of"
	}
	return name + " " + c.ARN
}

// setting prints a setting with one value, and lifecycle rules by their ids.
func (v *planView) setting(c setup.Change) {
	if !c.Pending() && c.Op != setup.OpHandOver {
		return
	}
	if c.Before != "" {
		v.line("      %s %s", v.p.Bad("-"), c.Before)
	}
	if c.After != "" {
		v.line("      %s %s", v.p.Good("+"), c.After)
	}
}

func (v *planView) proof(cases []setup.Case) {
	if len(cases) == 0 {
		return
	}
	v.line("%s", v.p.Bold("after apply, by the policy engine"))
	destination := ""
	var assumptions []string
	for _, c := range cases {
		if c.Destination != destination {
			destination = c.Destination
			v.line("  destination %s", destination)
		}
		mark, word := v.p.Good("✓"), c.Want
		switch c.Verdict {
		case setup.Fails:
			mark, word = v.p.Bad("✗"), "NOT "+c.Want
		case setup.Unclear:
			mark, word = v.p.Warn("?"), "should be "+c.Want
		}
		v.line("    %s %s: %s  %s", mark, c.Name, word, v.p.Dim(c.Why))
		for _, a := range c.Assumptions {
			if !slices.Contains(assumptions, a) {
				assumptions = append(assumptions, a)
			}
		}
	}
	for _, a := range assumptions {
		v.line("  %s", v.p.Dim("assumption: "+a))
	}
}

func summary(p *setup.Plan) string {
	n := map[setup.Op]int{}
	for _, c := range p.Changes {
		n[c.Op]++
	}
	if changeNothing(p) {
		if p.Remove && slices.ContainsFunc(p.Changes, func(c setup.Change) bool { return c.Kind == setup.KindLifecycle && c.Reason != "" }) {
			return "Only the lifecycle rule is left: remove again when no upload is unfinished."
		}
		if p.Remove {
			return "Nothing to remove: no statement of brokerd is left."
		}
		if notProven(p) != nil {
			return "Nothing to change: both accounts have everything that setup makes. An upload is refused all the same: see ✗ above."
		}
		return "Nothing to do: both accounts are as the configuration asks."
	}
	parts := []string{}
	for _, k := range []struct {
		op   setup.Op
		word string
	}{{setup.OpCreate, "to create"}, {setup.OpUpdate, "to update"}, {setup.OpDelete, "to delete"},
		{setup.OpHandOver, "for another administrator"}, {setup.OpUnknown, "not decided"}} {
		if n[k.op] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[k.op], k.word))
		}
	}
	return "Plan: " + strings.Join(parts, ", ") + "."
}
