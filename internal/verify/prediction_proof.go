package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/fixproof"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// prove keeps the fixes that the policy engine proves: the layer then allows the
// request, and no other caller is let in or locked out. For a fix that is not
// proven, it takes a proven one of the engine's own; else the fix becomes a
// description that names the callers.
//
// The findings are those of one request. Each fix is proven with all others applied:
// another layer that denies would hide its effect.
func (p *prediction) prove(sc iampolicy.Scenario, list []finding) []finding {
	out := slices.Clone(list)
	edits := make([]*iampolicy.Fix, len(out))
	for i, f := range out {
		edits[i] = engineFix(sc, f)
		out[i].change = f.changeID()
	}
	for i := range out {
		f := &out[i]
		if edits[i] == nil {
			continue
		}
		var others []iampolicy.Fix
		for n, e := range edits {
			if n != i && e != nil {
				others = append(others, *e)
			}
		}
		before, err := iampolicy.Apply(sc, others)
		if err != nil {
			before, others = sc, nil
		}
		after, err := iampolicy.Apply(sc, append(others, *edits[i]))
		if err != nil {
			f.Repair = p.fixes.described(f.Repair, f.Repair.Text)
			continue
		}
		if edits[i].Kind == iampolicy.RemoveStatement {
			// A removal lifts every other denial of the statement as well: narrow it.
			if own, ok := p.alternative(before, *f, edits[i].Layer); ok {
				f.Repair = own
			} else {
				f.Repair = p.fixes.described(f.Repair, f.Repair.Text)
			}
			continue
		}
		effects := p.onOthers(*f, sc, fixproof.Prove(before, after).Effects)
		if len(effects) == 0 && !blocks(after, edits[i].Layer) {
			continue
		}
		if own, ok := p.alternative(before, *f, edits[i].Layer); ok && len(others) == 0 {
			f.Repair = own
			continue
		}
		f.Repair = p.fixes.described(f.Repair, unproven(*f, sc, effects))
	}
	return out
}

// onOthers drops the effects of a fix on the role itself: an exception for the role,
// and the statement that setup writes for it, are about the role. Plain HTTP stays an
// effect where the changed statement is about it. A policy that is not shared has no
// effect on others.
func (p *prediction) onOthers(f finding, sc iampolicy.Scenario, effects []fixproof.Effect) []fixproof.Effect {
	if ownLayer(f.Artefact) && !strings.Contains(f.Repair.Target, ":policy/") {
		return nil // an inline policy: it applies to the role alone
	}
	guard := f.Statement != nil && slices.Contains(parseStatement(f.Statement.Text).keys(), "aws:securetransport")
	return slices.DeleteFunc(effects, func(e fixproof.Effect) bool {
		plain := slices.Equal(e.Request.Context["aws:SecureTransport"], []string{"false"})
		return e.Request.Principal == sc.Request.Principal && (!guard || !plain)
	})
}

// alternative returns the engine's own fix, where it narrows the same Deny statement.
func (p *prediction) alternative(sc iampolicy.Scenario, f finding, layer iampolicy.Layer) (report.Fix, bool) {
	r := fixproof.Propose(sc, iampolicy.Evaluate(sc))
	if len(r.Fixes) != 1 || r.Fixes[0].Layer != layer {
		return report.Fix{}, false
	}
	fix := r.Fixes[0]
	if fix.Kind == iampolicy.ReplaceStatement && f.Statement != nil && fix.Index == f.Statement.Index &&
		!strings.Contains(string(fix.Statement), p.key) {
		text := fmt.Sprintf("Replace statement %s of %s by this one.", statementName(f.Statement), describeDocument(f))
		return p.fixes.replaceStatement(f, f.Statement, fix.Statement, text), true
	}
	return report.Fix{}, false
}

// blocks reports whether a layer still denies the request.
func blocks(sc iampolicy.Scenario, layer iampolicy.Layer) bool {
	for _, l := range iampolicy.Evaluate(sc).Layers {
		if l.Layer == layer && (l.Decision == iampolicy.ImplicitDeny || l.Decision == iampolicy.ExplicitDeny) {
			return true
		}
	}
	return false
}

// unproven describes a change that is not offered as a command.
func unproven(f finding, sc iampolicy.Scenario, effects []fixproof.Effect) string {
	what := fmt.Sprintf("let %s allow %s for the role", describeDocument(f), sc.Request.Action)
	if f.Statement != nil {
		what = fmt.Sprintf(
			"change statement %s of %s so that it does not deny %s for the role",
			statementName(f.Statement),
			describeDocument(f),
			sc.Request.Action,
		)
	}
	out := "By hand, " + what + ". No single change was proven to affect the role alone"
	var list []string
	for i, e := range effects {
		if i == 3 {
			list = append(list, fmt.Sprintf("and %d more", len(effects)-i))
			break
		}
		list = append(list, e.String())
	}
	if len(list) > 0 {
		out += ": after the usual change, " + strings.Join(list, "; ")
	}
	return out + "."
}

// engineFix is the fix of a finding in the terms of the policy engine; nil for a fix
// that changes no statement.
func engineFix(sc iampolicy.Scenario, f finding) *iampolicy.Fix {
	layer, ok := layerOf(f.Artefact)
	kind := map[report.FixKind]iampolicy.FixKind{
		report.FixAddStatement: iampolicy.AddStatement, report.FixReplaceStatement: iampolicy.ReplaceStatement,
		report.FixRemoveStatement: iampolicy.RemoveStatement,
	}[f.Repair.Kind]
	if !ok || kind == "" {
		return nil
	}
	out := &iampolicy.Fix{Kind: kind, Layer: layer, Level: f.level, Statement: f.Repair.Patch}
	if layer == iampolicy.LayerSCP || layer == iampolicy.LayerRCP {
		levels := sc.Policies.ServiceControl
		if layer == iampolicy.LayerRCP {
			levels = sc.Policies.ResourceControl
		}
		out.LevelIndex = slices.IndexFunc(levels, func(l iampolicy.LevelPolicies) bool { return l.Level == f.level })
	}
	if s := f.Repair.Statement; s != nil {
		out.Index = s.Index
		for n, d := range documentsOf(sc, &iampolicy.LayerResult{Layer: layer, Level: f.level}) {
			if text, _, _ := textAt(d, s.Index); text == s.Text {
				out.Document = n
			}
		}
	}
	return out
}

func textAt(d *iampolicy.Document, i int) (text string, line, column int) {
	if i < 0 || i >= d.Len() {
		return "", 0, 0
	}
	return d.StatementText(i)
}

// layerOf is the layer of a kind of policy.
func layerOf(kind string) (iampolicy.Layer, bool) {
	l, ok := map[string]iampolicy.Layer{
		report.ArtefactIdentity: iampolicy.LayerIdentity, report.ArtefactSourcePolicy: iampolicy.LayerIdentity,
		report.ArtefactBoundary: iampolicy.LayerBoundary, report.ArtefactSessionPolicy: iampolicy.LayerSession,
		report.ArtefactSCP: iampolicy.LayerSCP, report.ArtefactRCP: iampolicy.LayerRCP, report.ArtefactEndpointPolicy: iampolicy.LayerVPCEndpoint,
		report.ArtefactTrust: iampolicy.LayerResource, report.ArtefactBucketPolicy: iampolicy.LayerResource,
		report.ArtefactKeyPolicy: iampolicy.LayerResource,
	}[kind]
	return l, ok
}
