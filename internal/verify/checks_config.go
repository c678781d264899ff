package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeConfig  = "BRK-CFG-001"
	codeKeyName = "BRK-CFG-002"
	codePrefix  = "BRK-CFG-003"
)

func configChecks() []check {
	return []check{
		{codeConfig, report.CategoryConfig, "role, bucket and key of the configuration belong together", nil, one(checkConfig)},
		{codeKeyName, report.CategoryConfig, "the key is named by its own ARN", nil, one(checkKeyName)},
		{codePrefix, report.CategoryConfig, "objects have a prefix of their own", nil, one(checkPrefix)},
	}
}

func (r *run) incoherent(format string, args ...any) finding {
	return finding{
		Code:       causeIncoherent,
		Result:     report.Fail,
		Artefact:   report.ArtefactConfig,
		Confidence: report.Proven,
		Detail:     fmt.Sprintf(format, args...),
		Fix:        "Correct the stanza of destination " + r.dest.Name + " in the configuration file. `brokerd check-config` checks it.",
	}
}

// checkConfig repeats the validation of the configuration, on which later checks rely.
func checkConfig(_ context.Context, r *run) finding {
	d := r.dest
	if d.Compatible {
		return finding{
			Result: report.Pass,
			Detail: fmt.Sprintf("S3-compatible store, bucket %s, region %s; accounts and key ARNs are not checked", d.Bucket, d.Region),
		}
	}
	role, err := awsarn.Parse(d.Role)
	if err != nil {
		return r.incoherent("role: %v", err)
	}
	key, err := awsarn.Parse(d.KMSKey)
	if err != nil {
		return r.incoherent("kms_key: %v", err)
	}
	switch {
	case key.Region != d.Region:
		return r.incoherent("the key is in %s and the bucket in %s: S3 needs both in one Region", key.Region, d.Region)
	case key.Partition != role.Partition:
		return r.incoherent("the key is in partition %s and the role in %s: no request crosses partitions", key.Partition, role.Partition)
	case key.Account != d.Owner:
		return r.incoherent("the key belongs to account %s and the bucket to %s", key.Account, d.Owner)
	}
	return finding{
		Result: report.Pass,
		Detail: fmt.Sprintf("role in account A %s, bucket and key in account B %s, %s", role.Account, d.Owner, d.Region),
	}
}

// checkKeyName refuses an alias and a bare id, which KMS looks up in the caller's
// account.
func checkKeyName(_ context.Context, r *run) finding {
	if r.dest.Compatible {
		return finding{Result: report.Pass, Detail: "a compatible store has its own names for keys"}
	}
	key, err := awsarn.Parse(r.dest.KMSKey)
	if err != nil || key.Service != "kms" || !strings.HasPrefix(key.Resource, "key/") {
		return r.incoherent(
			"kms_key is %q. KMS looks up an alias or an id in account A, and no other account can use aws/s3: write the full ARN of a key "+
				"(arn:aws:kms:REGION:ACCOUNT:key/ID)",
			r.dest.KMSKey,
		)
	}
	return finding{Result: report.Pass, Detail: "key " + strings.TrimPrefix(key.Resource, "key/")}
}

func checkPrefix(_ context.Context, r *run) finding {
	prefix := ""
	if r.dest.KeyTemplate != nil {
		prefix = r.dest.KeyTemplate.Prefix()
	}
	switch {
	case strings.Contains("/"+prefix, "/../"), strings.HasPrefix(prefix, "/"):
		return r.incoherent("the prefix of `key` is %q: it must not start with / or contain ..", prefix)
	case prefix == "":
		return finding{
			Code:     causeNoPrefix,
			Result:   report.Warn,
			Artefact: report.ArtefactConfig,
			Detail:   "`key` starts with a placeholder, so the role may write to the whole bucket",
			Fix:      "Start `key` with a fixed prefix, such as `logs/`, unless only this destination uses the bucket.",
		}
	}
	return finding{Result: report.Pass, Detail: "below " + prefix}
}
