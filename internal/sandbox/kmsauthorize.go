package sandbox

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// kmsRequest is one use of a key, by a caller or by S3 on a caller's behalf.
type kmsRequest struct {
	operation  string
	key        *kmsKey
	encryption map[string]string   // encryption context
	via        string              // "s3.REGION.amazonaws.com" for forward access
	ref        string              // how the caller named the key
	extra      map[string][]string // condition keys of this operation
	grant      *kmsGrant           // CreateGrant: what is to be granted; RetireGrant: what ends
}

const opaqueTail = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"

// allowKMS decides a KMS request: by the key policy and the caller's policies,
// then by grants. The caller holds mu.
func (s *kmsService) allowKMS(cl *call, q kmsRequest) *apiError {
	text, policy := s.iam.policyNow(q.key.policy)
	a := access{
		caller: cl.caller, action: "kms:" + q.operation, resource: q.key.arn, owner: q.key.account,
		context: s.kmsContext(cl, q), policy: policy,
	}
	sc, res := s.k.decide(a)
	if res.Decision == iampolicy.ImplicitDeny {
		if granted := s.policyWithGrant(text, cl.caller, q); granted != nil {
			a.policy = granted
			sc, res = s.k.decide(a)
		}
	}
	var e *apiError
	if res.Decision != iampolicy.Allowed {
		e = jsonFail("AccessDeniedException", "%s", iampolicy.AccessDeniedText(sc, res))
		e.denied = true
	}
	if q.via == "" {
		cl.decided(a, res)
		return e
	}
	sub := Call{
		Time: cl.now, Service: "kms", Operation: q.operation, Principal: cl.caller.arn, Account: cl.caller.account, AccessKey: cl.caller.key,
		Resource: q.key.arn, Via: "s3.amazonaws.com", Decision: "allowed", RequestID: newUUID(),
		Owner: q.key.account, Region: q.key.region, EncryptionContext: q.encryption,
	}
	if e != nil {
		sub.Decision, sub.ErrorCode, sub.Message = "denied", e.Code, e.Message
	} else if bad := q.key.ready(q.operation); bad != nil {
		sub.ErrorCode, sub.Message = bad.Code, bad.Message
	}
	cl.forward = append(cl.forward, sub)
	return e
}

// kmsContext holds the condition keys of a request about a key.
func (s *kmsService) kmsContext(cl *call, q kmsRequest) map[string][]string {
	var ctx map[string][]string
	if q.via == "" {
		ctx = cl.requestContext(q.key.region)
	} else {
		// Forward access comes from AWS's own network: no source address, no
		// user agent of the client's.
		ctx = map[string][]string{
			"aws:CurrentTime":     {cl.now.UTC().Format(time.RFC3339)},
			"aws:EpochTime":       {formatUnix(cl.now)},
			"aws:SecureTransport": {"true"},
			"aws:ViaAWSService":   {"true"},
			"aws:RequestedRegion": {q.key.region},
			"kms:ViaService":      {q.via},
		}
	}
	ctx["kms:CallerAccount"] = []string{cl.caller.account}
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
func (k *kmsKey) addContext(ctx map[string][]string) {
	ctx["kms:KeySpec"] = []string{k.Spec}
	ctx["kms:KeyUsage"] = []string{k.Usage}
	ctx["kms:KeyOrigin"] = []string{k.Origin}
	ctx["kms:MultiRegion"] = []string{boolText(k.MultiRegion)}
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
