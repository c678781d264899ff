package misconfig

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/testbed"
)

// Mistake is one row.
type Mistake struct {
	Number int    // of the failure mode
	Name   string // the fault, in words
	// Make makes the mistake in accounts that work; nil when the request is the mistake.
	Make func(ctx context.Context, w *testbed.World) error
	// Try is the request that meets it; nil means a delivery as brokerd makes it.
	Try func(ctx context.Context, a *Actor) error
	// Code and Status are AWS's; an empty code means that the request succeeds all the same.
	Code   string
	Status int
	// Text is AWS's message. ROLE, SESSION, KEY, BUCKET, USERNAME, A and B stand for the
	// values of the accounts. A text that starts with ~ is a part of the message.
	Text string
	// Local says why only a sandbox can be asked: the row uses a control of it, or a
	// real account cannot be brought there. Empty for the others.
	Local string
	// Spoils says that the accounts are not repaired by writing the policies and the
	// bucket's settings again.
	Spoils bool
	// Delivery says that brokerd's own deliveries suffer from it, so that verify has to find it.
	Delivery bool
	// Finding is what verify says of it; nil when brokerd's deliveries cannot meet it.
	Finding *Finding
}

// String is the row's name with its number.
func (m Mistake) String() string { return fmt.Sprintf("%02d %s", m.Number, m.Name) }

// Message is Text for the accounts of an actor.
func (m Mistake) Message(a *Actor) string {
	return strings.NewReplacer(
		"ROLE", a.Dest.Role, "SESSION", "arn:aws:sts::"+a.AccountA+":assumed-role/"+a.RoleName+"/brokerd", "KEY", a.KeyARN, "BUCKET", a.Bucket,
		"USERNAME", a.UserName, ":A:", ":"+a.AccountA+":", ":B:", ":"+a.AccountB+":",
	).Replace(m.Text)
}

// Meet makes the request of the row.
func (m Mistake) Meet(ctx context.Context, a *Actor) error {
	if m.Try == nil {
		return a.Put(ctx, nil)
	}
	return m.Try(ctx, a)
}

// All are the rows in the order of their numbers.
func All() []Mistake {
	all := slices.Concat(identityMistakes(), policyMistakes(), bucketMistakes(), requestMistakes(), keyMistakes(), hostMistakes(),
		blameMistakes(), faultMistakes(), languageMistakes())
	found := findings()
	maps.Copy(found, blameFindings())
	maps.Copy(found, languageFindings())
	for i := range all {
		if f, ok := found[all[i].Name]; ok {
			all[i].Finding = &f
		}
		if why, ok := onlySandboxes()[all[i].Name]; ok {
			all[i].Local = why
		}
		all[i].Spoils = spoilers()[all[i].Name]
	}
	slices.SortStableFunc(all, func(a, b Mistake) int { return a.Number - b.Number })
	return all
}
