package iampolicy

import (
	"slices"
	"strings"
)

type keyState uint8

const (
	keyAbsent keyState = iota
	keyPresent
	keyUnknown
)

// requestContext looks condition keys up: first in the scenario, then among the
// keys that AWS derives from the request.
type requestContext struct {
	entries []contextEntry
	unknown []string
	req     *parsedRequest
	derived [derivedKeys][1]string
}

type contextEntry struct {
	key    string
	values []string
}

// sameKey compares condition keys without regard to case. That holds for the tag
// key after the slash as well (IAM User Guide, reference_policies_elements_condition.html:
// "Key names are not case-sensitive").
func sameKey(a, b string) bool { return strings.EqualFold(a, b) }

// lookupKey is the form in which a condition key is looked up.
func lookupKey(key string) string { return strings.ToLower(key) }

func (c *requestContext) load(req *Request) {
	c.entries = make([]contextEntry, 0, len(req.Context))
	for k, v := range req.Context {
		c.entries = append(c.entries, contextEntry{k, v})
	}
	// A map has no order; two spellings of one key must not make the answer random.
	if len(c.entries) > 1 {
		slices.SortFunc(c.entries, func(a, b contextEntry) int { return strings.Compare(a.key, b.key) })
	}
	c.unknown = req.UnknownContext
}

// lookup gives the values of a condition key. An empty list counts as absent.
func (c *requestContext) lookup(key string) ([]string, keyState) {
	for i := range c.entries {
		if sameKey(c.entries[i].key, key) {
			if len(c.entries[i].values) == 0 {
				return nil, keyAbsent
			}
			return c.entries[i].values, keyPresent
		}
	}
	for _, k := range c.unknown {
		if sameKey(k, key) {
			return nil, keyUnknown
		}
	}
	return c.derive(key)
}

// The keys that follow from the request, by index into derived.
const (
	derivedPrincipalARN = iota
	derivedPrincipalAccount
	derivedPrincipalType
	derivedUserID
	derivedUserName
	derivedResourceAccount
	derivedIsService
	derivedServiceName
	derivedViaService
	derivedKeys
)

func (c *requestContext) derive(key string) ([]string, keyState) {
	r := c.req
	p := &r.caller
	var index int
	var value string
	switch strings.ToLower(key) { // keys are lower case already: no allocation
	case "aws:principalarn":
		index, value = derivedPrincipalARN, p.principalARN
	case "aws:principalaccount", "kms:calleraccount":
		index, value = derivedPrincipalAccount, p.account
		if key[0] == 'k' && r.service != "kms" {
			value = ""
		}
	case "aws:principaltype":
		index, value = derivedPrincipalType, p.kind.principalType()
	case "aws:userid":
		index, value = derivedUserID, r.userID()
	case "aws:username":
		if p.kind == callerUser {
			index, value = derivedUserName, p.name
		}
	case "aws:resourceaccount":
		index, value = derivedResourceAccount, r.resourceAccount
	case "s3:resourceaccount":
		if r.service == "s3" {
			index, value = derivedResourceAccount, r.resourceAccount
		}
	case "aws:principalisawsservice":
		switch p.kind {
		case callerService:
			index, value = derivedIsService, "true"
		case callerAnonymous:
		default:
			index, value = derivedIsService, "false"
		}
	case "aws:principalservicename":
		if p.kind == callerService {
			index, value = derivedServiceName, p.principalName
		}
	case "aws:viaawsservice":
		if p.kind != callerAnonymous {
			index, value = derivedViaService, "false"
		}
	}
	if value == "" {
		return nil, keyAbsent
	}
	c.derived[index][0] = value
	return c.derived[index][:], keyPresent
}
