package setup

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// ownership tells the statements of some destinations from those of others, and
// from those of other configurations of brokerd.
type ownership struct{ deliveries []Delivery }

// claim reports whether a statement belongs to one of the destinations, and the
// Sid that it has to have. A statement with an id of the older form belongs to a
// destination only when it is about the destination's role.
func (o ownership) claim(kind Kind, doc *policytext.Document, i int) (sid string, ours bool) {
	old := doc.Statements()[i].Sid
	for _, base := range bases() {
		rest, ok := strings.CutPrefix(old, base)
		if !ok {
			continue
		}
		for _, d := range o.deliveries {
			switch {
			case rest == d.Sid:
				return old, true
			case rest == d.legacySid && d.isAbout(kind, base, doc, i):
				return base + d.Sid, true
			}
		}
	}
	return old, slices.Contains(shared, old)
}

// isAbout reports whether a statement with an id of the older form is the
// destination's own, not one of another configuration with the same name.
func (d Delivery) isAbout(kind Kind, base string, doc *policytext.Document, i int) bool {
	e := policytext.ReadElements(doc.Raw(i))
	switch {
	case kind == KindTrust:
		return true // the document is that of the destination's role
	case kind == KindIdentity:
		return slices.ContainsFunc(
			append(slices.Clone(d.Roles), d.Objects, d.Destination.KMSKey),
			func(v string) bool { return e.Has("Resource", v) },
		)
	case e.Has("Effect", "Allow"):
		return e.Has("Principal.AWS", d.Destination.Role) || onlyDeleted(e["Principal.AWS"])
	case base == SidDenyOtherKey && !slices.Contains(e["Condition.StringNotEquals."+keyHeader], d.Destination.KMSKey):
		return false
	}
	return e.Has("Resource", d.Objects) && !d.claimedByOthers(doc)
}

// onlyDeleted reports whether all principals are ids of deleted roles: the
// statement matches no caller.
func onlyDeleted(principals []string) bool {
	return len(principals) > 0 && !slices.ContainsFunc(principals, func(p string) bool { return !uniqueID.MatchString(p) })
}

// claimedByOthers reports whether the bucket policy lets another role write under
// the older id of the destination.
func (d Delivery) claimedByOthers(doc *policytext.Document) bool {
	for i, s := range doc.Statements() {
		if s.Sid == SidBucketWrite+d.legacySid {
			e := policytext.ReadElements(doc.Raw(i))
			return !e.Has("Principal.AWS", d.Destination.Role) && !onlyDeleted(e["Principal.AWS"])
		}
	}
	return false
}
