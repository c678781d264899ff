package verify

import (
	"context"
	"fmt"
	"net/http"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const codeBucket = "BRK-S3-001"

func bucketChecks() []check {
	return []check{{codeBucket, report.CategoryBucket, "the bucket exists, in the configured Region", []string{codeReachS3}, one(checkBucket)}}
}

func checkBucket(ctx context.Context, r *run) finding {
	head := r.headBucket(ctx)
	status, region, err := head.status, head.region, head.err
	ask := step{name: "asking S3 for the bucket's Region", service: "s3", operation: "s3:HeadBucket"}
	switch {
	case status == 0:
		return r.diagnosis.diagnose(ctx, ask, err)[0]
	case region != "" && region != r.dest.Region:
		return finding{
			Code:        causeRegion,
			Result:      report.Fail,
			Account:     r.accountB(),
			Artefact:    report.ArtefactConfig,
			ArtefactARN: r.bucketARN(),
			Confidence:  report.Proven,
			Evidence:    []report.Evidence{callEvidence("s3:HeadBucket", "x-amz-bucket-region: "+region, err)},
			Detail:      fmt.Sprintf("bucket %s is in %s, the configuration says %s", r.dest.Bucket, region, r.dest.Region),
			Fix:         fmt.Sprintf("Set `region: %s` in the destination; its KMS key must be in that Region too.", region),
		}
	case status == http.StatusNotFound:
		return finding{
			Code:        causeNoBucket,
			Result:      report.Fail,
			Account:     r.accountB(),
			Artefact:    report.ArtefactBucket,
			ArtefactARN: r.bucketARN(),
			Confidence:  report.Proven,
			AWSCode:     "NoSuchBucket",
			HTTPStatus:  status,
			Operation:   "s3:HeadBucket",
			RequestID:   awserr.Classify(err, "s3").RequestID,
			Detail:      fmt.Sprintf("there is no bucket %s", r.dest.Bucket),
			Fix: fmt.Sprintf(
				"Check the name; if it was deleted, account %s has to create it again. A name that is free can be taken by anybody.",
				accountOrB(r.accountB()),
			),
		}
	case status >= 500:
		return r.diagnosis.diagnose(ctx, ask, err)[0]
	case region == "":
		return finding{Code: causeRegionUnsaid, Result: report.Unknown, Artefact: report.ArtefactBucket, ArtefactARN: r.bucketARN(),
			Detail: fmt.Sprintf("the bucket answers (HTTP %d), but the store does not say its Region", status)}
	}
	return finding{Result: report.Pass, Detail: fmt.Sprintf("bucket %s is in %s", r.dest.Bucket, region)}
}

func accountOrB(account string) string {
	if account == "" {
		return "B"
	}
	return account
}
