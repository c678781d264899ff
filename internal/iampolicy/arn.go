package iampolicy

import "strings"

// arn is an ARN cut at its first five colons.
type arn struct {
	partition, service, region, account, resource string
}

// splitARN cuts s; ok is false when s does not have the six fields of an ARN.
func splitARN(s string) (a arn, ok bool) {
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return arn{}, false
	}
	for _, field := range []*string{&a.partition, &a.service, &a.region, &a.account} {
		if *field, rest, ok = strings.Cut(rest, ":"); !ok {
			return arn{}, false
		}
	}
	a.resource = rest
	return a, true
}

// knownPartition says whether p is a partition of AWS.
func knownPartition(p string) bool {
	switch p {
	case "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc":
		return true
	}
	return false
}

func isAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// arnPattern is an ARN whose fields are compared one by one, so that a wildcard
// never crosses from one of the first five fields into the next.
type arnPattern struct {
	fields [5]string // partition … account and, last, the resource; compiled
}

// compileARN cuts a compiled pattern into its fields. With fewer than min
// fields it is no ARN pattern; fields that are missing match anything.
func compileARN(s string, minFields int) (arnPattern, bool) {
	var p arnPattern
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return p, false
	}
	n, more := 1, true
	for i := range p.fields {
		if !more {
			p.fields[i] = string([]byte{anyRun})
			continue
		}
		n++
		if i == len(p.fields)-1 {
			p.fields[i] = rest
			break
		}
		p.fields[i], rest, more = strings.Cut(rest, ":")
	}
	return p, n >= minFields
}

func (p *arnPattern) matchHead(a *arn) bool {
	return glob(p.fields[0], a.partition) && glob(p.fields[1], a.service) &&
		glob(p.fields[2], a.region) && glob(p.fields[3], a.account)
}

func (p *arnPattern) match(a *arn) bool { return p.matchHead(a) && glob(p.fields[4], a.resource) }
