package config

import (
	"fmt"
	"strings"
)

// ARN is an Amazon Resource Name in its six parts.
type ARN struct {
	Partition string // "aws", "aws-cn", "aws-us-gov", …
	Service   string
	Region    string // empty for global services
	Account   string // empty for S3
	Resource  string // everything after the fifth colon
}

// ParseARN splits an ARN. It checks the shape, not whether the parts exist.
func ParseARN(s string) (ARN, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN: want arn:partition:service:region:account:resource", s)
	}
	return ARN{Partition: parts[1], Service: parts[2], Region: parts[3], Account: parts[4], Resource: parts[5]}, nil
}

// String gives the ARN as text.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}
