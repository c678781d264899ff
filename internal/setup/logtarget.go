package setup

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// LogTargetProblems lists the reasons why S3 cannot deliver server access logs of a
// bucket to another bucket. ok is false when a part that decides was not read and no
// problem is known.
//
// The rules are those of the S3 User Guide ("Enabling Amazon S3 server access
// logging"): the target is in the Region and the account of the source, its default
// encryption is SSE-S3, and its policy allows the logging service.
func LogTargetProblems(source BucketRef, to Logging, at *BucketAt) (problems []string, ok bool) {
	if at == nil || at.Info.Presence == Unread {
		return nil, false
	}
	if at.Info.Presence == Absent {
		return []string{"the bucket " + to.Bucket + " does not exist in account " + source.Account}, true
	}
	decided := true
	if region := at.Info.Value.Region; region != "" && source.Region != "" && region != source.Region {
		problems = append(problems, fmt.Sprintf("it is in %s, and S3 delivers logs within %s only", region, source.Region))
	}
	switch {
	case at.Encryption.Presence == Unread:
		decided = false
	case strings.HasPrefix(at.Encryption.Value.Algorithm, "aws:kms"):
		problems = append(problems, "its default encryption is SSE-KMS, and the logging service can use SSE-S3 (AES256) only")
	}
	switch allowed, known := logDelivery(source, to, at); {
	case !known:
		decided = false
	case !allowed:
		problems = append(
			problems,
			fmt.Sprintf("its policy does not let logging.s3.amazonaws.com do s3:PutObject on arn:aws:s3:::%s/%s* for bucket %s",
				to.Bucket, to.Prefix, source.Name),
		)
	}
	return problems, decided || len(problems) > 0
}

// logDelivery reports whether the target's policy lets the logging service write. An
// ACL can grant it in place of the policy, unless ACLs are disabled.
func logDelivery(source BucketRef, to Logging, at *BucketAt) (allowed, known bool) {
	if at.Policy.Presence == Unread {
		return false, false
	}
	var doc *iampolicy.Document
	if at.Policy.Value != "" {
		var err error
		if doc, err = iampolicy.Parse([]byte(at.Policy.Value)); err != nil {
			return false, false
		}
	}
	result := iampolicy.Evaluate(iampolicy.Scenario{
		Request: iampolicy.Request{
			Principal: "logging.s3.amazonaws.com", Action: "s3:PutObject",
			Resource: "arn:aws:s3:::" + to.Bucket + "/" + to.Prefix + "log", ResourceAccount: source.Account,
			Context: map[string][]string{
				"aws:SourceArn": {"arn:aws:s3:::" + source.Name}, "aws:SourceAccount": {source.Account}, "aws:SecureTransport": {"true"},
			},
			UnknownContext: []string{"aws:SourceOrgID", "aws:SourceOrgPaths"},
		},
		Policies:    iampolicy.PolicySet{Resource: doc},
		NotSupplied: []iampolicy.Layer{iampolicy.LayerRCP},
	})
	for _, l := range result.Layers {
		if l.Layer != iampolicy.LayerResource {
			continue
		}
		switch l.Decision {
		case iampolicy.Allowed:
			return true, true
		case iampolicy.ExplicitDeny:
			return false, true
		case iampolicy.ImplicitDeny:
			return false, at.Ownership.Is() && at.Ownership.Value == "BucketOwnerEnforced"
		case iampolicy.Unknown:
			return false, false
		}
	}
	return false, false
}
