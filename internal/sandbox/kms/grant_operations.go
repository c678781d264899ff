package kms

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The operations on grants.

var (
	grantNamePattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]{1,256}$`)
	grantOperations  = []string{
		"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "Sign", "Verify",
		"GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac",
		"VerifyMac", "DeriveSharedSecret",
	}
)

// maxGrants of one key.
const maxGrants = 50_000

func (in *input) checkGrant() error {
	if in.KeyID == "" {
		return missing("keyId")
	}
	if in.GranteePrincipal == "" {
		return missing("granteePrincipal")
	}
	if in.Operations == nil {
		return missing("operations")
	}
	for _, op := range in.Operations {
		if !slices.Contains(grantOperations, op) {
			return invalid(
				"Value '[%s]' at 'operations' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [%s]]",
				strings.Join(in.Operations, ", "),
				strings.Join(grantOperations, ", "),
			)
		}
	}
	if len(in.Operations) == 0 {
		return kernel.JSONFail("ValidationException", "At least one operation must be specified.") // [unverified] wording
	}
	if in.Name != "" && !grantNamePattern.MatchString(in.Name) {
		return invalid(
			"Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
			in.Name,
		)
	}
	return nil
}

// grantContext holds the condition keys of CreateGrant.
func (g *grant) context() map[string][]string {
	ctx := map[string][]string{
		"kms:GrantIsForAWSResource": {"false"}, // true only when an AWS service asks
		"kms:GranteePrincipal":      {g.Grantee.ARN},
		"kms:GrantOperations":       g.Operations,
	}
	if g.Retiring.ARN != "" {
		ctx["kms:RetiringPrincipal"] = []string{g.Retiring.ARN}
	}
	if c := g.Constraints; c != nil {
		// The context that the grant asks for stands in for one of the request [unverified].
		if c.EncryptionContextEquals != nil {
			ctx["kms:GrantConstraintType"] = []string{"EncryptionContextEquals"}
			addEncryptionContext(ctx, c.EncryptionContextEquals)
		}
		if c.EncryptionContextSubset != nil {
			ctx["kms:GrantConstraintType"] = append(ctx["kms:GrantConstraintType"], "EncryptionContextSubset")
			addEncryptionContext(ctx, c.EncryptionContextSubset)
		}
	}
	return ctx
}

func createGrant(s *Service, cl *kernel.Request, in *input) (any, error) {
	if err := in.checkGrant(); err != nil {
		return nil, err
	}

	g := &grant{
		ID:             kernel.NewHex(32),
		Name:           in.Name,
		IssuingAccount: cl.Caller.Account,
		Operations:     in.Operations,
		Constraints:    in.Constraints,
		Created:        cl.Now,
	}
	if g.Constraints != nil && g.Constraints.EncryptionContextEquals == nil && g.Constraints.EncryptionContextSubset == nil {
		g.Constraints = nil
	}
	g.Grantee.ARN, g.Retiring.ARN = in.GranteePrincipal, in.RetiringPrincipal
	k, err := s.useKey(cl, in, use{ref: in.KeyID, operation: "CreateGrant", context: g.context(), grant: g})
	if err != nil {
		return nil, err
	}
	if e := k.usable(); e != nil {
		return nil, e
	}
	for _, op := range g.Operations {
		if !k.grantable(op) {
			return nil, kernel.JSONFail(
				"ValidationException",
				"Grant operation %s is not valid for a key with key usage %s and key spec %s.",
				op,
				k.Usage,
				k.Spec,
			) // [unverified] wording
		}
	}
	if g.Constraints != nil && !specs[k.Spec].symmetric {
		return nil, kernel.JSONFail(
			"ValidationException",
			"Encryption context constraints are not valid for a key with key spec %s.",
			k.Spec,
		) // [unverified] wording
	}
	var e *kernel.Error
	if g.Grantee, e = s.grantPrincipal(in.GranteePrincipal); e != nil {
		return nil, e
	}
	if in.RetiringPrincipal != "" {
		if g.Retiring, e = s.grantPrincipal(in.RetiringPrincipal); e != nil {
			return nil, e
		}
	}
	if in.DryRun {
		return nil, dryRun()
	}
	g.KeyARN = k.arn
	count := 0
	for _, old := range s.grants {
		if old.KeyARN != k.arn {
			continue
		}
		if count++; g.Name != "" && old.sameAs(g) {
			g = old
			break
		}
	}
	if count >= maxGrants {
		return nil, kernel.JSONFail(
			"LimitExceededException",
			"The key has %d grants, which is the limit.",
			maxGrants,
		) // [unverified] wording
	}
	token := kernel.NewHex(64)
	g.Tokens = append(g.Tokens, token)
	s.grants[g.ID] = g
	return map[string]string{"GrantId": g.ID, "GrantToken": token}, nil
}

// sameAs reports whether two grants of one key are equal but for their ids: a second
// CreateGrant with the same name returns the first grant.
func (g *grant) sameAs(o *grant) bool {
	return g.Name == o.Name && g.Grantee == o.Grantee && g.Retiring == o.Retiring &&
		slices.Equal(
			slices.Sorted(slices.Values(g.Operations)),
			slices.Sorted(slices.Values(o.Operations)),
		) && reflect.DeepEqual(g.Constraints, o.Constraints)
}

// grantable reports whether the key can do an operation of a grant.
func (k *key) grantable(operation string) bool {
	switch operation {
	case "CreateGrant", "RetireGrant", "DescribeKey":
		return true
	case "GetPublicKey":
		return specs[k.Spec].asymmetric()
	}
	return k.fits(operation) == nil
}

type grantEntry struct {
	KeyID             string `json:"KeyId"`
	GrantID           string `json:"GrantId"`
	Name              string `json:",omitempty"`
	CreationDate      float64
	GranteePrincipal  string
	RetiringPrincipal string `json:",omitempty"`
	IssuingAccount    string
	Operations        []string
	Constraints       *constraints `json:",omitempty"`
}

// grantPage lists the grants that pass a filter.
func (s *Service) grantPage(in *input, keep func(*grant) bool) (any, error) {
	var out []grantEntry
	for _, id := range slices.Sorted(maps.Keys(s.grants)) {
		g := s.grants[id]
		if !keep(g) {
			continue
		}
		entry := grantEntry{
			KeyID: g.KeyARN, GrantID: g.ID, Name: g.Name, CreationDate: epoch(g.Created), GranteePrincipal: s.principalNow(g.Grantee),
			IssuingAccount: kernel.RootARN(g.IssuingAccount), Operations: g.Operations, Constraints: g.Constraints,
		}
		if g.Retiring.ARN != "" {
			entry.RetiringPrincipal = s.principalNow(g.Retiring)
		}
		out = append(out, entry)
	}
	page, end, err := page(in, out, func(e grantEntry) string { return e.GrantID }, 50, 100)
	if err != nil {
		return nil, err
	}
	end["Grants"] = page
	return end, nil
}

func listGrants(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, map[string][]string{"kms:GrantIsForAWSResource": {"false"}})
	if err != nil {
		return nil, err
	}

	if in.GrantID != "" {
		if g := s.grants[in.GrantID]; g == nil || g.KeyARN != k.arn {
			return nil, grantNotFound(in.GrantID)
		}
	}
	return s.grantPage(in, func(g *grant) bool {
		return g.KeyARN == k.arn && (in.GrantID == "" || g.ID == in.GrantID) &&
			(in.GranteePrincipal == "" || s.principalNow(g.Grantee) == in.GranteePrincipal)
	})
}

func listRetirableGrants(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.RetiringPrincipal == "" {
		return nil, missing("retiringPrincipal")
	}
	if err := s.allow(cl, "kms:ListRetirableGrants", "*", nil); err != nil {
		return nil, err
	}
	p, e := s.grantPrincipal(in.RetiringPrincipal)
	if e != nil {
		return nil, e
	}
	// "You must specify a principal in your AWS account."
	if parts := strings.Split(s.principalNow(p), ":"); len(parts) < 6 || parts[4] != cl.Caller.Account {
		return nil, kernel.JSONFail(
			"InvalidArnException",
			"ARN does not refer to a valid principal: %s",
			in.RetiringPrincipal,
		) // [unverified]
	}
	return s.grantPage(in, func(g *grant) bool {
		return g.Retiring.ARN != "" && s.principalNow(g.Retiring) == s.principalNow(p) && s.keys[g.KeyARN].region == cl.Region()
	})
}

func grantNotFound(id string) *kernel.Error {
	return kernel.JSONFail("NotFoundException", "Grant ID %s not found", id) // [unverified] wording
}

func revokeGrant(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.GrantID == "" {
		return nil, missing("grantId")
	}
	k, err := s.namedKey(cl, in, map[string][]string{"kms:GrantIsForAWSResource": {"false"}})
	if err != nil {
		return nil, err
	}
	g := s.grants[in.GrantID]
	if g == nil || g.KeyARN != k.arn {
		return nil, grantNotFound(in.GrantID)
	}
	if in.DryRun {
		return nil, dryRun()
	}
	delete(s.grants, g.ID)
	return nil, nil
}

// retireGrant ends a grant. The grant lets its retiring principal do so, and its grantee
// when RetireGrant is among the operations. Policies may let others of the key's account.
func retireGrant(s *Service, cl *kernel.Request, in *input) (any, error) {

	var g *grant
	switch {
	case in.GrantToken != "" && (in.GrantID != "" || in.KeyID != ""):
		return nil, kernel.JSONFail(
			"ValidationException",
			"Please specify either the grant token or the grant ID with the key ID.",
		) // [unverified] wording
	case in.GrantToken != "":
		if g = s.grantOfToken(in.GrantToken); g == nil {
			return nil, invalidGrantToken()
		}
	case in.GrantID == "" || in.KeyID == "":
		return nil, kernel.JSONFail(
			"ValidationException",
			"Please specify either the grant token or the grant ID with the key ID.",
		) // [unverified] wording
	default:
		if !strings.HasPrefix(in.KeyID, "arn:") {
			return nil, kernel.JSONFail(
				"InvalidArnException",
				"Invalid arn %s",
				in.KeyID,
			) // RetireGrant takes key ARNs only; [unverified] wording
		}
		if g = s.grants[in.GrantID]; g == nil || g.KeyARN != in.KeyID {
			g = nil
		}
	}
	ref := in.KeyID
	if ref == "" {
		ref = g.KeyARN
	}
	if _, err := s.useKey(cl, in, use{ref: ref, operation: "RetireGrant", grant: g}); err != nil {
		return nil, err
	}
	if g == nil {
		return nil, grantNotFound(in.GrantID)
	}
	if in.DryRun {
		return nil, dryRun()
	}
	delete(s.grants, g.ID)
	return nil, nil
}
