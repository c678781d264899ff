package kms

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Aliases, and the listing of an account's keys.

// keyAlias is an alias.
type keyAlias struct {
	Target           string // key ARN
	Created, Updated time.Time
}

var aliasPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

func checkAliasName(name string) *kernel.Error {
	switch {
	case name == "":
		return missing("aliasName")
	case len(name) > 256:
		return tooLong(name, "aliasName", 256)
	case !aliasPattern.MatchString(name):
		return invalid(
			"Value '%s' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
			name,
		)
	case !strings.HasPrefix(name, "alias/") || name == "alias/":
		return kernel.JSONFail(
			"ValidationException",
			"Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
		)
	case strings.Contains(name, ":"):
		return kernel.JSONFail("ValidationException", "%s contains invalid characters for an alias", name)
	}
	return nil
}

// aliasTarget finds the key that an alias is to stand for.
func (s *Service) aliasTarget(cl *kernel.Request, in *input) (*key, error) {
	if in.TargetKeyID == "" {
		return nil, missing("targetKeyId")
	}
	if aliasName(in.TargetKeyID) != "" {
		return nil, kernel.JSONFail("ValidationException", "Aliases must refer to keys. Not aliases")
	}
	k, err := s.useKey(cl, in, use{ref: in.TargetKeyID, operation: cl.Record.Operation})
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	return k, nil
}

func reservedAlias() *kernel.Error { return kernel.JSONFail("NotAuthorizedException", "") }

func createAlias(s *Service, cl *kernel.Request, in *input) (any, error) {

	if e := checkAliasName(in.AliasName); e != nil {
		return nil, e
	}
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, reservedAlias()
	}
	arn := aliasARN(cl.Region(), cl.Caller.Account, in.AliasName)
	if err := s.allow(cl, "kms:CreateAlias", arn, nil); err != nil {
		return nil, err
	}
	k, err := s.aliasTarget(cl, in)
	if err != nil {
		return nil, err
	}
	if _, ok := s.aliases[arn]; ok {
		return nil, kernel.JSONFail("AlreadyExistsException", "An alias with the name %s already exists", arn)
	}
	s.aliases[arn] = &keyAlias{Target: k.arn, Created: cl.Now, Updated: cl.Now}
	return nil, nil
}

// updateAlias points an alias at another key. Permission is needed on the
// alias and on both keys.
func updateAlias(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := checkAliasName(in.AliasName); e != nil {
		return nil, e
	}
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, reservedAlias()
	}
	arn := aliasARN(cl.Region(), cl.Caller.Account, in.AliasName)
	if err := s.allow(cl, "kms:UpdateAlias", arn, nil); err != nil {
		return nil, err
	}
	alias, ok := s.aliases[arn]
	if !ok {
		return nil, kernel.JSONFail("NotFoundException", "Alias %s is not found.", arn)
	}
	old, err := s.useKey(cl, in, use{ref: alias.Target, operation: "UpdateAlias"})
	if err != nil {
		return nil, err
	}
	k, err := s.aliasTarget(cl, in)
	if err != nil {
		return nil, err
	}
	if specs[old.Spec].asymmetric() != specs[k.Spec].asymmetric() || old.Usage != k.Usage {
		return nil, kernel.JSONFail(
			"ValidationException",
			"The current and the new key of alias %s must have the same type and the same key usage.",
			arn,
		) // [unverified] wording
	}
	alias.Target, alias.Updated = k.arn, cl.Now
	return nil, nil
}

func deleteAlias(s *Service, cl *kernel.Request, in *input) (any, error) {
	if e := checkAliasName(in.AliasName); e != nil {
		return nil, e
	}
	if strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, reservedAlias()
	}
	arn := aliasARN(cl.Region(), cl.Caller.Account, in.AliasName)
	if err := s.allow(cl, "kms:DeleteAlias", arn, nil); err != nil {
		return nil, err
	}
	alias, ok := s.aliases[arn]
	if !ok {
		return nil, kernel.JSONFail("NotFoundException", "Alias %s is not found.", arn)
	}
	if _, err := s.useKey(cl, in, use{ref: alias.Target, operation: "DeleteAlias"}); err != nil {
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

func listAliases(s *Service, cl *kernel.Request, in *input) (any, error) {
	if err := s.allow(cl, "kms:ListAliases", "*", nil); err != nil {
		return nil, err
	}

	prefix := aliasARN(cl.Region(), cl.Caller.Account, "alias/")
	only := ""
	if in.KeyID != "" {
		if e := aliasTaken(in.KeyID, "ListAliases"); e != nil {
			return nil, e
		}
		k, e := s.resolveKey(in.KeyID, cl.Region(), cl.Caller.Account)
		if e != nil {
			return nil, e
		}
		only = k.arn
	}
	var out []aliasEntry
	for _, arn := range slices.Sorted(maps.Keys(s.aliases)) {
		a := s.aliases[arn]
		if strings.HasPrefix(arn, prefix) && (only == "" || only == a.Target) {
			out = append(
				out,
				aliasEntry{arn, aliasName(arn), a.Target[strings.LastIndex(a.Target, "/")+1:], epoch(a.Created), epoch(a.Updated)},
			)
		}
	}
	page, end, err := page(in, out, func(e aliasEntry) string { return e.AliasArn }, 50, 100)
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

func listKeys(s *Service, cl *kernel.Request, in *input) (any, error) {
	if err := s.allow(cl, "kms:ListKeys", "*", nil); err != nil {
		return nil, err
	}
	var out []keyEntry
	for _, arn := range slices.Sorted(maps.Keys(s.keys)) {
		if k := s.keys[arn]; k.account == cl.Caller.Account && k.region == cl.Region() {
			out = append(out, keyEntry{k.id, k.arn})
		}
	}
	page, end, err := page(in, out, func(e keyEntry) string { return e.KeyArn }, 100, 1000)
	if err != nil {
		return nil, err
	}
	end["Keys"] = page
	return end, nil
}
