package kms

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/brokerd/brokerd/internal/sandbox/filltest"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	ownerAccount = "444455556666"
	homeRegion   = "eu-west-1"
)

func newTestKMS(t *testing.T) *Service {
	t.Helper()
	k := kernel.New(kernel.Options{Accounts: []string{"111122223333", ownerAccount}, Region: homeRegion})
	iam, err := iam.New(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(k, iam)
}

func dueKey(t *testing.T) (*Service, *key, time.Time) {
	t.Helper()
	s := newTestKMS(t)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	policy, err := s.iam.StorePolicy(defaultKeyPolicy(ownerAccount))
	if err != nil {
		t.Fatal(err)
	}
	k := s.newKey(homeRegion, ownerAccount, policy, now, keyFacts{
		Spec: symmetricDefault, Usage: usageEncrypt, Origin: originKMS, Materials: []material{newMaterial(random(32), "", now)},
	})
	return s, k, now
}

func TestAKeyEndsOnItsDateWithAliasesAndGrants(t *testing.T) {
	s, k, now := dueKey(t)
	aliasOfKey := aliasARN(homeRegion, ownerAccount, "alias/x")
	s.aliases[aliasOfKey] = &keyAlias{Target: k.arn}
	s.grants["g"] = &grant{ID: "g", KeyARN: k.arn}
	k.deletion = now.AddDate(0, 0, 7)
	s.settleKeys(k.deletion.Add(-time.Second))
	if s.keys[k.arn] == nil {
		t.Fatal("the key is gone a second before its date")
	}
	cl := &kernel.Request{Kernel: s.k, Now: k.deletion, Caller: kernel.AnonymousCaller()}
	if e := s.Forward(cl, "Decrypt", k.arn, homeRegion, nil); e == nil || e.Code != "AccessDeniedException" ||
		!strings.Contains(e.Message, "does not exist") {
		t.Errorf("on the date: %v", e)
	}
	if _, e := s.resolveKey(k.arn, homeRegion, ownerAccount); e == nil || e.Message != "Key '"+k.arn+"' does not exist" {
		t.Errorf("the key: %v", e)
	}
	if _, e := s.resolveKey("alias/x", homeRegion, ownerAccount); e == nil || e.Message != "Alias "+aliasOfKey+" is not found." {
		t.Errorf("its alias: %v", e)
	}
	if len(s.grants) != 0 {
		t.Errorf("its grants: %v", s.grants)
	}
}

func TestRotationComesDueAndOldCiphertextsOpen(t *testing.T) {
	s, k, now := dueKey(t)
	k.RotationPeriod, k.NextRotation = 90, now.AddDate(0, 0, 90)
	old, err := k.seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	first := k.current().ID
	s.settleKeys(now.AddDate(0, 0, 89))
	if len(k.Materials) != 1 {
		t.Errorf("%d generations a day early", len(k.Materials))
	}
	k.disabled = true
	s.settleKeys(now.AddDate(0, 0, 181))
	if len(k.Materials) != 1 {
		t.Errorf("%d generations of a disabled key", len(k.Materials))
	}
	k.disabled = false
	s.settleKeys(now.AddDate(0, 0, 181))
	if len(k.Materials) != 3 || k.current().ID == first || !k.NextRotation.Equal(now.AddDate(0, 0, 270)) {
		t.Errorf("%d generations after two periods, next %v", len(k.Materials), k.NextRotation)
	}
	plain, material, err := k.unseal(old, nil)
	if err != nil || string(plain) != "x" || material != first {
		t.Errorf("the old ciphertext: %q, %v", plain, err)
	}
}

func TestImportedMaterialExpires(t *testing.T) {
	s, k, now := dueKey(t)
	k.Origin, k.Import = originExternal, &importState{Model: materialExpires, ValidTo: now.Add(time.Hour)}
	s.settleKeys(now.Add(time.Hour - time.Second))
	if k.state() != "Enabled" {
		t.Errorf("before: %s", k.state())
	}
	s.settleKeys(now.Add(time.Hour))
	if k.state() != "PendingImport" {
		t.Errorf("after: %s", k.state())
	}
}

func TestKMSStateSurvivesJSON(t *testing.T) {
	_, k, now := dueKey(t)
	k.Import = &importState{Token: []byte("t"), Model: materialStays}
	g := &grant{ID: "g", KeyARN: k.arn, Grantee: principal{"a", "b"}, Operations: []string{"Decrypt"}, Created: now,
		Constraints: &constraints{EncryptionContextEquals: map[string]string{"a": "b"}}}
	for _, tt := range []struct{ in, out any }{
		{&k.keyFacts, &keyFacts{}}, {g, &grant{}}, {&keyAlias{Target: k.arn, Created: now}, &keyAlias{}},
	} {
		data, err := json.Marshal(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, tt.out); err != nil || !reflect.DeepEqual(tt.in, tt.out) {
			t.Errorf("%T came back as %+v, %v", tt.in, tt.out, err)
		}
	}
}

// Every field of a key, an alias and a grant is restored as it was.
func TestNothingOfKMSIsLostOnTheWayToDisk(t *testing.T) {
	s := newTestKMS(t)
	f := filltest.New(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	filltest.Use(f, func() *iam.StoredPolicy {
		p, err := s.iam.StorePolicy(defaultKeyPolicy(ownerAccount))
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
	k := filltest.Filled[key](f)
	filltest.Whole(t, k)
	s.keys[k.arn] = k
	f.Fill(&s.aliases)
	f.Fill(&s.grants)
	data, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := newTestKMS(t)
	if err := again.Restore(data); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty(),
		cmp.Comparer(func(x, y *iam.StoredPolicy) bool { return reflect.DeepEqual(iam.SavePolicy(x), iam.SavePolicy(y)) })}
	for _, c := range []struct {
		name     string
		was, got any
	}{{"keys", s.keys, again.keys}, {"aliases", s.aliases, again.aliases}, {"grants", s.grants, again.grants}} {
		if d := cmp.Diff(c.was, c.got, same); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
}
