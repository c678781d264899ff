package iampolicy

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// conditionValue is a value of a policy, made ready for its operator. One that
// the operator cannot read matches nothing.
type conditionValue struct {
	template template
	arn      arnPattern
	prefix   netip.Prefix
	number   number
	date     time.Time
	valid    bool
}

func compileConditionValue(kind operatorKind, raw string, vars bool) conditionValue {
	v := conditionValue{valid: true}
	switch kind {
	case opString, opStringFold, opBool:
		v.template = compileTemplate(raw, vars, false)
	case opStringLike, opARN:
		v.template = compileTemplate(raw, vars, true)
		if kind == opARN && v.template.pieces == nil {
			v.arn, v.valid = compileARNCondition(v.template.text)
		}
	case opBinary, opNull:
		v.template = template{text: raw}
	case opIP:
		v.prefix, v.valid = parsePrefix(raw)
	case opNumEqual, opNumLess, opNumLessEqual, opNumGreater, opNumGreaterEqual:
		v.number, v.valid = parseNumber(raw)
	default:
		v.date, v.valid = parseDate(raw)
	}
	return v
}

// compileARNCondition takes six fields, or "*" alone.
func compileARNCondition(s string) (arnPattern, bool) {
	if s == string([]byte{anyRun}) {
		return compileARN("arn:"+s, 2)
	}
	return compileARN(s, 6)
}

func (v *conditionValue) match(kind operatorKind, ctx *requestContext, got string) tri {
	if !v.valid {
		return no
	}
	switch kind {
	case opString, opStringFold, opStringLike, opBool, opARN:
		if kind == opARN && v.template.pieces == nil {
			a, ok := awsarn.Split(got)
			return truth(ok && v.arn.match(&a))
		}
		want, known := v.template.resolve(ctx)
		if known != yes {
			return known
		}
		switch kind {
		case opString:
			return truth(want == got)
		case opStringFold:
			return truth(strings.EqualFold(want, got))
		case opStringLike:
			return truth(glob(want, got))
		case opBool:
			return truth(isBool(want) && strings.EqualFold(want, got))
		}
		p, ok := compileARNCondition(want)
		a, isARN := awsarn.Split(got)
		return truth(ok && isARN && p.match(&a))
	case opBinary:
		return truth(equalBinary(v.template.text, got))
	case opIP:
		addr, err := netip.ParseAddr(got)
		return truth(err == nil && addr.Zone() == "" && v.prefix.Contains(addr.Unmap()))
	case opNumEqual, opNumLess, opNumLessEqual, opNumGreater, opNumGreaterEqual:
		n, ok := parseNumber(got)
		return truth(ok && ordered(kind, n.compare(v.number)))
	case opDateEqual, opDateLess, opDateLessEqual, opDateGreater, opDateGreaterEqual:
		d, ok := parseDate(got)
		return truth(ok && ordered(kind, d.Compare(v.date)))
	}
	return no
}

// ordered says whether a comparison result satisfies the operator.
func ordered(kind operatorKind, cmp int) bool {
	switch kind {
	case opNumEqual, opDateEqual:
		return cmp == 0
	case opNumLess, opDateLess:
		return cmp < 0
	case opNumLessEqual, opDateLessEqual:
		return cmp <= 0
	case opNumGreater, opDateGreater:
		return cmp > 0
	}
	return cmp >= 0
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

func equalBinary(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := base64.StdEncoding.DecodeString(a)
	y, errY := base64.StdEncoding.DecodeString(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// parsePrefix reads a CIDR block or a single address. Bits after the prefix
// are ignored.
func parsePrefix(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if addr := p.Addr(); addr.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(addr.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// number is a decimal number: a small integer, or exact when it is not.
type number struct {
	small int64
	exact *big.Rat
}

func parseNumber(s string) (number, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{small: i}, true
	}
	// Bounded: a huge exponent would make a huge number.
	if len(s) > 64 || s == "" || strings.ContainsAny(s, "xXpP_/iInNbBoO") {
		return number{}, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e > 400 || e < -400 {
			return number{}, false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	return number{exact: r}, ok
}

func (n number) compare(m number) int {
	if n.exact == nil && m.exact == nil {
		switch {
		case n.small < m.small:
			return -1
		case n.small > m.small:
			return 1
		}
		return 0
	}
	return n.rat().Cmp(m.rat())
}

func (n number) rat() *big.Rat {
	if n.exact != nil {
		return n.exact
	}
	return new(big.Rat).SetInt64(n.small)
}

// dateLayouts are the W3C forms of ISO 8601. A time without zone is UTC.
var dateLayouts = [...]string{
	"2006-01-02T15:04:05Z07:00", // fractions are accepted after the seconds
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04",
	"2006-01-02",
	"2006-01",
	"2006",
}

// parseDate reads a W3C date or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if s == "" || len(s) > 40 {
		return time.Time{}, false
	}
	if len(s) > 4 && strings.IndexByte(s[1:], '-') < 0 {
		if n, err := strconv.ParseFloat(s, 64); err == nil && n > -1e12 && n < 1e12 && !strings.ContainsAny(s, "xXpP_") {
			whole := int64(n)
			return time.Unix(whole, int64((n-float64(whole))*1e9)), true
		}
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return time.Unix(n, 0), true
	}
	return time.Time{}, false
}
