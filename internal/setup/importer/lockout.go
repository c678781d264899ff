package importer

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/fixproof"
	"github.com/brokerd/brokerd/internal/setup"
)

// maxLockedOut bounds the callers that a finding lists.
const maxLockedOut = 4

// prove asks whom the replacement of a statement would lock out or let in. One
// that would let anybody in is not offered.
func (a *arrangement) prove(f *Finding, p *policy, prefix string) {
	if len(f.Enough) == 0 || f.Statement == "" || p.kind == setup.KindIdentity {
		return
	}
	text := strings.Replace(p.doc.Text(), f.Statement, strings.Join(f.Enough, ","), 1)
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		f.Enough = nil
		return
	}
	request := a.on("s3:PutObject", a.object(prefix))
	switch p.kind {
	case setup.KindKey:
		request = a.on("kms:GenerateDataKey", a.Key)
	case setup.KindTrust:
		request = iampolicy.Request{
			Principal: "arn:" + a.role.Partition + ":sts::" + a.role.Account + ":assumed-role/brokerd-import/x",
			Action:    "sts:AssumeRole",
			Resource:  a.Role,
		}
	}
	scenario := func(doc *iampolicy.Document) iampolicy.Scenario {
		set := iampolicy.PolicySet{Resource: doc}
		for _, i := range a.identity {
			set.Identity = append(set.Identity, iampolicy.NamedPolicy{Name: i.name, Policy: i.doc})
		}
		return iampolicy.Scenario{Request: request, Policies: set}
	}
	proof := fixproof.Prove(scenario(p.doc), scenario(doc))
	for _, e := range proof.Effects {
		if e.Opens() {
			f.Enough = nil
			return
		}
	}
	for i, e := range proof.Effects {
		if i == maxLockedOut {
			f.LocksOut = append(f.LocksOut, fmt.Sprintf("and %d more", len(proof.Effects)-maxLockedOut))
			break
		}
		f.LocksOut = append(f.LocksOut, e.Probe)
	}
}
