package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// filler gives every field of a value something that is not its zero value, so
// that a field that nobody saves is found.
type filler struct {
	t    *testing.T
	n    int
	made map[reflect.Type]func() any // for the types that need something real
}

func (f *filler) text() string {
	f.n++
	return fmt.Sprintf("text-%d", f.n)
}

func (f *filler) fill(v reflect.Value) {
	if make := f.made[v.Type()]; make != nil {
		v.Set(reflect.ValueOf(make()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		f.n++
		v.SetInt(int64(f.n))
	case reflect.Uint64, reflect.Uint8:
		f.n++
		v.SetUint(uint64(f.n % 250))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			f.fill(reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem())
		}
	default:
		f.t.Fatalf("no way to fill a %s", v.Type())
	}
}

func filled[T any](f *filler) *T {
	v := new(T)
	f.fill(reflect.ValueOf(v).Elem())
	return v
}

func fillerFor(t *testing.T, w *world) *filler {
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f := &filler{t: t}
	give := func(v any) (reflect.Type, func() any) { return reflect.TypeOf(v), func() any { return v } }
	f.made = map[reflect.Type]func() any{}
	for _, v := range []any{
		w, doc, &iampolicyText{text, doc}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), map[string]*object{}, map[string][]*object{}, map[string]*multipart{}, map[int]*uploadedPart{},
	} {
		typ, make := give(v)
		f.made[typ] = make
	}
	f.made[reflect.TypeFor[policyVersion]()] = func() any { return policyVersion{ID: f.text(), Text: text, Created: time.Unix(1, 0).UTC(), doc: doc} }
	f.made[reflect.TypeFor[*blob]()] = func() any {
		path := filepath.Join(w.blobs.dir, f.text())
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		return (&blob{size: 5, path: path, store: w.blobs}).retain()
	}
	f.made[reflect.TypeFor[*guardrails]()] = func() any {
		g, err := parseGuardrails(Guardrails{OrganizationID: "o-abcdefghij", ServiceControl: []string{fullAccess}, ResourceControl: []string{fullAccess}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	f.made[reflect.TypeFor[*storedPolicy]()] = func() any {
		p, err := w.storePolicy(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + DefaultAccountA + `:role/named"},"Action":"s3:GetObject","Resource":"*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.named) != 1 {
			t.Fatalf("the policy names %v", p.named)
		}
		return p
	}
	return f
}

// Every field of everything that is kept comes back as it was.
func TestNothingIsLostOnTheWayToDisk(t *testing.T) {
	opts := Options{AccountA: DefaultAccountA, AccountB: DefaultAccountB, Region: DefaultRegion}
	dir := t.TempDir()
	w, err := newWorld(opts, dir)
	if err != nil {
		t.Fatal(err)
	}
	f := fillerFor(t, w)
	acct := w.accounts[DefaultAccountA]
	named := &role{entity: entity{"arn:aws:iam::" + DefaultAccountA + ":role/named", newID("AROA", 17)}, name: "named", account: DefaultAccountA, inline: namedDocuments{}}
	acct.roles[named.name], w.ids[named.id] = named, named.entity
	w.generation++

	r := filled[role](f)
	r.account = DefaultAccountA
	acct.roles[r.name], w.ids[r.id] = r, r.entity
	named.trust = r.trust
	u := filled[user](f)
	u.account = DefaultAccountA
	acct.users[u.name], w.ids[u.id] = u, u.entity
	acct.alias = f.text()
	acct.guard = f.made[reflect.TypeFor[*guardrails]()]().(*guardrails)
	for _, m := range []any{&acct.groups, &acct.policies, &acct.profiles, &acct.providers, &acct.block, &acct.trails, &w.kmsAliases, &w.kmsGrants} {
		f.fill(reflect.ValueOf(m).Elem())
	}
	for _, g := range acct.groups {
		acct.groups = map[string]*group{g.Name: g}
	}
	f.made[reflect.TypeFor[*role]()] = func() any { return r }
	f.made[reflect.TypeFor[*user]()] = func() any { return u }
	f.made[reflect.TypeFor[*session]()] = func() any {
		delete(f.made, reflect.TypeFor[*session]())
		s := filled[session](f)
		return s
	}
	k := filled[accessKey](f)
	k.account = DefaultAccountA
	w.keys[k.id] = k
	key := filled[kmsKey](f)
	w.kmsKeys[key.arn] = key
	f.made[reflect.TypeFor[*kmsKey]()] = func() any { return key }
	b := filled[bucket](f)
	w.buckets[b.name] = b
	o, up, part := filled[object](f), filled[multipart](f), filled[uploadedPart](f)
	for _, v := range []any{acct, b} {
		wholly(t, reflect.ValueOf(v).Elem())
	}

	text, err := w.save(opts)
	if err != nil {
		t.Fatal(err)
	}
	var state savedState
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	again, err := newWorld(opts, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.restore(&state, nil); err != nil {
		t.Fatal(err)
	}
	again.blobs.restored = map[string]*blob{}

	same := cmp.Options{
		cmp.Exporter(func(reflect.Type) bool { return true }),
		cmpopts.EquateEmpty(),
		cmp.Comparer(func(*world, *world) bool { return true }),
		cmp.Comparer(func(x, y *iampolicy.Document) bool { return (x == nil) == (y == nil) }), // read from the text
		cmp.Comparer(func(x, y *blob) bool { return x.size == y.size && x.path == y.path }),
		cmpopts.IgnoreFields(storedPolicy{}, "generation"),
	}
	for _, c := range []struct {
		name     string
		was, got any
	}{
		{"account", acct, again.accounts[DefaultAccountA]}, {"access key", k, again.keys[k.id]}, {"KMS key", key, again.kmsKeys[key.arn]},
		{"aliases", w.kmsAliases, again.kmsAliases}, {"grants", w.kmsGrants, again.kmsGrants}, {"bucket", b, again.buckets[b.name]},
		{"root keys", w.rootKeys, again.rootKeys}, {"ids", w.ids, again.ids}, {"issuer's key", w.issuerKey.Equal(again.issuerKey), true},
		{"object", o, through(t, o.save("b"), again.restoreObject)}, {"part", part, through(t, part.save(), again.restorePart)},
	} {
		if d := cmp.Diff(c.was, c.got, same); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
	saved := up.save("b")
	kept := &multipart{
		id: up.id, key: saved.Object.Key, object: *through(t, saved.Object, again.restoreObject), explicit: saved.Explicit, initiated: saved.Initiated, parts: map[int]*uploadedPart{},
	}
	up.key = up.object.key // one of the two is kept
	if d := cmp.Diff(up, kept, same); d != "" {
		t.Errorf("upload:\n%s", d)
	}
}

// through sends a saved form by way of JSON.
func through[S, T any](t *testing.T, saved S, restore func(S) (T, error)) T {
	t.Helper()
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	var read S
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	v, err := restore(read)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wholly fails when a field was left out of the test.
func wholly(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test says nothing of %s.%s", v.Type(), v.Type().Field(i).Name)
		}
	}
}
