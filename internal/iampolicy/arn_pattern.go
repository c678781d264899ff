package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// knownPartition says whether p is a partition of AWS.
func knownPartition(p string) bool {
	switch p {
	case "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc":
		return true
	}
	return false
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

func (p *arnPattern) matchHead(a *awsarn.ARN) bool {
	return glob(p.fields[0], a.Partition) && glob(p.fields[1], a.Service) &&
		glob(p.fields[2], a.Region) && glob(p.fields[3], a.Account)
}

func (p *arnPattern) match(a *awsarn.ARN) bool {
	return p.matchHead(a) && glob(p.fields[4], a.Resource)
}
