package broker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

func TestAnOverrideChangesOneFieldAndIsNotKept(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("hub"): {life: time.Hour}, roleOf("leaf"): {life: time.Hour}}}
	leaf := through("leaf", "hub")
	leaf.Session.ExternalID = "agreed"
	leaf.Bucket = "tenant-bucket"
	var err error
	if leaf.KeyTemplate, err = config.ParseKeyTemplate("logs/{name}-{id}"); err != nil {
		t.Fatal(err)
	}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		held, err := b.Session(t.Context(), "leaf")
		if err != nil {
			t.Fatal(err)
		}
		policy, err := b.ScopePolicy("leaf")
		if err != nil || !strings.Contains(policy, "s3:PutObject") {
			t.Errorf("the session policy is %q, %v", policy, err)
		}
		other := "other"
		before := len(sts.calls)
		for _, o := range []AssumeOverrides{{}, {Unscoped: true}, {ExternalID: &other}} {
			s, err := b.AssumeOnce(t.Context(), "leaf", o)
			if err != nil {
				t.Fatal(err)
			}
			if s.AccessKeyID == held.AccessKeyID {
				t.Error("an override was served from the held session")
			}
		}
		usual, unscoped, otherID := sts.calls[before], sts.calls[before+1], sts.calls[before+2]
		switch {
		case usual.Policy != policy || usual.ExternalID != "agreed" || usual.Duration != overrideLife:
			t.Errorf("the usual o: %+v", usual)
		case unscoped.Policy != "" || unscoped.ExternalID != "agreed":
			t.Errorf("without the session policy: %+v", unscoped)
		case otherID.Policy != policy || otherID.ExternalID != "other":
			t.Errorf("with another external id: %+v", otherID)
		case sts.vias[before] == nil:
			t.Error("the role was not tried as the role before it in the chain")
		}
		if now, err := b.Session(t.Context(), "leaf"); err != nil || now != held {
			t.Errorf("the session in use changed: %v", err)
		}
		if _, err := b.AssumeOnce(t.Context(), "nowhere", AssumeOverrides{}); !errors.Is(err, ErrUnknownDestination) {
			t.Errorf("error %v", err)
		}
	}, leaf)
}
