package iampolicy

import "strings"

// qualifier is the set operator before a condition operator.
type qualifier uint8

const (
	single qualifier = iota
	forAny
	forAll
)

// condition is one operator with one key.
type condition struct {
	operator string // as written
	key      string // as written
	lookup   string // key in lower case
	op       operator
	set      qualifier
	ifExists bool
	values   []conditionValue
	want     []string
}

// operator is a comparison. Negated operators share the comparison of their
// positive form.
type operator struct {
	kind    operatorKind
	negated bool
}

type operatorKind uint8

const (
	opInvalid operatorKind = iota
	opString
	opStringFold
	opStringLike
	opARN
	opBool
	opBinary
	opIP
	opNull
	opNumEqual
	opNumLess
	opNumLessEqual
	opNumGreater
	opNumGreaterEqual
	opDateEqual
	opDateLess
	opDateLessEqual
	opDateGreater
	opDateGreaterEqual
)

// operators are all the condition operators of the policy language
// (IAM User Guide, reference_policies_elements_condition_operators.html).
var operators = map[string]operator{
	"StringEquals":              {opString, false},
	"StringNotEquals":           {opString, true},
	"StringEqualsIgnoreCase":    {opStringFold, false},
	"StringNotEqualsIgnoreCase": {opStringFold, true},
	"StringLike":                {opStringLike, false},
	"StringNotLike":             {opStringLike, true},
	"NumericEquals":             {opNumEqual, false},
	"NumericNotEquals":          {opNumEqual, true},
	"NumericLessThan":           {opNumLess, false},
	"NumericLessThanEquals":     {opNumLessEqual, false},
	"NumericGreaterThan":        {opNumGreater, false},
	"NumericGreaterThanEquals":  {opNumGreaterEqual, false},
	"DateEquals":                {opDateEqual, false},
	"DateNotEquals":             {opDateEqual, true},
	"DateLessThan":              {opDateLess, false},
	"DateLessThanEquals":        {opDateLessEqual, false},
	"DateGreaterThan":           {opDateGreater, false},
	"DateGreaterThanEquals":     {opDateGreaterEqual, false},
	"Bool":                      {opBool, false},
	"BinaryEquals":              {opBinary, false},
	"IpAddress":                 {opIP, false},
	"NotIpAddress":              {opIP, true},
	"ArnEquals":                 {opARN, false},
	"ArnLike":                   {opARN, false},
	"ArnNotEquals":              {opARN, true},
	"ArnNotLike":                {opARN, true},
	"Null":                      {opNull, false},
}

// parseOperator reads an operator with its prefix and suffix.
func parseOperator(s string) (op operator, set qualifier, ifExists, ok bool) {
	if rest, found := strings.CutPrefix(s, "ForAnyValue:"); found {
		s, set = rest, forAny
	} else if rest, found := strings.CutPrefix(s, "ForAllValues:"); found {
		s, set = rest, forAll
	}
	s, ifExists = strings.CutSuffix(s, "IfExists")
	op, ok = operators[s]
	if op.kind == opNull && ifExists {
		return op, set, ifExists, false
	}
	return op, set, ifExists, ok
}

// eval decides one operator with one key. got are the request's values of the key.
func (c *condition) eval(ctx *requestContext) (result tri, got []string) {
	got, state := ctx.lookup(c.lookup)
	if c.op.kind == opNull {
		return c.evalNull(state), got
	}
	switch state {
	case keyUnknown:
		return maybe, nil
	case keyAbsent:
		switch {
		case c.ifExists || c.set == forAll:
			return yes, nil
		case c.set == forAny:
			return no, nil
		}
		return truth(c.op.negated), nil
	}
	// A lone empty string is the "null data set" of the set operators.
	if len(got) == 1 && got[0] == "" && c.set == forAll {
		return yes, got
	}
	switch c.set {
	case forAll:
		result = yes
		for _, v := range got {
			result = min(result, c.matchOne(ctx, v))
		}
	case forAny:
		for _, v := range got {
			result = max(result, c.matchOne(ctx, v))
		}
	default:
		for _, v := range got {
			result = max(result, c.matchAny(ctx, v))
		}
		if c.op.negated {
			result = result.not()
		}
		// A key with several values wants a set operator; what AWS does without
		// one is not documented.
		if len(got) > 1 && result == yes {
			result = maybe
		}
	}
	return result, got
}

func (c *condition) matchOne(ctx *requestContext, v string) tri {
	t := c.matchAny(ctx, v)
	if c.op.negated {
		return t.not()
	}
	return t
}

// matchAny says whether one value of the request equals any value of the policy.
func (c *condition) matchAny(ctx *requestContext, v string) tri {
	result := no
	for i := range c.values {
		if result = max(result, c.values[i].match(c.op.kind, ctx, v)); result == yes {
			break
		}
	}
	return result
}

func (c *condition) evalNull(state keyState) tri {
	if state == keyUnknown {
		return maybe
	}
	for _, w := range c.want {
		if strings.EqualFold(w, "true") && state == keyAbsent || strings.EqualFold(w, "false") && state == keyPresent {
			return yes
		}
	}
	return no
}
