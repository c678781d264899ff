package setup

import (
	"fmt"
	"slices"
	"strings"
)

// A multipart upload that nothing finishes or aborts costs storage forever. Our
// lifecycle rule is the last thing that aborts it, so that a removal keeps the
// rule while such an upload exists, or may exist.

// unfinishedBelow are the unfinished uploads below a prefix.
func (b *BucketAt) unfinishedBelow(prefix string) []UnfinishedUpload {
	return slices.DeleteFunc(slices.Clone(b.Unfinished.Value), func(u UnfinishedUpload) bool { return !strings.HasPrefix(u.Key, prefix) })
}

func (b *BucketAt) mayHoldUnfinished(prefix string) bool {
	return b.Unfinished.Presence == Unread || len(b.unfinishedBelow(prefix)) > 0
}

func (b *BucketAt) whyTheRuleStays(prefix string) string {
	if b.Unfinished.Presence == Unread {
		return fmt.Sprintf("the rule for %s stays: unfinished uploads could not be listed (%s)", prefix, b.Unfinished.Reason)
	}
	n := len(b.unfinishedBelow(prefix))
	if n == 1 {
		return fmt.Sprintf("the rule for %s stays: it aborts 1 upload that is unfinished", prefix)
	}
	return fmt.Sprintf("the rule for %s stays: it aborts %d uploads that are unfinished", prefix, n)
}

// maxNamed is how many unfinished uploads a warning names.
const maxNamed = 5

// unfinished warns of uploads that a removal leaves behind.
func (p *planner) unfinished(state State) {
	for _, b := range state.Buckets {
		at := p.snap.Buckets[b.Name]
		if at == nil || !p.concerned(b.Destinations) {
			continue
		}
		for _, rule := range b.Lifecycle {
			uploads := at.unfinishedBelow(rule.Prefix)
			for i, u := range uploads {
				if i == maxNamed {
					break
				}
				p.warn(
					WarnUnfinished,
					bucketChange(&b, KindLifecycle),
					fmt.Sprintf(
						"Abort it, then remove again: aws s3api abort-multipart-upload --bucket %s --region %s --key '%s' --upload-id %s",
						b.Name,
						b.Region,
						strings.ReplaceAll(u.Key, "'", `'\''`),
						u.UploadID,
					),
					"multipart upload %s, begun %s, is unfinished",
					u.Key,
					u.Initiated.UTC().Format("2006-01-02 15:04 MST"),
				)
			}
			if more := len(uploads) - maxNamed; more > 0 {
				p.warn(WarnUnfinished, bucketChange(&b, KindLifecycle), "", "%d more multipart uploads below %s are unfinished", more, rule.Prefix)
			}
		}
	}
}
