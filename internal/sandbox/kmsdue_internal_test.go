package sandbox

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func dueWorld(t *testing.T) (*world, *kmsKey, time.Time) {
	t.Helper()
	w, err := newWorld(Options{AccountA: DefaultAccountA, AccountB: DefaultAccountB, Region: DefaultRegion}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	policy, err := w.storePolicy(defaultKeyPolicy(DefaultAccountB))
	if err != nil {
		t.Fatal(err)
	}
	k := w.newKMSKey(DefaultRegion, DefaultAccountB, policy, now, kmsKeyFacts{
		Spec: symmetricDefault, Usage: usageEncrypt, Origin: originKMS, Materials: []kmsMaterial{newMaterial(kmsRandom(32), "", now)},
	})
	return w, k, now
}

func TestAKeyEndsOnItsDateWithAliasesAndGrants(t *testing.T) {
	w, k, now := dueWorld(t)
	alias := aliasARN(DefaultRegion, DefaultAccountB, "alias/x")
	w.kmsAliases[alias] = &kmsAlias{Target: k.arn}
	w.kmsGrants["g"] = &kmsGrant{ID: "g", KeyARN: k.arn}
	k.deletion = now.AddDate(0, 0, 7)
	if e := w.keyThere(k, k.deletion.Add(-time.Second)); e != nil {
		t.Fatalf("a second before: %v", e)
	}
	if e := w.keyThere(k, k.deletion); e == nil || e.Code != "AccessDeniedException" {
		t.Errorf("on the date: %v", e)
	}
	if _, e := w.resolveKey(k.arn, DefaultRegion, DefaultAccountB); e == nil || e.Message != "Key '"+k.arn+"' does not exist" {
		t.Errorf("the key: %v", e)
	}
	if _, e := w.resolveKey("alias/x", DefaultRegion, DefaultAccountB); e == nil || e.Message != "Alias "+alias+" is not found." {
		t.Errorf("its alias: %v", e)
	}
	if len(w.kmsGrants) != 0 {
		t.Errorf("its grants: %v", w.kmsGrants)
	}
}

func TestRotationComesDueAndOldCiphertextsOpen(t *testing.T) {
	w, k, now := dueWorld(t)
	k.RotationPeriod, k.NextRotation = 90, now.AddDate(0, 0, 90)
	old, err := k.seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	first := k.current().ID
	w.settleKeys(now.AddDate(0, 0, 89))
	if len(k.Materials) != 1 {
		t.Errorf("%d generations a day early", len(k.Materials))
	}
	k.disabled = true
	w.settleKeys(now.AddDate(0, 0, 181))
	if len(k.Materials) != 1 {
		t.Errorf("%d generations of a disabled key", len(k.Materials))
	}
	k.disabled = false
	w.settleKeys(now.AddDate(0, 0, 181))
	if len(k.Materials) != 3 || k.current().ID == first || !k.NextRotation.Equal(now.AddDate(0, 0, 270)) {
		t.Errorf("%d generations after two periods, next %v", len(k.Materials), k.NextRotation)
	}
	plain, material, err := k.unseal(old, nil)
	if err != nil || string(plain) != "x" || material != first {
		t.Errorf("the old ciphertext: %q, %v", plain, err)
	}
}

func TestImportedMaterialExpires(t *testing.T) {
	w, k, now := dueWorld(t)
	k.Origin, k.Import = originExternal, &kmsImport{Model: materialExpires, ValidTo: now.Add(time.Hour)}
	w.settleKeys(now.Add(time.Hour - time.Second))
	if k.state() != "Enabled" {
		t.Errorf("before: %s", k.state())
	}
	w.settleKeys(now.Add(time.Hour))
	if k.state() != "PendingImport" {
		t.Errorf("after: %s", k.state())
	}
}

func TestKMSStateSurvivesJSON(t *testing.T) {
	_, k, now := dueWorld(t)
	k.Import = &kmsImport{Token: []byte("t"), Model: materialStays}
	grant := &kmsGrant{ID: "g", KeyARN: k.arn, Grantee: kmsPrincipal{"a", "b"}, Operations: []string{"Decrypt"}, Created: now, Constraints: &kmsConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}}
	for _, tt := range []struct{ in, out any }{
		{&k.kmsKeyFacts, &kmsKeyFacts{}}, {grant, &kmsGrant{}}, {&kmsAlias{Target: k.arn, Created: now}, &kmsAlias{}},
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
