package sandbox

import (
	"errors"
	"fmt"
	"maps"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

const maxKeyPolicy = 32 << 10

func defaultKeyPolicy(account string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:*","Resource":"*"}]}`, rootARN(account))
}

// checkKeyPolicy stores a key policy. Unless told otherwise it refuses one
// under which the caller could not change it again. ctx holds what is known
// about the key.
func (s *kmsService) checkKeyPolicy(cl *call, text, arn string, ctx map[string][]string, bypass bool) (*storedPolicy, error) {

	if len(text) > maxKeyPolicy {
		return nil, jsonFail("LimitExceededException", "The key policy exceeds %d bytes.", maxKeyPolicy) // [unverified] wording
	}
	policy, err := s.iam.storePolicy(text)
	if errors.Is(err, errInvalidPrincipal) {
		return nil, jsonFail("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.")
	}
	if err != nil {
		return nil, jsonFail("MalformedPolicyDocumentException", "%v", err)
	}
	for _, f := range iampolicy.LintText([]byte(text), iampolicy.KindKey) {
		if f.Severity == iampolicy.SeverityError {
			return nil, jsonFail("MalformedPolicyDocumentException", "%s", f.Message)
		}
	}
	if bypass {
		return policy, nil
	}
	context := cl.requestContext(cl.region())
	maps.Copy(context, ctx)
	context["kms:CallerAccount"] = []string{cl.caller.account}
	context["kms:BypassPolicyLockoutSafetyCheck"] = []string{"false"}
	a := access{caller: cl.caller, action: "kms:PutKeyPolicy", resource: arn, owner: cl.caller.account, context: context, policy: policy.doc}
	if _, res := s.k.decide(a); res.Decision != iampolicy.Allowed {
		return nil, jsonFail("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return policy, nil
}

func noSuchPolicy() *apiError { return jsonFail("NotFoundException", "No such policy exists") }

func getKeyPolicy(s *kmsService, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, nil)
	if err != nil {
		return nil, err
	}
	if in.PolicyName != "" && in.PolicyName != "default" {
		return nil, noSuchPolicy()
	}
	text, _ := s.iam.policyNow(k.policy)
	return map[string]string{"Policy": text, "PolicyName": "default"}, nil
}

func putKeyPolicy(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if in.Policy == "" {
		return nil, kmsMissing("policy")
	}
	if e := kmsLong(in.Policy, "policy", 131072); e != nil {
		return nil, e
	}
	k, err := s.kmsCall(cl, in, map[string][]string{"kms:BypassPolicyLockoutSafetyCheck": {boolText(in.BypassPolicyLockoutSafetyCheck)}})
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

func listKeyPolicies(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if _, err := s.kmsCall(cl, in, nil); err != nil {
		return nil, err
	}
	page, end, err := kmsPage(in, []string{"default"}, func(name string) string { return name }, 100, 1000)
	if err != nil {
		return nil, err
	}
	end["PolicyNames"] = page
	return end, nil
}
