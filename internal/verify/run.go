package verify

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// run is the state of one verification: its clients and its budget of calls, and
// the results that later checks build on.
type run struct {
	*arrangement
	docs      *documents
	fixes     *fixes
	predicted *prediction
	diagnosis *diagnosis
	clients   *clients
	uploads   *uploads

	sessions Sessions
	opts     report.RunOptions
	calls    *budget

	tokenFile string // of a web identity, when it is configured
	head      bucketHead
	reported  []reported // findings of earlier checks
	passed    map[stepID]bool
	created   *s3.CreateMultipartUploadOutput // the probe
	canary    string                          // key of the object that was written
	unlimited *broker.Session                 // of the role, without brokerd's session policy
	direct    *directUse
	s3Address string // how this host reaches S3, in words
}

// reported is a finding, and the check that reported it.
type reported struct {
	finding finding
	check   string
}

// bucketHead is the answer to an unsigned HeadBucket, which is asked once.
type bucketHead struct {
	asked  time.Time
	date   time.Time // by S3's clock
	status int       // 0: no answer
	region string
	err    error
}

func (v *Verifier) newRun(dest *config.Destination, o report.RunOptions) (*run, error) {
	a := &arrangement{dest: dest}
	if dest.KeyTemplate != nil {
		a.key = dest.KeyTemplate.Prefix()
	}
	a.key += ".brokerd-verify/" + ulid.Make().String()
	if text, err := v.opts.Sessions.ScopePolicy(dest.Name); err == nil {
		a.scope = text
	}
	r := &run{
		sessions: v.opts.Sessions, opts: o, calls: &budget{}, passed: make(map[stepID]bool),
		tokenFile: v.opts.Config.AWS.Source.TokenFile,
	}
	r.know(a, newDocuments(o.Policies))
	var err error
	if r.clients, err = v.newClients(a, r.calls); err != nil {
		return nil, fmt.Errorf("verifying destination %q: %w", dest.Name, err)
	}
	r.diagnosis.endpoint, r.diagnosis.variant = r.clients.serviceURL, r.variant
	r.uploads = &uploads{arrangement: a, leftovers: v.opts.Leftovers, records: make(map[string]Leftover)}
	return r, nil
}

// know gives the run its documents, and predicts from them.
func (r *run) know(a *arrangement, docs *documents) {
	r.arrangement, r.docs = a, docs
	r.fixes = &fixes{arrangement: a, docs: docs}
	r.predicted = &prediction{arrangement: a, docs: docs, fixes: r.fixes}
	r.diagnosis = &diagnosis{arrangement: a, docs: docs, fixes: r.fixes, predicted: r.predicted}
	r.predicted.decide()
}

// first returns a, or b when a is empty.
func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
