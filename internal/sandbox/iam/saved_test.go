package iam

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/filltest"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	testAccountA = "111122223333"
	testAccountB = "444455556666"
	testRegion   = "eu-west-1"
)

func newTestIAM(t *testing.T) *Service {
	t.Helper()
	s, err := New(kernel.New(kernel.Options{Accounts: []string{testAccountA, testAccountB}, Region: testRegion}), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every field of an account, a user, a role and an access key is restored as it was.
func TestNothingOfIAMIsLostOnTheWayToDisk(t *testing.T) {
	s := newTestIAM(t)
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	acct := s.accounts[testAccountA]
	named := &Role{entity: entity{"arn:aws:iam::" + testAccountA + ":role/named", kernel.NewID("AROA", 17)}, name: "named",
		Account: testAccountA, inline: namedDocuments{}}
	acct.roles[named.name], s.ids[named.ID] = named, named.entity
	s.generation++

	f := filltest.New(t, doc, &PolicyText{text, doc}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	filltest.Use(f, func() policyVersion {
		return policyVersion{ID: f.Text(), Text: text, Created: time.Unix(1, 0).UTC(), doc: doc}
	})
	filltest.Use(f, func() *StoredPolicy {
		p, err := s.StorePolicy(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` +
			named.arn + `"},"Action":"s3:GetObject","Resource":"*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.named) != 1 {
			t.Fatalf("the policy names %v", p.named)
		}
		return p
	})
	r := filltest.Filled[Role](f)
	r.Account = testAccountA
	acct.roles[r.name], s.ids[r.ID] = r, r.entity
	named.Trust = r.Trust
	u := filltest.Filled[user](f)
	u.account = testAccountA
	acct.users[u.name], s.ids[u.ID] = u, u.entity
	acct.alias = f.Text()
	for _, m := range []any{&acct.groups, &acct.policies, &acct.profiles, &acct.providers} {
		f.Fill(m)
	}
	for _, g := range acct.groups {
		acct.groups = map[string]*group{g.Name: g}
	}
	filltest.Use(f, func() *Role { return r })
	filltest.Use(f, func() *user { return u })
	k := filltest.Filled[AccessKey](f)
	k.Account = testAccountA
	s.Keys[k.ID] = k
	filltest.Whole(t, acct)

	data, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := newTestIAM(t)
	if err := again.Restore(data, nil); err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{
		cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(StoredPolicy{}, "generation"),
		cmp.Comparer(func(x, y *iampolicy.Document) bool { return (x == nil) == (y == nil) }), // read from the text
	}
	for _, c := range []struct {
		name     string
		was, got any
	}{
		{"account", acct, again.accounts[testAccountA]}, {"access key", k, again.Keys[k.ID]},
		{"root keys", s.rootKeys, again.rootKeys}, {"ids", s.ids, again.ids},
	} {
		if d := cmp.Diff(c.was, c.got, same); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
}
