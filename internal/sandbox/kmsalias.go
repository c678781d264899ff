package sandbox

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Aliases, and the listing of an account's keys.

// kmsAlias is what an alias ARN stands for.
type kmsAlias struct {
	Target           string // key ARN
	Created, Updated time.Time
}

var aliasPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

func checkAliasName(name string) *apiError {
	switch {
	case name == "":
		return kmsMissing("aliasName")
	case len(name) > 256:
		return kmsLong(name, "aliasName", 256)
	case !aliasPattern.MatchString(name):
		return kmsInvalid("Value '%s' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$", name)
	case !strings.HasPrefix(name, "alias/") || name == "alias/":
		return jsonFail("ValidationException", "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case strings.Contains(name, ":"):
		return jsonFail("ValidationException", "%s contains invalid characters for an alias", name)
	}
	return nil
}

// aliasTarget finds the key that an alias is to stand for.
func (s *kmsService) aliasTarget(cl *call, in *kmsInput) (*kmsKey, error) {
	if in.TargetKeyID == "" {
		return nil, kmsMissing("targetKeyId")
	}
	if aliasName(in.TargetKeyID) != "" {
		return nil, jsonFail("ValidationException", "Aliases must refer to keys. Not aliases")
	}
	k, err := s.kmsUseKey(cl, in, kmsUse{ref: in.TargetKeyID, operation: cl.record.Operation})
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	return k, nil
}

func reservedAlias() *apiError { return jsonFail("NotAuthorizedException", "") }

func createAlias(s *kmsService, cl *call, in *kmsInput) (any, error) {

	if e := checkAliasName(in.AliasName); e != nil {
		return nil, e
	}
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, reservedAlias()
	}
	arn := aliasARN(cl.region(), cl.caller.account, in.AliasName)
	if err := s.kmsAllow(cl, "kms:CreateAlias", arn, nil); err != nil {
		return nil, err
	}
	k, err := s.aliasTarget(cl, in)
	if err != nil {
		return nil, err
	}
	if _, ok := s.aliases[arn]; ok {
		return nil, jsonFail("AlreadyExistsException", "An alias with the name %s already exists", arn)
	}
	s.aliases[arn] = &kmsAlias{Target: k.arn, Created: cl.now, Updated: cl.now}
	return nil, nil
}

// updateAlias points an alias at another key. Permission is needed on the
// alias and on both keys.
func updateAlias(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if e := checkAliasName(in.AliasName); e != nil {
		return nil, e
	}
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, reservedAlias()
	}
	arn := aliasARN(cl.region(), cl.caller.account, in.AliasName)
	if err := s.kmsAllow(cl, "kms:UpdateAlias", arn, nil); err != nil {
		return nil, err
	}
	alias, ok := s.aliases[arn]
	if !ok {
		return nil, jsonFail("NotFoundException", "Alias %s is not found.", arn)
	}
	old, err := s.kmsUseKey(cl, in, kmsUse{ref: alias.Target, operation: "UpdateAlias"})
	if err != nil {
		return nil, err
	}
	k, err := s.aliasTarget(cl, in)
	if err != nil {
		return nil, err
	}
	if kmsSpecs[old.Spec].asymmetric() != kmsSpecs[k.Spec].asymmetric() || old.Usage != k.Usage {
		return nil, jsonFail("ValidationException", "The current and the new key of alias %s must have the same type and the same key usage.", arn) // [unverified] wording
	}
	alias.Target, alias.Updated = k.arn, cl.now
	return nil, nil
}

func deleteAlias(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if e := checkAliasName(in.AliasName); e != nil {
		return nil, e
	}
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, reservedAlias()
	}
	arn := aliasARN(cl.region(), cl.caller.account, in.AliasName)
	if err := s.kmsAllow(cl, "kms:DeleteAlias", arn, nil); err != nil {
		return nil, err
	}
	alias, ok := s.aliases[arn]
	if !ok {
		return nil, jsonFail("NotFoundException", "Alias %s is not found.", arn)
	}
	if _, err := s.kmsUseKey(cl, in, kmsUse{ref: alias.Target, operation: "DeleteAlias"}); err != nil {
		return nil, err
	}
	delete(s.aliases, arn)
	return nil, nil
}

type aliasEntry struct {
	AliasArn, AliasName           string
	TargetKeyID                   string `json:"TargetKeyId"`
	CreationDate, LastUpdatedDate float64
}

func listAliases(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if err := s.kmsAllow(cl, "kms:ListAliases", "*", nil); err != nil {
		return nil, err
	}

	prefix := aliasARN(cl.region(), cl.caller.account, "alias/")
	only := ""
	if in.KeyID != "" {
		if e := aliasTaken(in.KeyID, "ListAliases"); e != nil {
			return nil, e
		}
		k, e := s.resolveKey(in.KeyID, cl.region(), cl.caller.account)
		if e != nil {
			return nil, e
		}
		only = k.arn
	}
	var out []aliasEntry
	for _, arn := range slices.Sorted(maps.Keys(s.aliases)) {
		a := s.aliases[arn]
		if strings.HasPrefix(arn, prefix) && (only == "" || only == a.Target) {
			out = append(out, aliasEntry{arn, aliasName(arn), a.Target[strings.LastIndex(a.Target, "/")+1:], kmsTime(a.Created), kmsTime(a.Updated)})
		}
	}
	page, end, err := kmsPage(in, out, func(e aliasEntry) string { return e.AliasArn }, 50, 100)
	if err != nil {
		return nil, err
	}
	end["Aliases"] = page
	return end, nil
}

type keyEntry struct {
	KeyID  string `json:"KeyId"`
	KeyArn string
}

func listKeys(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if err := s.kmsAllow(cl, "kms:ListKeys", "*", nil); err != nil {
		return nil, err
	}
	var out []keyEntry
	for _, arn := range slices.Sorted(maps.Keys(s.keys)) {
		if k := s.keys[arn]; k.account == cl.caller.account && k.region == cl.region() {
			out = append(out, keyEntry{k.id, k.arn})
		}
	}
	page, end, err := kmsPage(in, out, func(e keyEntry) string { return e.KeyArn }, 100, 1000)
	if err != nil {
		return nil, err
	}
	end["Keys"] = page
	return end, nil
}
