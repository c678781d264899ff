package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
)

const (
	clockWarn = time.Minute
	clockFail = 5 * time.Minute // AWS refuses at 15 min; nobody wants to learn it then
)

// checkConfig repeats what the configuration's own validation promises: every
// later conclusion leans on it.
func checkConfig(_ context.Context, p *probe) finding {
	d := p.dest
	bad := func(format string, args ...any) finding {
		return finding{Code: causeIncoherent, Result: Fail, Artefact: ArtefactConfig, Detail: fmt.Sprintf(format, args...),
			Fix: "Correct the stanza of destination " + d.Name + " in the configuration file, and try `brokerd check-config`."}
	}
	if d.Compatible {
		return finding{Result: Pass, Detail: fmt.Sprintf("S3-compatible store, bucket %s, region %s; accounts and key ARNs are not checked", d.Bucket, d.Region)}
	}
	role, err := config.ParseARN(d.Role)
	if err != nil {
		return bad("role: %v", err)
	}
	key, err := config.ParseARN(d.KMSKey)
	if err != nil {
		return bad("kms_key: %v", err)
	}
	switch {
	case key.Region != d.Region:
		return bad("the key is in %s, the bucket in %s: S3 needs both in one Region", key.Region, d.Region)
	case key.Partition != role.Partition:
		return bad("the key is in partition %s, the role in %s", key.Partition, role.Partition)
	case key.Account != d.Owner:
		return bad("the key belongs to account %s, the bucket to %s", key.Account, d.Owner)
	}
	return finding{Result: Pass, Detail: fmt.Sprintf("role in account A %s, bucket and key in account B %s, %s", role.Account, d.Owner, d.Region)}
}

// checkBucket asks without signing: S3 tells the bucket's Region to anybody.
func checkBucket(ctx context.Context, p *probe) finding {
	p.asked = time.Now()
	out, err := p.s3As(aws.AnonymousCredentials{}).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(p.dest.Bucket)})
	var header http.Header
	status := http.StatusOK
	region := ""
	if err == nil {
		region = aws.ToString(out.BucketRegion)
	}
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) && re.Response != nil && re.Response.Response != nil {
		header, status = re.Response.Header, re.HTTPStatusCode()
		region = header.Get("x-amz-bucket-region")
		p.date, _ = http.ParseTime(header.Get("Date"))
	} else if err != nil {
		return p.diagnose(ctx, step{name: "asking S3 for the bucket's Region", service: "s3"}, err)
	}
	switch {
	case region != "" && region != p.dest.Region:
		return finding{Code: causeRegion, Result: Fail, Account: p.accountB(), Artefact: ArtefactConfig, ArtefactARN: p.bucketARN(),
			Detail: fmt.Sprintf("bucket %s is in %s, the configuration says %s", p.dest.Bucket, region, p.dest.Region),
			Fix:    fmt.Sprintf("Set `region: %s` in the destination; its KMS key must be in that Region too.", region)}
	case status == http.StatusNotFound:
		return finding{Code: causeNoBucket, Result: Fail, Account: p.accountB(), Artefact: ArtefactBucket, ArtefactARN: p.bucketARN(),
			AWSCode:   "NoSuchBucket",
			RequestID: awserr.Classify(err, "s3").RequestID,
			Detail:    fmt.Sprintf("there is no bucket %s", p.dest.Bucket),
			Fix:       fmt.Sprintf("Check the name; if it was deleted, account %s has to create it again. A name that is free can be taken by anybody.", orUnknown(p.accountB()))}
	case status >= 500:
		return p.diagnose(ctx, step{name: "asking S3 for the bucket's Region", service: "s3"}, err)
	case region == "":
		return finding{Code: causeRegionUnsaid, Result: Unknown, Artefact: ArtefactBucket, ArtefactARN: p.bucketARN(),
			Detail: fmt.Sprintf("the bucket answers (HTTP %d), but the store does not say its Region", status)}
	}
	return finding{Result: Pass, Detail: fmt.Sprintf("bucket %s is in %s", p.dest.Bucket, region)}
}

// checkClock uses the Date of the answer that checkBucket got: signatures fail when the clock is off.
func checkClock(_ context.Context, p *probe) finding {
	if p.date.IsZero() {
		return finding{Code: causeClock, Result: Unknown, Artefact: ArtefactClock, Detail: "S3 sent no date to compare with"}
	}
	skew := p.asked.Sub(p.date).Truncate(time.Second)
	detail := fmt.Sprintf("local time differs from S3's by %s", skew.Abs())
	fix := "Set the clock: check the NTP service of this host (`timedatectl status`, `chronyc tracking`)."
	switch {
	case skew.Abs() > clockFail:
		return finding{Code: causeClock, Result: Fail, Artefact: ArtefactClock, Detail: detail + "; AWS refuses signatures that are 15 minutes off", Fix: fix}
	case skew.Abs() > clockWarn:
		return finding{Code: causeClock, Result: Warn, Artefact: ArtefactClock, Detail: detail, Fix: fix}
	}
	return finding{Result: Pass, Detail: "less than a minute apart"}
}

func orUnknown(account string) string {
	if account == "" {
		return "B"
	}
	return account
}
