package sandbox

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Aliases, and the listings of an account.

var aliasPattern = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)

func createAlias(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	w := s.world
	if !aliasPattern.MatchString(in.AliasName) || strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, kmsFail("InvalidAliasNameException", "Alias must start with the prefix \"alias/\" and must not start with \"alias/aws/\".")
	}
	arn := aliasARN(s.region(cl), cl.caller.account, in.AliasName)
	if e := s.aliasAllowed(cl, arn); e != nil {
		return nil, e
	}
	in.KeyID = in.TargetKeyID
	k, err := s.kmsCall(cl, in, false)
	if err != nil {
		return nil, err
	}
	if _, ok := w.kmsAliases[arn]; ok {
		return nil, kmsFail("AlreadyExistsException", "An alias with the name %s already exists", arn)
	}
	w.kmsAliases[arn] = k.arn
	return nil, nil
}

// aliasAllowed is the half of an alias call that the identity policy decides.
func (s *Sandbox) aliasAllowed(cl *call, arn string) error {
	e := s.world.authorize(cl, access{caller: cl.caller, action: "kms:" + cl.record.Operation, resource: arn, owner: cl.caller.account, context: cl.requestContext(s.region(cl))})
	if e != nil {
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
		return e
	}
	return nil
}

func deleteAlias(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	arn := aliasARN(s.region(cl), cl.caller.account, in.AliasName)
	if e := s.aliasAllowed(cl, arn); e != nil {
		return nil, e
	}
	if _, ok := s.world.kmsAliases[arn]; !ok {
		return nil, kmsFail("NotFoundException", "Alias %s is not found.", arn)
	}
	in.KeyID = in.AliasName
	if _, err := s.kmsCall(cl, in, false); err != nil {
		return nil, err
	}
	delete(s.world.kmsAliases, arn)
	return nil, nil
}

type aliasEntry struct {
	AliasArn, AliasName string
	TargetKeyID         string `json:"TargetKeyId"`
}

func listAliases(s *Sandbox, cl *call, in *kmsInput) (any, error) {
	if e := s.aliasAllowed(cl, "*"); e != nil {
		return nil, e
	}
	w := s.world
	prefix := aliasARN(s.region(cl), cl.caller.account, "alias/")
	only := ""
	if in.KeyID != "" {
		k, e := w.resolveKey(in.KeyID, s.region(cl), cl.caller.account)
		if e != nil {
			return nil, e
		}
		only = k.arn
	}
	out := []aliasEntry{}
	for _, arn := range slices.Sorted(maps.Keys(w.kmsAliases)) {
		target := w.kmsAliases[arn]
		if strings.HasPrefix(arn, prefix) && (only == "" || only == target) {
			out = append(out, aliasEntry{arn, "alias/" + strings.TrimPrefix(arn, prefix), target[strings.LastIndex(target, "/")+1:]})
		}
	}
	return map[string]any{"Aliases": out, "Truncated": false}, nil
}

func listKeys(s *Sandbox, cl *call, _ *kmsInput) (any, error) {
	if e := s.aliasAllowed(cl, "*"); e != nil {
		return nil, e
	}
	type entry struct {
		KeyID  string `json:"KeyId"`
		KeyArn string
	}
	out := []entry{}
	for _, arn := range slices.Sorted(maps.Keys(s.world.kmsKeys)) {
		if k := s.world.kmsKeys[arn]; k.account == cl.caller.account && k.region == s.region(cl) {
			out = append(out, entry{k.id, k.arn})
		}
	}
	return map[string]any{"Keys": out, "Truncated": false}, nil
}
