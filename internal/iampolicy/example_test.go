package iampolicy_test

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/fixproof"
)

// exampleUpload is a put into account B's bucket by a role that the bucket policy
// does not name.
func exampleUpload() (iampolicy.Scenario, error) {
	identity, err := iampolicy.Parse(
		[]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"}}`),
	)
	if err != nil {
		return iampolicy.Scenario{}, err
	}
	return iampolicy.Scenario{
		Request: iampolicy.Request{
			Principal: "arn:aws:sts::111122223333:assumed-role/app/s1", Action: "s3:PutObject",
			Resource: "arn:aws:s3:::logs/a.gz", ResourceAccount: "444455556666",
		},
		Policies: iampolicy.PolicySet{Identity: []iampolicy.NamedPolicy{{Name: "inline", Policy: identity}}},
	}, nil
}

func ExampleEvaluate() {
	sc, err := exampleUpload()
	if err != nil {
		fmt.Println(err)
		return
	}
	r := iampolicy.Evaluate(sc)
	fmt.Println(r.Decision, r.BlockedBy)
	// Output: implicit_deny [resource]
}

// A fix is proven by package fixproof before it is shown to anybody.
func Example_fixes() {
	sc, err := exampleUpload()
	if err != nil {
		fmt.Println(err)
		return
	}
	r := fixproof.Propose(sc, iampolicy.Evaluate(sc))
	for _, f := range r.Fixes {
		fmt.Printf("%s, account %s:\n%s\n", f.Kind, f.Account, f.Statement)
	}
	// Output: add_statement, account 444455556666:
	// {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/a.gz"}
}

func ExampleLintText() {
	for _, f := range iampolicy.LintText(
		[]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"GetObject","Resource":"*"}}`), iampolicy.KindIdentity,
	) {
		fmt.Println(f.Code, f.Severity, f.Message)
	}
	// Output: POL023 error "GetObject" is no action: want service:Action
}
