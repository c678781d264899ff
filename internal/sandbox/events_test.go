package sandbox_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

// lookUp returns the records of an account by one attribute, newest first.
func lookUp(t *testing.T, c *clients, key cttypes.LookupAttributeKey, value string) []trail.Event {
	t.Helper()
	var out []trail.Event
	pages := cloudtrail.NewLookupEventsPaginator(cloudtrail.NewFromConfig(c.cfg), &cloudtrail.LookupEventsInput{
		MaxResults: aws.Int32(2), LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: key, AttributeValue: aws.String(value)}},
	})
	for pages.HasMorePages() {
		page := must[*cloudtrail.LookupEventsOutput](t)(pages.NextPage(t.Context()))
		for _, e := range page.Events {
			var record trail.Event
			if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &record); err != nil {
				t.Fatal(err)
			}
			if *e.EventId != record.EventID || *e.EventName != record.EventName || !e.EventTime.Equal(record.EventTime) {
				t.Errorf("the summary %s %s %s is of another event than %+v", *e.EventId, *e.EventName, e.EventTime, record)
			}
			out = append(out, record)
		}
	}
	return out
}

// The last step of a cross-account set-up: who wrote the object?
func TestBothAccountsSeeWhoWroteTheObject(t *testing.T) {
	w := newWorld(t)
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/x", []byte("text"))))
	object := "arn:aws:s3:::" + bucketB + "/logs/x"

	inB := lookUp(t, w.rootB, cttypes.LookupAttributeKeyResourceName, object)
	if len(inB) != 1 {
		t.Fatalf("account B has %d records of the object", len(inB))
	}
	e := inB[0]
	id := e.UserIdentity
	role := strings.Split(id.PrincipalID, ":")[0]
	if e.EventName != "PutObject" || e.RecipientAccountID != accountB || id.Type != "AWSAccount" || id.AccountID != accountA ||
		!strings.HasPrefix(role, "AROA") || id.ARN != "" || id.AccessKeyID != "" {
		t.Errorf("account B sees %+v", e)
	}
	if e.EventCategory != "Data" || e.ManagementEvent || e.ReadOnly || e.RequestParameters["key"] != "logs/x" ||
		e.RequestParameters["x-amz-server-side-encryption"] != "aws:kms" ||
		e.AdditionalEventData["SSEApplied"] != "SSE_KMS" || e.AdditionalEventData["bytesTransferredIn"] == 0.0 || e.TLSDetails == nil {
		t.Errorf("account B's record says %+v", e)
	}

	inA := lookUp(t, w.rootA, cttypes.LookupAttributeKeyUsername, "brokerd")
	names := func(events []trail.Event) (out []string) {
		for _, e := range events {
			out = append(out, strings.TrimSuffix(e.EventSource, ".amazonaws.com")+":"+e.EventName)
		}
		return out
	}
	if got := names(inA); !slices.Equal(got, []string{"kms:GenerateDataKey", "s3:PutObject"}) {
		t.Fatalf("account A sees of the session %v", got)
	}
	put, key := inA[1], inA[0]
	if put.SharedEventID != e.SharedEventID || put.EventID == e.EventID {
		t.Error("the two accounts' records are not told to be of one call")
	}
	issuer := put.UserIdentity.SessionContext.SessionIssuer
	if put.UserIdentity.Type != "AssumedRole" || put.UserIdentity.AccessKeyID != w.session.AccessKeyID || issuer.ARN != w.role ||
		issuer.PrincipalID != role {
		t.Errorf("account A sees %+v", put.UserIdentity)
	}
	if key.UserIdentity.InvokedBy != "AWS Internal" || key.SourceIPAddress != "AWS Internal" || key.Resources[0].ARN != w.key {
		t.Errorf("S3's call to KMS is %+v", key)
	}
	if context, _ := key.RequestParameters["encryptionContext"].(map[string]any); context["aws:s3:arn"] != "arn:aws:s3:::"+bucketB {
		t.Errorf("with the encryption context %v", context)
	}

	assumed := lookUp(t, w.rootA, cttypes.LookupAttributeKeyEventName, "AssumeRole")
	if len(assumed) != 1 || assumed[0].UserIdentity.UserName != "app" || assumed[0].RequestParameters["roleArn"] != w.role ||
		assumed[0].RequestParameters["externalId"] != "tenant-7" {
		t.Errorf("AssumeRole is %+v", assumed)
	}
}

