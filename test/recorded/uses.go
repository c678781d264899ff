package recorded

import "strings"

// SharedKeys is how many keys rows share.
const SharedKeys = 5

// Use counts the resources and requests of a row, for the estimate of its cost.
type Use struct {
	Buckets, Keys, Identities int
	S3, KMS                   int // requests that cost
}

// Uses counts a row's steps.
func (r *Row) Uses() Use {
	var u Use
	for _, s := range append([]Step{r.Ask}, r.Given...) {
		service, operation, _ := strings.Cut(s.operation, ":")
		switch service {
		case "s3":
			u.S3++
		case "kms":
			u.KMS++
		}
		switch {
		case operation == "CreateBucket":
			u.Buckets++
		case operation == "CreateKey":
			u.Keys++
		case service == "iam" && strings.HasPrefix(operation, "Create"):
			u.Identities++
		case service == "s3" && u.Buckets == 0:
			u.Buckets = 1
		}
	}
	return u
}
