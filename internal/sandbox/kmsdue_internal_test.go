package sandbox

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/brokerd/brokerd/internal/sandbox/filltest"
)

func newTestKMS(t *testing.T) *kmsService {
	t.Helper()
	k := newKernel(kernelOptions{Accounts: []string{"111122223333", testAccountB}, Region: testRegion})
	iam, err := newIAM(k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return newKMS(k, iam)
}

func dueKey(t *testing.T) (*kmsService, *kmsKey, time.Time) {
	t.Helper()
	s := newTestKMS(t)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	policy, err := s.iam.storePolicy(defaultKeyPolicy(testAccountB))
	if err != nil {
		t.Fatal(err)
	}
	k := s.newKMSKey(testRegion, testAccountB, policy, now, kmsKeyFacts{
		Spec: symmetricDefault, Usage: usageEncrypt, Origin: originKMS, Materials: []kmsMaterial{newMaterial(kmsRandom(32), "", now)},
	})
	return s, k, now
}

func TestAKeyEndsOnItsDateWithAliasesAndGrants(t *testing.T) {
	s, k, now := dueKey(t)
	alias := aliasARN(testRegion, testAccountB, "alias/x")
	s.aliases[alias] = &kmsAlias{Target: k.arn}
	s.grants["g"] = &kmsGrant{ID: "g", KeyARN: k.arn}
	k.deletion = now.AddDate(0, 0, 7)
	s.settleKeys(k.deletion.Add(-time.Second))
	if s.keys[k.arn] == nil {
		t.Fatal("the key is gone a second before its date")
	}
	call := &call{k: s.k, now: k.deletion, caller: anonymousCaller()}
	if e := s.forward(call, "Decrypt", k.arn, testRegion, nil); e == nil || e.Code != "AccessDeniedException" || !strings.Contains(e.Message, "does not exist") {
		t.Errorf("on the date: %v", e)
	}
	if _, e := s.resolveKey(k.arn, testRegion, testAccountB); e == nil || e.Message != "Key '"+k.arn+"' does not exist" {
		t.Errorf("the key: %v", e)
	}
	if _, e := s.resolveKey("alias/x", testRegion, testAccountB); e == nil || e.Message != "Alias "+alias+" is not found." {
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
	k.Origin, k.Import = originExternal, &kmsImport{Model: materialExpires, ValidTo: now.Add(time.Hour)}
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

// Every field of a key, an alias and a grant is restored as it was.
func TestNothingOfKMSIsLostOnTheWayToDisk(t *testing.T) {
	s := newTestKMS(t)
	f := filltest.New(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	filltest.Use(f, func() *storedPolicy {
		p, err := s.iam.storePolicy(defaultKeyPolicy(testAccountB))
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
	k := filltest.Filled[kmsKey](f)
	filltest.Whole(t, k)
	s.keys[k.arn] = k
	f.Fill(&s.aliases)
	f.Fill(&s.grants)
	data, err := s.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := newTestKMS(t)
	if err := again.restore(data); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty(), cmp.Comparer(func(x, y *storedPolicy) bool { return reflect.DeepEqual(savePolicy(x), savePolicy(y)) })}
	for _, c := range []struct {
		name     string
		was, got any
	}{{"keys", s.keys, again.keys}, {"aliases", s.aliases, again.aliases}, {"grants", s.grants, again.grants}} {
		if d := cmp.Diff(c.was, c.got, same); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
}
