package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// contextKey is the condition key of the encryption context that S3 sends to KMS.
const contextKey = "kms:encryptioncontext:aws:s3:arn"

// encryptionContext reports values of the encryption context that S3 never sends, or
// sends with one setting of S3 Bucket Keys only. With Bucket Keys the value is the
// bucket's ARN, without them the object's (S3 User Guide, bucket-key.html).
func (l *linter) encryptionContext(n *policytext.Node, c *condition) {
	if c.lookup != contextKey || c.op.negated {
		return
	}
	buckets, objects := make(map[string]bool), []*policytext.Node{}
	each(n, func(v *policytext.Node) {
		name, isARN := strings.CutPrefix(v.Text, "arn:")
		bucket := name[strings.LastIndexByte(name, ':')+1:]
		switch {
		case strings.Contains(v.Text, "${") || strings.HasPrefix(v.Text, "*"):
			buckets[""] = true // it may fit anything
		case !isARN || !strings.Contains(v.Text, ":s3:::"):
			l.add(v, "POL053", SeverityWarning, "%q is no ARN of a bucket or object: S3 sends no such encryption context", v.Text)
		case strings.Contains(bucket, "/"):
			objects = append(objects, v)
		default:
			buckets[strings.TrimSuffix(bucket, "*")] = true
		}
	})
	for _, v := range objects {
		bucket, _, _ := strings.Cut(v.Text[strings.LastIndexByte(v.Text, ':')+1:], "/")
		if !buckets[bucket] && !buckets[""] {
			l.add(
				v,
				"POL053",
				SeverityWarning,
				"with S3 Bucket Keys the encryption context is the bucket's ARN, and this value does not fit: add %q",
				strings.TrimSuffix(v.Text[:strings.IndexByte(v.Text, '/')], "/"),
			)
		}
	}
}
