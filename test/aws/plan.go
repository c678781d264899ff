package kit

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/test/recorded"
)

// Prices of eu-west-1 in US dollars, from AWS's price pages, rounded up. A key is
// charged by the hour until its deletion is scheduled.
const (
	keyHour        = 1.0 / 730
	hours          = 2            // that a run takes
	perPut         = 0.005 / 1000 // S3: PUT, COPY, POST, LIST
	perKeyUse      = 0.03 / 10000 // KMS: symmetric requests
	perDearKeyUse  = 0.15 / 10000 // KMS: asymmetric requests; all of the table's are counted so
	perGigabyteOut = 0.09
	// tidying is how many requests of S3 removing a bucket takes, deletions being free.
	tidying = 4
	// meeting is how many requests of S3 a mistake takes: making it, meeting it,
	// verify, the repair.
	meeting = 40
)

// Plan counts the resources of a run, and the most that they cost.
type Plan struct {
	Buckets, Identities int
	Keys                int // all of them
	Lasting             int // those of them that live as long as the run
	S3, KMS             int // requests
	Dollars             float64
}

// PlanOf counts the resources that the parts need. Each number is an upper bound.
func PlanOf(parts Parts) Plan {
	var p Plan
	out, dear := 0, 0
	if parts.Delivery || parts.Verify {
		p.Buckets, p.Keys, p.Lasting, p.Identities, p.S3, p.KMS = 1, 1, 1, 2, 200, 200
	}
	if parts.Delivery {
		for _, size := range sizes() {
			out += 2 * size
		}
	}
	arranged := false
	for _, m := range parts.Mistakes {
		if m.Local != "" {
			continue
		}
		if !arranged {
			p.Buckets, p.Keys, p.Identities, arranged = p.Buckets+1, p.Keys+1, p.Identities+2, true
		}
		if m.Spoils {
			arranged = false
		}
		if strings.Contains(m.Name, "waits for its material") || strings.Contains(m.Name, "message authentication") {
			p.Keys++ // these rows make another key
		}
		p.S3, p.KMS = p.S3+meeting, p.KMS+meeting/4
	}
	for i := range parts.Recorded {
		row := &parts.Recorded[i]
		if row.Local() != "" {
			continue
		}
		use := row.Uses()
		p.Buckets, p.Keys, p.Identities = p.Buckets+use.Buckets, p.Keys+use.Keys, p.Identities+use.Identities
		p.S3, p.KMS = p.S3+use.S3+use.Buckets*tidying, p.KMS+use.KMS
		dear += use.KMS
	}
	if len(parts.Recorded) > 0 {
		p.Keys, p.Lasting = p.Keys+recorded.SharedKeys, p.Lasting+recorded.SharedKeys
	}
	p.Dollars = float64(p.Keys+p.Lasting*(hours-1))*keyHour + float64(p.S3)*perPut +
		float64(p.KMS-dear)*perKeyUse + float64(dear)*perDearKeyUse +
		perGigabyteOut*float64(out)/(1<<30)
	return p
}

// Limit is the most that a whole run may cost, in US dollars.
const Limit = 0.10

// Announce is the text that a run prints before it creates anything.
func (a *Accounts) Announce(p Plan) string {
	return fmt.Sprintf(`This run will create, in accounts %s (A) and %s (B), Region %s:
  up to %d buckets, %d KMS keys, %d users, roles, groups and policies of IAM; about %d requests of S3 and %d of KMS.
Each name begins with %s; keys have the tag %s=%s.
All of it is removed at the end, and after Ctrl-C. KMS deletes keys after seven days, which cost nothing.
S3 may create the key aws/s3 in account A: AWS keeps it, and it costs nothing.
The cost is below %.2f USD (estimated at most %.3f USD).
`, a.A.ID, a.B.ID, Region, p.Buckets, p.Keys, p.Identities, p.S3, p.KMS, a.Prefix, recorded.Tag, a.Prefix, Limit, p.Dollars)
}
