package verify_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/collect"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// connected is the administrator of account A, and B as well when cloudTrail
// stands in for its CloudTrail.
func connected(t *testing.T, w *testbed.World, cloudTrail string) *awsaccounts.Accounts {
	t.Helper()
	client, err := awsclient.New(w.Config.AWS)
	must(t, err)
	url := w.Sandbox.Endpoint()
	e := awsaccounts.Endpoints{STS: url, IAM: url, S3: url, KMS: url, CloudTrail: url, PathStyle: true}
	account := w.Sandbox.AccountA()
	if cloudTrail != "" {
		e.CloudTrail, account = cloudTrail, w.Sandbox.AccountB()
	}
	keys := w.Sandbox.RootKeys(account)
	accs, err := awsaccounts.Connect(t.Context(), e,
		aws.Config{Region: w.Sandbox.Region(), HTTPClient: client,
			Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)})
	must(t, err)
	return accs
}

// The last step of the guide: CloudTrail shows the session of the role.
func TestCloudTrailShowsTheSession(t *testing.T) {
	w := world(t)
	audit := func() report.Policies {
		a := connected(t, w, "").ReadAudit(t.Context(), w.Sandbox.AccountA(), w.Sandbox.AccountB(), w.Dest.Region, w.Dest.Session.Name)
		return collect.FromAudit(a.Selectors, a.Events)
	}
	before := checkOf(t, runWith(t, w, report.RunOptions{Policies: audit()}), "BRK-AUD-002")
	if before.Result != report.Warn || !strings.Contains(before.Why, "no event") {
		t.Errorf("before anything was done: %s %s", before.Result, before.Why)
	}
	r := runWith(t, w, report.RunOptions{Policies: audit()})
	if got := checkOf(t, r, "BRK-AUD-002"); got.Result != report.Pass || !strings.Contains(got.Why, "assumed-role/"+testbed.RoleName) {
		t.Errorf("got %s: %s", got.Result, got.Why)
	}
	// Account B was not read: the trail is undecided, with the reason.
	if got := checkOf(t, r, "BRK-AUD-001"); got.Result != report.Unknown || !strings.Contains(got.Why, "no credentials") {
		t.Errorf("trails: %s %s", got.Result, got.Why)
	}
	other := collect.FromAudit(setup.UnreadPart[map[string]string](""),
		setup.KnownPart([]string{
			`{"eventName":"AssumeRole","userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/Other/brokerd"}}`, `no JSON`,
		}))
	if got := checkOf(t, runWith(t, w, report.RunOptions{Policies: other}), "BRK-AUD-002"); got.Result == report.Pass {
		t.Errorf("an event of another session passes: %s", got.Why)
	}
}

// The selectors are read as CloudTrail answers them, in both of their forms.
func TestATrailRecordsTheWritesOrDoesNot(t *testing.T) {
	const (
		basic    = `{"EventSelectors":[{"ReadWriteType":"%","DataResources":[{"Type":"AWS::S3::Object","Values":["@"]}]}]}`
		advanced = `{"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},` +
			`{"Field":"resources.type","Equals":["AWS::S3::Object"]},%{"Field":"resources.ARN","StartsWith":["@"]}]}]}`
		bucket = "arn:aws:s3:::tenant-s3-test-bucket/"
	)
	fill := func(form, middle, arn string) string {
		return strings.NewReplacer("%", middle, "@", arn).Replace(form)
	}
	for _, c := range []struct {
		name, selectors string
		want            report.Result
	}{
		{"all writes of the bucket", fill(basic, "WriteOnly", bucket), report.Pass},
		{"everything of all buckets", fill(basic, "All", "arn:aws:s3"), report.Pass},
		{"the destination's prefix", fill(basic, "All", bucket+"logs/"), report.Pass},
		{"reads alone", fill(basic, "ReadOnly", bucket), report.Warn},
		{"another bucket", fill(basic, "All", "arn:aws:s3:::other/"), report.Warn},
		{"another prefix", fill(basic, "All", bucket+"other/"), report.Warn},
		{"advanced, writes", fill(advanced, `{"Field":"readOnly","Equals":["false"]},`, bucket), report.Pass},
		{"advanced, reads", fill(advanced, `{"Field":"readOnly","Equals":["true"]},`, bucket), report.Warn},
		{"advanced, both", fill(advanced, "", bucket), report.Pass},
		{"advanced, another bucket", fill(advanced, "", "arn:aws:s3:::other/"), report.Warn},
		{"management events", `{"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]}`, report.Warn},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			trails := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
				answer := `{"trailList":[{"Name":"all","TrailARN":"arn:aws:cloudtrail:eu-west-1:444455556666:trail/all"}]}`
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetEventSelectors") {
					answer = c.selectors
				}
				_, _ = rw.Write([]byte(answer))
			}))
			t.Cleanup(trails.Close)
			a := connected(t, w, trails.URL).ReadAudit(t.Context(), w.Sandbox.AccountA(), w.Sandbox.AccountB(), w.Dest.Region, w.Dest.Session.Name)
			got := checkOf(t, runWith(t, w, report.RunOptions{Policies: collect.FromAudit(a.Selectors, a.Events)}), "BRK-AUD-001")
			if got.Result != c.want {
				t.Errorf("got %s: %s", got.Result, got.Why)
			}
			// put-event-selectors would replace the selectors of others: it is no command to paste.
			if c.want == report.Warn && (!strings.Contains(got.Fix.Text, bucket+"logs/") || got.Fix.Command != "") {
				t.Errorf("the fix does not name the prefix, or has a command: %+v", got.Fix)
			}
		})
	}
}

// A reference to another bucket is no proof: the target must be able to receive logs.
func TestAccessLogsPassOnlyWhenTheirBucketCanReceiveThem(t *testing.T) {
	setting := func(kind, text string) report.PolicyDocument {
		return report.PolicyDocument{Kind: kind, State: report.Known, Text: text}
	}
	logging := setting(report.DocumentLogging, `{"LoggingEnabled":{"TargetBucket":"logs","TargetPrefix":"s3/"}}`)
	for _, c := range []struct {
		name string
		docs []report.PolicyDocument
		want report.Result
	}{
		{"no logging", []report.PolicyDocument{setting(report.DocumentLogging, `{}`)}, report.Warn},
		{"a target that was not read", []report.PolicyDocument{logging}, report.Unknown},
		{"a target that receives", []report.PolicyDocument{logging, setting(report.DocumentLogTarget, `{"Problems":[]}`)}, report.Pass},
		{
			"a target that cannot receive",
			[]report.PolicyDocument{logging, setting(report.DocumentLogTarget, `{"Problems":["its default encryption is SSE-KMS"]}`)}, report.Warn,
		},
		{"a target that could not be decoded", []report.PolicyDocument{logging, setting(report.DocumentLogTarget, `[]`)}, report.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			got := checkOf(t, runWith(t, w, report.RunOptions{Policies: report.Policies{Documents: c.docs}}), "BRK-AUD-003")
			if got.Result != c.want || got.Result == report.Unknown && !got.Advisory {
				t.Errorf("got %s (advisory %t): %s", got.Result, got.Advisory, got.Why)
			}
		})
	}
}
