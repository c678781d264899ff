package fixproof

import (
	"strconv"
	"strings"
)

// satisfy sets a context to values with which the conditions of a statement hold,
// as far as their operators tell.
func satisfy(context map[string][]string, conditions []condition) {
	for _, c := range conditions {
		lower := strings.ToLower(c.key)
		if identityKey(lower) {
			continue
		}
		got := first(context, c.key)
		operator := strings.TrimSuffix(c.operator, "IfExists")
		_, operator, set1 := cutSet(operator)
		switch {
		case operator == "Null":
			if len(c.values) > 0 && strings.EqualFold(c.values[0], "true") {
				set(context, c.key, nil)
			} else if got == "" {
				set(context, c.key, []string{otherValue(lower, "")})
			}
		case strings.Contains(operator, "Not"):
			for _, v := range c.values {
				if v == got {
					set(context, c.key, []string{otherValue(lower, got)})
				}
			}
		case strings.HasPrefix(operator, "Numeric"):
			set(context, c.key, []string{near(c.values, operator)})
		case strings.HasPrefix(operator, "Date"):
		case len(c.values) > 0 && (!set1 || got != ""):
			set(context, c.key, c.values[:1])
		}
	}
}

// cutSet takes the set operator off; forAll reports that an absent key satisfies it.
func cutSet(operator string) (set, rest string, forAll bool) {
	set, rest, found := strings.Cut(operator, ":")
	if !found {
		return "", operator, false
	}
	return set, rest, set == "ForAllValues"
}

// near is a number that satisfies a comparison.
func near(values []string, operator string) string {
	if len(values) == 0 {
		return "0"
	}
	n, err := strconv.Atoi(values[0])
	if err != nil {
		return values[0]
	}
	switch {
	case strings.Contains(operator, "LessThan"):
		n--
	case strings.Contains(operator, "GreaterThan"):
		n++
	}
	return strconv.Itoa(n)
}