func TestDenialsAreRecorded(t *testing.T) {
	w := newWorld(t)
	if _, err := w.uploader.s3.PutObject(t.Context(), w.put("elsewhere/x", nil)); code(err) != "AccessDenied" {
		t.Fatal(err)
	}
	for _, c := range []*clients{w.rootA, w.rootB} {
		got := lookUp(t, c, cttypes.LookupAttributeKeyEventName, "PutObject")
		if len(got) != 1 || got[0].ErrorCode != "AccessDenied" || got[0].ErrorMessage == "" || got[0].ResponseElements != nil {
			t.Errorf("the record of a denial is %+v", got)
		}
	}
}

func TestBothListsAreOneEvent(t *testing.T) {
	w := newWorld(t)
	must[*s3.ListObjectsOutput](t)(w.rootB.s3.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: aws.String(bucketB)}))
	must[*s3.ListObjectsV2Output](t)(w.rootB.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucketB)}))
	if got := lookUp(t, w.rootB, cttypes.LookupAttributeKeyEventName, "ListObjects"); len(got) != 2 || !got[0].ReadOnly {
		t.Errorf("the records of two lists: %+v", got)
	}
}

func TestLookupEventsIsItselfAuthorized(t *testing.T) {
	w := newWorld(t)
	ask := func(c *clients, in *cloudtrail.LookupEventsInput) error {
		_, err := cloudtrail.NewFromConfig(c.cfg).LookupEvents(t.Context(), in)
		return err
	}
	if err := ask(w.app, &cloudtrail.LookupEventsInput{}); code(err) != "AccessDeniedException" || status(err) != 400 ||
		!strings.Contains(message(err), "cloudtrail:LookupEvents") {
		t.Errorf("without permission: %v", err)
	}
	now := time.Now()
	name := cttypes.LookupAttribute{AttributeKey: "EventName", AttributeValue: aws.String("x")}
	for want, in := range map[string]*cloudtrail.LookupEventsInput{
		"InvalidLookupAttributesException": {LookupAttributes: []cttypes.LookupAttribute{name, name}},
		"InvalidTimeRangeException":        {StartTime: aws.Time(now), EndTime: aws.Time(now.Add(-time.Hour))},
		"InvalidMaxResultsException":       {MaxResults: aws.Int32(51)},
		"InvalidNextTokenException":        {NextToken: aws.String("x")},
		"NotImplemented":                   {EventCategory: cttypes.EventCategoryInsight},
	} {
		if err := ask(w.rootA, in); code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := cloudtrail.NewFromConfig(w.rootA.cfg).DescribeTrails(t.Context(), nil); code(err) != "NotImplemented" {
		t.Errorf("an operation that is not modelled: %v", err)
	}
}

func TestAServiceThatIsNotThereSaysSo(t *testing.T) {
	sb := start(t, sandbox.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sb.Endpoint()+"/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "secretsmanager.ListSecrets")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu-west-1/secretsmanager/aws4_request, "+
		"SignedHeaders=host, Signature=0")
	resp, err := httpClient(t, sb).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != 501 || body.Type != "NotImplemented" ||
		!strings.Contains(body.Message, "secretsmanager") {
		t.Errorf("%s %+v %v", resp.Status, body, err)
	}
}

// No secret is in a record.
func TestNoSecretIsRecorded(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must[*kms.EncryptOutput](t)(
		w.rootB.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(w.key), Plaintext: []byte("confidential-plaintext")}),
	)
	made := must[*iam.CreateAccessKeyOutput](t)(w.rootA.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("app")}))
	url := must[*s3.PresignClient](t)(s3.NewPresignClient(w.uploader.s3), nil)
	signed, err := url.PresignPutObject(ctx, w.put("logs/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(signed.URL, "X-Amz-Signature=")
	resp, err := httpClient(t, w.sb).Get(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("text"))))
	var all []byte
	for _, c := range []*clients{w.rootA, w.rootB} {
		for _, name := range []string{"true", "false"} {
			text, err := json.Marshal(lookUp(t, c, cttypes.LookupAttributeKeyReadOnly, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
	}
	if n := strings.Count(string(all), `"eventName"`); n < 15 {
		t.Fatalf("%d records were looked at", n)
	}
	for name, secret := range map[string]string{
		"a plaintext": "Y29uZmlkZW50aWFsLXBsYWludGV4d", "a session token": w.session.SessionToken,
		"a session's secret": w.session.SecretAccessKey, "a user's secret": *made.AccessKey.SecretAccessKey,
		"root's secret": w.sb.RootKeys(accountA).SecretAccessKey, "a presigned URL's signature": signature,
	} {
		if secret == "" || strings.Contains(string(all), strings.SplitN(secret, "&", 2)[0]) {
			t.Errorf("%s is recorded", name)
		}
	}
}
