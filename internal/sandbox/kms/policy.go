package kms

import (
	"errors"
	"fmt"
	"maps"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const maxKeyPolicy = 32 << 10

func defaultKeyPolicy(account string) string {
	return fmt.Sprintf(
		`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":%q},`+
			`"Action":"kms:*","Resource":"*"}]}`,
		kernel.RootARN(account),
	)
}

// checkKeyPolicy stores a key policy. Unless bypass is set, it refuses a policy under which
// the caller could not change it again. ctx has the key's condition keys.
func (s *Service) checkKeyPolicy(cl *kernel.Request, text, arn string, ctx map[string][]string, bypass bool) (*iam.StoredPolicy, error) {

	if len(text) > maxKeyPolicy {
		return nil, kernel.JSONFail("LimitExceededException", "The key policy exceeds %d bytes.", maxKeyPolicy) // [unverified] wording
	}
	policy, err := s.iam.StorePolicy(text)
	if errors.Is(err, iam.ErrInvalidPrincipal) {
		return nil, kernel.JSONFail("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")
	}
	if err != nil {
		return nil, kernel.JSONFail("MalformedPolicyDocumentException", "%v", err)
	}
	for _, f := range iampolicy.LintText([]byte(text), iampolicy.KindKey) {
		if f.Severity == iampolicy.SeverityError {
			return nil, kernel.JSONFail("MalformedPolicyDocumentException", "%s", f.Message)
		}
	}
	if bypass {
		return policy, nil
	}
	context := cl.Conditions(cl.Region())
	maps.Copy(context, ctx)
	context["kms:CallerAccount"] = []string{cl.Caller.Account}
	context["kms:BypassPolicyLockoutSafetyCheck"] = []string{"false"}
	a := kernel.Access{
		Caller:   cl.Caller,
		Action:   "kms:PutKeyPolicy",
		Resource: arn,
		Owner:    cl.Caller.Account,
		Context:  context,
		Policy:   policy.Doc,
	}
	if _, res := s.k.Decide(a); res.Decision != iampolicy.Allowed {
		return nil, kernel.JSONFail(
			"MalformedPolicyDocumentException",
			"The new key policy will not allow you to update the key policy in the future.",
		)
	}
	return policy, nil
}

func noSuchPolicy() *kernel.Error {
	return kernel.JSONFail("NotFoundException", "No such policy exists")
}

func getKeyPolicy(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if in.PolicyName != "" && in.PolicyName != "default" {
		return nil, noSuchPolicy()
	}
	text, _ := s.iam.PolicyNow(k.policy)
	return map[string]string{"Policy": text, "PolicyName": "default"}, nil
}

func putKeyPolicy(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.Policy == "" {
		return nil, missing("policy")
	}
	if e := tooLong(in.Policy, "policy", 131072); e != nil {
		return nil, e
	}
	k, err := s.namedKey(
		cl,
		in,
		map[string][]string{"kms:BypassPolicyLockoutSafetyCheck": {kernel.BoolText(in.BypassPolicyLockoutSafetyCheck)}},
	)
	if err != nil {
		return nil, err
	}
	if in.PolicyName != "" && in.PolicyName != "default" {
		return nil, noSuchPolicy()
	}
	ctx := map[string][]string{}
	k.addContext(ctx)
	policy, err := s.checkKeyPolicy(cl, in.Policy, k.arn, ctx, in.BypassPolicyLockoutSafetyCheck)
	if err != nil {
		return nil, err
	}
	k.policy = policy
	return nil, nil
}

func listKeyPolicies(s *Service, cl *kernel.Request, in *input) (any, error) {
	if _, err := s.namedKey(cl, in, nil); err != nil {
		return nil, err
	}
	page, end, err := page(in, []string{"default"}, func(name string) string { return name }, 100, 1000)
	if err != nil {
		return nil, err
	}
	end["PolicyNames"] = page
	return end, nil
}
