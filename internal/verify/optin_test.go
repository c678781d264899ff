package verify_test

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// A Region that account A has not enabled knows none of its credentials. The codes are
// those of wrong credentials, so that the Region decides what verify suspects.
func TestCredentialsThatAnOptInRegionDoesNotKnow(t *testing.T) {
	for _, c := range []struct {
		operation, code, message string
		status                   int
		there, elsewhere         string // codes of the finding in an opt-in Region, and in another one
	}{
		{"s3:CreateMultipartUpload", "InvalidToken", "The provided token is malformed or otherwise invalid.", 400, "BRK-ID-052", "BRK-ID-050"},
		{"s3:CreateMultipartUpload", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403,
			"BRK-ID-052", "BRK-ID-050"},
		{"sts:AssumeRole", "InvalidClientTokenId", "The security token included in the request is invalid.", 403, "BRK-ID-052", "BRK-ID-011"},
		{"sts:AssumeRole", "RegionDisabledException", "STS is not activated in this region for account:111122223333.", 403,
			"BRK-ID-052", "BRK-ID-052"},
		{"s3:CreateMultipartUpload", "ExpiredToken", "The provided token has expired.", 400, "BRK-ID-050", "BRK-ID-050"},
	} {
		for region, want := range map[string]string{"ap-east-1": c.there, "eu-west-1": c.elsewhere} {
			t.Run(c.operation+" "+c.code+" in "+region, func(t *testing.T) {
				t.Parallel()
				w := worldIn(t, region)
				must(t, w.Sandbox.AddFault(sandbox.Fault{Operation: c.operation, Code: c.code, Message: c.message, Status: c.status}))
				got := firstProblem(t, runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")}))
				if got.Code != want {
					t.Fatalf("got %s, want %s: %s", got.Code, want, got.Why)
				}
				if got.Confidence == report.Proven && want == "BRK-ID-052" && c.code != "RegionDisabledException" {
					t.Errorf("proven, although wrong credentials give the same code: %s", got.Why)
				}
				if want == "BRK-ID-052" && !strings.Contains(got.Fix.Text, "enable-region") && c.code != "RegionDisabledException" {
					t.Errorf("the fix does not say how the Region is enabled: %s", got.Fix.Text)
				}
			})
		}
	}
}
