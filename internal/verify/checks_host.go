package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeClock    = "BRK-HOST-001"
	codeReachS3  = "BRK-HOST-002"
	codeReachSTS = "BRK-HOST-003"
	codeReachKMS = "BRK-HOST-004"
	codeRoute    = "BRK-HOST-005"

	clockWarn = time.Minute
	clockFail = 5 * time.Minute // AWS refuses at 15 min
)

func hostChecks() []check {
	return []check{
		{
			codeReachS3,
			report.CategoryHost,
			"S3 is reached, over TLS",
			nil,
			one(func(ctx context.Context, r *run) finding { return r.reachSafely(ctx, "s3") }),
		},
		{codeReachSTS, report.CategoryHost, "STS is reached, over TLS", nil, one(func(ctx context.Context, r *run) finding {
			if r.dest.Role == "" {
				return finding{Result: report.Skip, Detail: "the destination assumes no role, so STS is not needed"}
			}
			return r.reachSafely(ctx, "sts")
		})},
		{codeReachKMS, report.CategoryHost, "KMS is reached, over TLS", nil, one(checkReachKMS)},
		{codeRoute, report.CategoryHost, "the route to S3 is known", []string{codeReachS3}, one(checkRoute)},
		{codeClock, report.CategoryHost, "this host's clock agrees with AWS", []string{codeReachS3}, one(checkClock)},
	}
}

// reachSafely refuses an endpoint without TLS, because requests carry the session's token.
func (r *run) reachSafely(ctx context.Context, service string) finding {
	at, err := url.Parse(r.clients.serviceURL(service))
	if err == nil && at.Scheme == "http" {
		if ip, err := netip.ParseAddr(at.Hostname()); (err != nil || !ip.IsLoopback()) && at.Hostname() != "localhost" {
			return finding{Code: causePlainHTTP, Result: report.Fail, Artefact: report.ArtefactConfig, Confidence: report.Proven,
				Detail: fmt.Sprintf(
					"the endpoint of %s is %s. Plain HTTP would show the session's token to the network, so verify sends no request",
					service,
					at.Redacted(),
				),
				Fix: "Give an https:// URL under `endpoints`."}
		}
	}
	return r.reach(ctx, service)
}

// checkReachKMS is for verify's own call. In a delivery, S3 calls KMS.
func checkReachKMS(ctx context.Context, r *run) finding {
	if r.dest.Compatible || r.dest.KMSKey == "" {
		return finding{Result: report.Skip, Detail: "no KMS key of AWS is configured"}
	}
	f := r.reachSafely(ctx, "kms")
	if f.Result == report.Fail {
		f.Result, f.Advisory = report.Unknown, true
		f.Detail += ". Deliveries do not need it: S3 calls KMS"
	}
	return f
}

func checkRoute(_ context.Context, r *run) finding {
	if r.s3Address == "" {
		return finding{
			Code:     causeRouteUnknown,
			Result:   report.Unknown,
			Advisory: true,
			Artefact: report.ArtefactNetwork,
			Detail:   "the address of S3 does not show the route",
		}
	}
	return finding{
		Result:   report.Pass,
		Detail:   "S3 is reached " + r.s3Address,
		Evidence: []report.Evidence{{Source: report.SourceHost, Operation: "connect", Text: r.s3Address}},
	}
}

// headBucket asks for the bucket without a signature, once a run. S3 answers
// anonymous callers with the bucket's Region and the time.
func (r *run) headBucket(ctx context.Context) bucketHead {
	h := &r.head
	if !h.asked.IsZero() {
		return *h
	}
	h.asked = time.Now()
	api := r.clients.s3As(aws.AnonymousCredentials{}, r.clients.aws.RetryMaxAttempts)
	out, err := api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(r.dest.Bucket)})
	if h.err = err; err == nil {
		h.status, h.region = http.StatusOK, aws.ToString(out.BucketRegion)
		return *h
	}
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) && re.Response != nil && re.Response.Response != nil {
		h.status, h.region = re.HTTPStatusCode(), re.Response.Header.Get("x-amz-bucket-region")
		h.date, _ = http.ParseTime(re.Response.Header.Get("Date"))
	}
	return *h
}

// checkClock compares the clocks before the first signed request.
func checkClock(ctx context.Context, r *run) finding {
	head := r.headBucket(ctx) // its error is reported by the check of the bucket
	if head.date.IsZero() {
		return finding{Code: causeClock, Result: report.Unknown, Artefact: report.ArtefactClock, Detail: "S3 sent no date to compare with"}
	}
	skew := head.asked.Sub(head.date).Truncate(time.Second)
	detail := fmt.Sprintf("the clock of this host differs from S3's by %s", skew.Abs())
	fix := "Set the clock: check the NTP service of this host (`timedatectl status`, `chronyc tracking`)."
	seen := []report.Evidence{{Source: report.SourceHost, Operation: "Date", Text: detail}}
	f := finding{
		Code: causeClock, Result: report.Warn, Artefact: report.ArtefactClock, Confidence: report.Proven, Evidence: seen,
		Detail: detail, Fix: fix,
	}
	switch {
	case skew.Abs() > clockFail:
		f.Result = report.Fail
		f.Detail += "; AWS refuses signatures with a difference of 15 minutes"
		return f
	case skew.Abs() > clockWarn:
		return f
	}
	return finding{Result: report.Pass, Detail: "less than a minute apart"}
}
