package verify_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/collect"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// documents reads both accounts as their administrators would; sides limits it.
func documents(t *testing.T, w *testbed.World, sides string) report.Policies {
	t.Helper()
	client, err := awsclient.New(w.Config.AWS)
	must(t, err)
	var configs []aws.Config
	for side, account := range map[rune]string{'A': w.Sandbox.AccountA(), 'B': w.Sandbox.AccountB()} {
		for _, wanted := range sides {
			if wanted != side {
				continue
			}
			keys := w.Sandbox.RootKeys(account)
			configs = append(configs, aws.Config{
				Region: w.Sandbox.Region(), HTTPClient: client,
				Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
			})
		}
	}
	url := w.Sandbox.Endpoint()
	accs, err := awsaccounts.Connect(t.Context(),
		awsaccounts.Endpoints{STS: url, IAM: url, S3: url, KMS: url, CloudTrail: url, PathStyle: true}, configs...)
	must(t, err)
	scope := setup.Scope{
		Identities: []string{w.Dest.Role, w.UserARN}, Keys: []string{w.Dest.KMSKey},
		Buckets: []setup.BucketRef{{Name: w.Dest.Bucket, Account: w.Dest.Owner, Region: w.Dest.Region}},
	}
	snap, err := accs.Read(t.Context(), scope)
	must(t, err)
	out := collect.FromSnapshot(w.Dest, w.UserARN, *snap)
	if payment, err := w.S3.GetBucketRequestPayment(t.Context(),
		&s3.GetBucketRequestPaymentInput{Bucket: aws.String(w.Dest.Bucket)}); err == nil {
		out.Documents = append(out.Documents, report.PolicyDocument{
			Kind: report.DocumentPayment, State: report.Known, Text: `{"Payer":"` + string(payment.Payer) + `"}`,
		})
	}
	return out
}

// checkOf is the first record of a check.
func checkOf(t *testing.T, r report.Report, id string) report.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("there is no check %s", id)
	return report.Check{}
}

func runWith(t *testing.T, w *testbed.World, o report.RunOptions) report.Report {
	t.Helper()
	report, err := verifier(t, w).Run(t.Context(), w.Dest, o, nil)
	must(t, err)
	if report.Calls > 20 {
		t.Errorf("%d calls", report.Calls)
	}
	return report
}
