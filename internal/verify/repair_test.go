package verify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// apply makes the change of a fix, and no other.
func apply(t *testing.T, w *testbed.World, c report.Check) {
	t.Helper()
	ctx, f := t.Context(), c.Fix
	role := aws.String(testbed.RoleName)
	if f.Kind == report.FixConfig {
		var patch struct {
			Session struct {
				ExternalID string `json:"external_id"`
			} `json:"session"`
		}
		if err := json.Unmarshal(f.Patch, &patch); err != nil || patch.Session.ExternalID == "" {
			t.Fatalf("%s: no change of the configuration that could be applied: %q", c.Code, f.Patch)
		}
		w.Dest.Session.ExternalID = patch.Session.ExternalID
		return
	}
	switch {
	case strings.Contains(f.Target, ":policy/"):
		version, err := w.IAM.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(f.Target)})
		must(t, err)
		doc, err := w.IAM.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{
			PolicyArn: aws.String(f.Target), VersionId: version.Policy.DefaultVersionId,
		})
		must(t, err)
		_, err = w.IAM.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{
			PolicyArn: aws.String(f.Target), SetAsDefault: true, PolicyDocument: aws.String(patched(t, unescaped(t, doc.PolicyVersion.Document), f)),
		})
		must(t, err)
	case c.Artefact.Kind == report.ArtefactTrust:
		out, err := w.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: role})
		must(t, err)
		must(t, testbedtest.PutTrust(ctx, w, patched(t, unescaped(t, out.Role.AssumeRolePolicyDocument), f)))
	case c.Artefact.Kind == report.ArtefactIdentity:
		doc := emptyPolicy
		if f.Kind != report.FixAddStatement {
			out, err := w.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String(f.Policy)})
			must(t, err)
			doc = unescaped(t, out.PolicyDocument)
		}
		_, err := w.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
			RoleName: role, PolicyName: aws.String(f.Policy), PolicyDocument: aws.String(patched(t, doc, f)),
		})
		must(t, err)
	case c.Artefact.Kind == report.ArtefactSourcePolicy:
		_, err := w.IAM.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
			UserName: aws.String(testbed.UserName), PolicyName: aws.String(f.Policy), PolicyDocument: aws.String(patched(t, emptyPolicy, f)),
		})
		must(t, err)
	case c.Artefact.Kind == report.ArtefactBucketPolicy, c.Artefact.Kind == report.ArtefactIdentityBucket:
		doc := emptyPolicy
		out, err := w.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(testbed.Bucket)})
		var api smithy.APIError
		switch {
		case err == nil:
			doc = aws.ToString(out.Policy)
		case !errors.As(err, &api) || api.ErrorCode() != "NoSuchBucketPolicy":
			t.Fatal(err)
		}
		must(t, w.PutBucketPolicy(ctx, patched(t, doc, f)))
	case c.Artefact.Kind == report.ArtefactKeyPolicy, c.Artefact.Kind == report.ArtefactIdentityKey:
		doc, err := w.KeyPolicy(ctx)
		must(t, err)
		must(t, w.PutKeyPolicy(ctx, patched(t, doc, f)))
	default:
		t.Fatalf("%s: nobody knows how to change %q: %+v", c.Code, c.Artefact.Kind, f)
	}
}

const emptyPolicy = `{"Version":"2012-10-17","Statement":[]}`

func unescaped(t *testing.T, doc *string) string {
	t.Helper()
	out, err := url.QueryUnescape(aws.ToString(doc))
	must(t, err)
	return out
}

// patched changes one statement of a document, as the command of a fix does.
func patched(t *testing.T, doc string, f report.Fix) string {
	t.Helper()
	var d struct {
		Version   string            `json:",omitempty"`
		ID        string            `json:"Id,omitempty"`
		Statement []json.RawMessage `json:"Statement"`
	}
	must(t, json.Unmarshal([]byte(doc), &d))
	switch f.Kind {
	case report.FixAddStatement:
		d.Statement = append(
			slices.DeleteFunc(d.Statement, func(s json.RawMessage) bool { return sidOf(s) != "" && sidOf(s) == sidOf(f.Patch) }), f.Patch,
		)
	case report.FixReplaceStatement:
		d.Statement[f.Statement.Index] = f.Patch
	case report.FixRemoveStatement:
		d.Statement = slices.Delete(d.Statement, f.Statement.Index, f.Statement.Index+1)
	default:
		t.Fatalf("a fix of kind %q changes no document: %s", f.Kind, f.Text)
	}
	out, err := json.Marshal(d)
	must(t, err)
	return string(out)
}

func sidOf(statement json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(statement, &s)
	return s.Sid
}

// repaired applies what verify prints until it passes. AWS shows some faults only
// when others are gone, so that it may take several rounds.
func repaired(t *testing.T, w *testbed.World, r report.Report, again func() report.Report) {
	t.Helper()
	for range 4 {
		if r.Result() == report.Pass {
			return
		}
		before := ""
		for _, c := range r.Fixes() {
			if c.Result != report.Fail {
				continue
			}
			before += fmt.Sprintf("%s: %s\n%s\n", c.Code, c.Fix.Text, c.Fix.Patch)
			apply(t, w, c)
		}
		if r = again(); r.Result() != report.Pass {
			t.Logf("after\n%sit is %s", before, r.Result())
		}
	}
	for _, c := range r.Checks {
		if c.Result == report.Fail || c.Result == report.Unknown && !c.Advisory {
			t.Errorf("after the printed fixes: %s %s %s: %s\n%+v", c.ID, c.Code, c.Result, c.Why, c.Evidence)
		}
	}
}
