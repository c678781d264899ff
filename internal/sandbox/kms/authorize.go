package kms

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// request is one use of a key, by a caller or by S3 on a caller's behalf.
type request struct {
	operation  string
	key        *key
	encryption map[string]string   // encryption context
	via        string              // "s3.REGION.amazonaws.com" for forward access
	ref        string              // how the caller named the key
	extra      map[string][]string // condition keys of this operation
	grant      *grant              // the new grant of CreateGrant, the old one of RetireGrant
}

const opaqueTail = "because the resource does not exist in this Region, no resource-based policies allow access, " +
	"or a resource-based policy explicitly denies access"

// authorize decides a KMS request: by the key policy and the caller's policies,
// then by grants. The caller holds mu.
func (s *Service) authorize(cl *kernel.Request, q request) *kernel.Error {
	text, policy := s.iam.PolicyNow(q.key.policy)
	a := kernel.Access{
		Caller: cl.Caller, Action: "kms:" + q.operation, Resource: q.key.arn, Owner: q.key.account,
		Context: s.conditions(cl, q), Policy: policy,
	}
	sc, res := s.k.Decide(a)
	if res.Decision == iampolicy.ImplicitDeny {
		if granted := s.policyWithGrant(text, cl.Caller, q); granted != nil {
			a.Policy = granted
			sc, res = s.k.Decide(a)
		}
	}
	var e *kernel.Error
	if res.Decision != iampolicy.Allowed {
		e = kernel.JSONFail("AccessDeniedException", "%s", iampolicy.AccessDeniedText(sc, res))
		e.Denied = true
	}
	if q.via == "" {
		cl.Decided(a, res)
		return e
	}
	sub := kernel.Call{
		Time: cl.Now, Service: "kms", Operation: q.operation, Principal: cl.Caller.ARN, Account: cl.Caller.Account, AccessKey: cl.Caller.Key,
		Resource: q.key.arn, Via: "s3.amazonaws.com", Decision: "allowed", RequestID: kernel.NewUUID(),
		Owner: q.key.account, Region: q.key.region, EncryptionContext: q.encryption,
	}
	if e != nil {
		sub.Decision, sub.ErrorCode, sub.Message = "denied", e.Code, e.Message
	} else if bad := q.key.ready(q.operation); bad != nil {
		sub.ErrorCode, sub.Message = bad.Code, bad.Message
	}
	cl.Forward = append(cl.Forward, sub)
	return e
}

// conditions holds the condition keys of a request about a key.
func (s *Service) conditions(cl *kernel.Request, q request) map[string][]string {
	var ctx map[string][]string
	if q.via == "" {
		ctx = cl.Conditions(q.key.region)
	} else {
		// Forward access comes from AWS's own network: no source address, no
		// user agent of the client's.
		ctx = map[string][]string{
			"aws:CurrentTime":     {cl.Now.UTC().Format(time.RFC3339)},
			"aws:EpochTime":       {kernel.FormatUnix(cl.Now)},
			"aws:SecureTransport": {"true"},
			"aws:ViaAWSService":   {"true"},
			"aws:RequestedRegion": {q.key.region},
			"kms:ViaService":      {q.via},
		}
	}
	ctx["kms:CallerAccount"] = []string{cl.Caller.Account}
	q.key.addContext(ctx)
	if takesContext(q.operation) {
		ctx["kms:EncryptionAlgorithm"] = []string{symmetricDefault}
		addEncryptionContext(ctx, q.encryption)
	}
	if name := aliasName(q.ref); name != "" {
		ctx["kms:RequestAlias"] = []string{name}
	}
	var aliases []string
	for alias, a := range s.aliases {
		if a.Target == q.key.arn {
			aliases = append(aliases, aliasName(alias))
		}
	}
	if aliases != nil {
		slices.Sort(aliases)
		ctx["kms:ResourceAliases"] = aliases
	}
	maps.Copy(ctx, q.extra)
	return ctx
}

// addContext adds the condition keys that come with the key.
func (k *key) addContext(ctx map[string][]string) {
	ctx["kms:KeySpec"] = []string{k.Spec}
	ctx["kms:KeyUsage"] = []string{k.Usage}
	ctx["kms:KeyOrigin"] = []string{k.Origin}
	ctx["kms:MultiRegion"] = []string{kernel.BoolText(k.MultiRegion)}
	if k.MultiRegion {
		ctx["kms:MultiRegionKeyType"] = []string{"PRIMARY"}
		ctx["kms:PrimaryRegion"] = []string{k.region}
	}
	for _, t := range k.tags {
		ctx["aws:ResourceTag/"+t.Key] = []string{t.Value}
	}
}

func addEncryptionContext(ctx map[string][]string, encryption map[string]string) {
	for name, value := range encryption {
		ctx["kms:EncryptionContext:"+name] = []string{value}
	}
	if len(encryption) > 0 {
		ctx["kms:EncryptionContextKeys"] = slices.Sorted(maps.Keys(encryption))
	}
}

// aliasName is the "alias/…" of an alias name or alias ARN, "" for other references.
func aliasName(ref string) string {
	if strings.HasPrefix(ref, "alias/") {
		return ref
	}
	if i := strings.Index(ref, ":alias/"); i >= 0 && strings.HasPrefix(ref, "arn:") {
		return ref[i+1:]
	}
	return ""
}
