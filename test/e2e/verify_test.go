package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// mistake N: an administrator makes the mistake of that number of test/misconfig;
// several may be named.
func mistake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: mistake NUMBER…")
	}
	for _, arg := range args {
		n, err := strconv.Atoi(arg)
		ts.Check(err)
		all := misconfig.All()
		i := slices.IndexFunc(all, func(m misconfig.Mistake) bool { return m.Number == n && m.Delivery && m.Make != nil })
		if i < 0 {
			ts.Fatalf("there is no mistake %d that a delivery suffers from", n)
		}
		ts.Check(all[i].Make(context.Background(), worldOf(ts)))
		ts.Logf("somebody made a mistake: %s", all[i].Name)
	}
}

// document is one of the four policies, as it is and as it can be put.
type document struct {
	get func(context.Context, *testbed.World) (string, error)
	put func(*testbed.World, context.Context, string) error
}

var documents = map[string]document{
	report.ArtefactTrust: {func(ctx context.Context, w *testbed.World) (string, error) {
		out, err := w.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(testbed.RoleName)})
		if err != nil {
			return "", err
		}
		return url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument))
	}, func(w *testbed.World, ctx context.Context, doc string) error {
		return testbedtest.PutTrust(ctx, w, doc)
	}},
	report.ArtefactIdentity: {func(ctx context.Context, w *testbed.World) (string, error) {
		out, err := w.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(testbed.RoleName),
			PolicyName: aws.String(setup.InlineName)})
		if err != nil {
			return "", err
		}
		return url.QueryUnescape(aws.ToString(out.PolicyDocument))
	}, (*testbed.World).PutIdentity},
	report.ArtefactBucketPolicy: {func(ctx context.Context, w *testbed.World) (string, error) {
		out, err := w.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(testbed.Bucket)})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Policy), nil
	}, (*testbed.World).PutBucketPolicy},
	report.ArtefactKeyPolicy: {func(ctx context.Context, w *testbed.World) (string, error) { return w.KeyPolicy(ctx) },
		(*testbed.World).PutKeyPolicy},
}

// repair REPORT: the administrators of both accounts apply the fixes of the JSON report.
func repair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: repair REPORT")
	}
	var printed struct {
		Destinations []struct{ Checks []report.Check }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &printed))
	done := 0
	for _, d := range printed.Destinations {
		for _, c := range d.Checks {
			if c.Result != report.Fail || c.Fix.IsZero() {
				continue
			}
			doc, ok := documents[c.Artefact.Kind]
			if !ok {
				ts.Fatalf("%s is repaired by hand: %s", c.Code, c.Fix.Text)
			}
			text, err := doc.get(context.Background(), worldOf(ts))
			ts.Check(err)
			text, err = repaired(text, c.Fix)
			ts.Check(err)
			ts.Check(doc.put(worldOf(ts), context.Background(), text))
			done++
		}
	}
	if done == 0 {
		ts.Fatalf("the report has nothing to repair")
	}
}

func repaired(text string, fix report.Fix) (string, error) {
	if fix.Kind == report.FixAddStatement {
		return testbed.AddStatement(text, string(fix.Patch))
	}
	var doc map[string]json.RawMessage
	var statements []json.RawMessage
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return "", err
	}
	if err := json.Unmarshal(doc["Statement"], &statements); err != nil {
		return "", err
	}
	if fix.Statement == nil || fix.Statement.Index >= len(statements) {
		return "", fmt.Errorf("the fix %q names no statement of the policy", fix.Kind)
	}
	switch i := fix.Statement.Index; fix.Kind {
	case report.FixReplaceStatement:
		statements[i] = fix.Patch
	case report.FixRemoveStatement:
		statements = slices.Delete(statements, i, i+1)
	default:
		return "", fmt.Errorf("the fix %q is no edit of a policy", fix.Kind)
	}
	edited, err := json.Marshal(statements)
	if err != nil {
		return "", err
	}
	doc["Statement"] = edited
	out, err := json.Marshal(doc)
	return string(out), err
}

// policies DIR: both accounts export their policies into a directory.
func policies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: policies DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	for kind, doc := range documents {
		text, err := doc.get(context.Background(), worldOf(ts))
		ts.Check(err)
		var readable bytes.Buffer
		ts.Check(json.Indent(&readable, []byte(text), "", "  "))
		ts.Check(os.WriteFile(filepath.Join(dir, kind+".json"), readable.Bytes(), 0o600))
	}
}

// patience is how long a script waits for what must happen.
const patience = 60 * time.Second

// until PATTERN PROGRAM ARGS…: runs the program again and again until its output
// matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM ARGS…")
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	poll(ts, "the output matches "+args[0], func() bool {
		_ = ts.Exec(args[1], args[2:]...)
		return want.MatchString(ts.ReadFile("stdout"))
	})
}

// rounds N: waits until so many more verifications have asked S3.
func rounds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: rounds N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	asked := func() int { return worldOf(ts).Sandbox.CountCalls("sts", "GetCallerIdentity") }
	from := asked()
	// A round asks twice: who the source is, and who the session is. One more round
	// has to begin before the last of them is known to have ended.
	poll(ts, "there are more rounds", func() bool { return asked() >= from+2*(n+1) })
}

func poll(ts *testscript.TestScript, what string, ok func() bool) {
	limit := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			ts.Fatalf("in %v it never happened that %s", patience, what)
		case <-tick.C:
		}
	}
}
