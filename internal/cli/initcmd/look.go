package initcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// lookFor is the total time that init waits for AWS.
const lookFor = 10 * time.Second

// finding is the result of one question to AWS.
type finding struct {
	mark, text string // ✓ fits, ! needs attention, ? unknown
}

// look makes the checks that need no rights in either account. Their results are
// advice.
func (i *Initiation) look(ctx context.Context, cfg *config.Config, d *config.Destination) error {
	findings := []finding{{"✓", "the file is valid; role, bucket and key agree in partition, Region and account"}}
	for _, w := range cfg.Warnings() {
		findings = append(findings, finding{"!", w})
	}
	if text := unknownUser(i.Answers.user); text != "" {
		findings = append(findings, finding{"!", text})
	}
	if i.offline {
		findings = append(findings, finding{"?", "AWS was not looked at (--offline)"})
	} else {
		ctx, cancel := context.WithTimeout(ctx, lookFor)
		defer cancel()
		findings = append(findings, lookAtAWS(ctx, cfg, d)...)
	}
	p := i.Palette(i.Out)
	for _, f := range findings {
		mark := map[string]string{"✓": p.Good("✓"), "!": p.Warn("!"), "?": p.Dim("?")}[f.mark]
		if _, err := fmt.Fprintln(i.Out, console.Fit(i.Out, "  "+mark+" "+f.text)); err != nil {
			return err
		}
	}
	return nil
}

// lookAtAWS uses the credentials of the user who runs init: it rarely runs on the
// daemon's machine.
func lookAtAWS(ctx context.Context, cfg *config.Config, d *config.Destination) []finding {
	reach := cfg.AWS
	reach.CABundle = cmp.Or(reach.CABundle, os.Getenv("AWS_CA_BUNDLE"))
	client, err := awsclient.New(reach)
	if err != nil {
		return []finding{{"?", "AWS was not looked at: " + err.Error()}}
	}
	opts := append(awsclient.LoadOptions(client), awsconfig.WithRegion(d.Region), awsconfig.WithRetryMaxAttempts(1))
	if cfg.AWS.Profile != "" {
		opts = append(opts, awsconfig.WithSharedConfigProfile(cfg.AWS.Profile))
	}
	ac, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return []finding{{"?", "AWS was not looked at: " + err.Error()}}
	}
	return []finding{lookAtCaller(ctx, ac, cfg, d), lookAtBucket(ctx, ac, cfg, d)}
}

func lookAtCaller(ctx context.Context, ac aws.Config, cfg *config.Config, d *config.Destination) finding {
	role, err := awsarn.Parse(d.Role)
	if err != nil {
		return finding{"?", err.Error()}
	}
	who, err := sts.NewFromConfig(ac, func(o *sts.Options) {
		if e := cmp.Or(d.Endpoints.STS, cfg.AWS.Endpoints.STS); e != "" {
			o.BaseEndpoint = aws.String(e)
		}
	}).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	switch {
	case err != nil:
		return finding{"?", "whose credentials these are is not known: " + err.Error()}
	case aws.ToString(who.Account) == role.Account:
		return finding{"✓", "the credentials at hand are " + aws.ToString(who.Arn) + ", of account A"}
	case aws.ToString(who.Account) == d.Owner:
		return finding{"✓", "the credentials at hand are " + aws.ToString(who.Arn) + ", of account B"}
	}
	return finding{
		"!",
		fmt.Sprintf("the credentials at hand are %s, of neither account (%s, %s)", aws.ToString(who.Arn), role.Account, d.Owner),
	}
}

// lookAtBucket sends an unsigned request: S3 returns the bucket's Region to every caller.
func lookAtBucket(ctx context.Context, ac aws.Config, cfg *config.Config, d *config.Destination) finding {
	ac.Credentials = aws.AnonymousCredentials{}
	out, err := s3.NewFromConfig(ac, func(o *s3.Options) {
		e := cmp.Or(d.Endpoints.S3, cfg.AWS.Endpoints.S3)
		if e != "" {
			o.BaseEndpoint = aws.String(e)
		}
		o.UsePathStyle = d.PathStyle || e != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != "" || os.Getenv("AWS_ENDPOINT_URL") != ""
	}).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(d.Bucket)})
	region, status := "", http.StatusOK
	var re *smithyhttp.ResponseError
	switch {
	case err == nil:
		region = aws.ToString(out.BucketRegion)
	case errors.As(err, &re) && re.Response != nil && re.Response.Response != nil:
		region, status = re.Response.Header.Get("x-amz-bucket-region"), re.HTTPStatusCode()
	default:
		return finding{"?", "where the bucket is is not known: " + err.Error()}
	}
	switch {
	case region == d.Region:
		return finding{"✓", "bucket " + d.Bucket + " is there, in " + region}
	case region != "":
		return finding{"!", fmt.Sprintf("bucket %s is in %s, and the file says %s: correct region and kms_key", d.Bucket, region, d.Region)}
	case status == http.StatusNotFound:
		return finding{"!", fmt.Sprintf("there is no bucket %s yet: account %s has to make it", d.Bucket, d.Owner)}
	}
	return finding{"?", fmt.Sprintf("where bucket %s is is not known: S3 answered %d", d.Bucket, status)}
}
