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

func checkBucket(ctx context.Context, p *probe) finding {
	status, region, err := p.head(ctx)
	ask := step{name: "asking S3 for the bucket's Region", service: "s3", operation: "s3:HeadBucket"}
	switch {
	case status == 0:
		return p.diagnose(ctx, ask, err)[0]
	case region != "" && region != p.dest.Region:
		return finding{Code: causeRegion, Result: report.Fail, Account: p.accountB(), Artefact: report.ArtefactConfig, ArtefactARN: p.bucketARN(), Confidence: report.Proven,
			Evidence: []report.Evidence{p.callEvidence("s3:HeadBucket", "x-amz-bucket-region: "+region, err)},
			Detail:   fmt.Sprintf("bucket %s is in %s, the configuration says %s", p.dest.Bucket, region, p.dest.Region),
			Fix:      fmt.Sprintf("Set `region: %s` in the destination; its KMS key must be in that Region too.", region)}
	case status == http.StatusNotFound:
		return finding{Code: causeNoBucket, Result: report.Fail, Account: p.accountB(), Artefact: report.ArtefactBucket, ArtefactARN: p.bucketARN(), Confidence: report.Proven,
			AWSCode: "NoSuchBucket", HTTPStatus: status, Operation: "s3:HeadBucket",
			RequestID: awserr.Classify(err, "s3").RequestID,
			Detail:    fmt.Sprintf("there is no bucket %s", p.dest.Bucket),
			Fix:       fmt.Sprintf("Check the name; if it was deleted, account %s has to create it again. A name that is free can be taken by anybody.", orUnknown(p.accountB()))}
	case status >= 500:
		return p.diagnose(ctx, ask, err)[0]
	case region == "":
		return finding{Code: causeRegionUnsaid, Result: report.Unknown, Artefact: report.ArtefactBucket, ArtefactARN: p.bucketARN(),
			Detail: fmt.Sprintf("the bucket answers (HTTP %d), but the store does not say its Region", status)}
	}
	return finding{Result: report.Pass, Detail: fmt.Sprintf("bucket %s is in %s", p.dest.Bucket, region)}
}

func orUnknown(account string) string {
	if account == "" {
		return "B"
	}
	return account
}
