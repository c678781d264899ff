package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// verify runs verify through the daemon. It returns the report and the first failed check.
func (d *demo) verify(ctx context.Context) (seen report.Report, failed *report.Check, err error) {
	d.say.command("verify", testbed.Destination)
	backend, err := newVerifyBackend((&console.App{Streams: d.Streams, Socket: d.world.SocketPath}), false, "")
	if err != nil {
		return seen, nil, err
	}
	defer backend.close()
	seen, err = backend.verify(ctx, testbed.Destination, report.RunOptions{}, func(c report.Check) error {
		if c.Result == report.Fail && c.Confirms == "" && failed == nil {
			failed = &c
		}
		return nil
	})
	return seen, failed, err
}

func (d *demo) allWell(ctx context.Context) error {
	d.say.heading("verify proves every step, and leaves no object")
	return d.verifyPasses(ctx)
}

// verifyPasses runs verify, shows the number of passed checks, and fails unless verify passes.
func (d *demo) verifyPasses(ctx context.Context) error {
	seen, failed, err := d.verify(ctx)
	if err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("verify finds %s although every policy is in place: %s", failed.Code, failed.Why)
	}
	if got := seen.Result(); got != report.Pass {
		return fmt.Errorf("the result of verify is %q, want %q", got, report.Pass)
	}
	d.showCounts(seen)
	return nil
}

// showCounts prints, for each category, how many checks passed, and how many were not decided.
func (d *demo) showCounts(seen report.Report) {
	var categories []string
	passed, undecided, skipped := make(map[string]int), 0, 0
	for _, c := range seen.Checks {
		switch c.Result {
		case report.Pass:
			if passed[c.Category]++; passed[c.Category] == 1 {
				categories = append(categories, c.Category)
			}
		case report.Unknown:
			undecided++
		case report.Skip:
			skipped++
		}
	}
	text, separator := "passed: ", ""
	for _, name := range categories {
		text += fmt.Sprintf("%s%s %d", separator, name, passed[name])
		separator = ", "
	}
	d.say.good("%s", text)
	if undecided+skipped > 0 {
		d.say.line("%s", d.say.p.Dim(fmt.Sprintf("- %d need the policy documents (see --policies), %d do not apply", undecided, skipped)))
	}
}

func (d *demo) breakKey(ctx context.Context) error {
	d.say.heading("Account B removes the role's statement from the key policy")
	policy, err := d.world.KeyPolicy(ctx)
	if err != nil {
		return err
	}
	if policy, err = testbed.RemoveAllow(policy, testbed.RoleName); err != nil {
		return err
	}
	if err := d.world.PutKeyPolicy(ctx, policy); err != nil {
		return err
	}
	before := len(d.sb.Objects(testbed.Bucket))
	d.say.command("upload", "-d", testbed.Destination, d.name)
	_, err = d.client.UploadFile(ctx, testbed.Destination, d.name, d.file)
	if err == nil {
		return errors.New("the upload was stored although the key policy does not allow it")
	}
	if code := console.CodeOf(err); code != console.ExitFailed {
		return fmt.Errorf("the upload should have failed for good, and its exit code is %d: %w", code, err)
	}
	d.say.bad("%s", err)
	if left := d.sb.MultipartUploads(testbed.Bucket); len(left) > 0 || len(d.sb.Objects(testbed.Bucket)) != before {
		return fmt.Errorf("the refused upload left something behind: %d multipart uploads", len(left))
	}
	d.say.good("no object and no unfinished upload was left behind")
	return nil
}

func (d *demo) repair(ctx context.Context) error {
	d.say.heading("verify names the policy, the account and the statement")
	_, failed, err := d.verify(ctx)
	if err != nil {
		return err
	}
	switch {
	case failed == nil:
		return errors.New("verify passes although the key policy is broken")
	case failed.Artefact.Kind != report.ArtefactKeyPolicy || failed.Account.ID != d.sb.AccountB() || len(failed.Fix.Patch) == 0:
		return fmt.Errorf("verify blames %q of account %q instead of the key policy of account %s", failed.Artefact.Kind, failed.Account.ID,
			d.sb.AccountB())
	}
	d.showFinding(failed)
	d.say.heading("Account B applies the printed statement")
	policy, err := d.world.KeyPolicy(ctx)
	if err != nil {
		return err
	}
	if policy, err = testbed.AddStatement(policy, string(failed.Fix.Patch)); err != nil {
		return err
	}
	if err := d.world.PutKeyPolicy(ctx, policy); err != nil {
		return err
	}
	if err := d.verifyPasses(ctx); err != nil {
		return fmt.Errorf("after the repair: %w", err)
	}
	res, err := d.client.UploadFile(ctx, testbed.Destination, d.name, d.file)
	if err != nil {
		return fmt.Errorf("uploading after the repair: %w", err)
	}
	d.say.good("stored again: s3://%s/%s", res.Bucket, res.Key)
	return nil
}

// showFinding prints the finding, its fix, and the commands that show more.
func (d *demo) showFinding(c *report.Check) {
	d.say.bad("%s: %s", c.Code, c.Why)
	d.say.text("  " + c.Artefact.ARN)
	d.say.line("  Fix, for %s:", c.Fix.Owner)
	d.say.text("    " + indentJSON(c.Fix.Patch, "    "))
	d.say.line("More: `brokerctl explain %s`. The full report of `brokerctl verify`", c.Code)
	d.say.line("also quotes AWS's answer, and prints the fix as a command to paste.")
}

// indentJSON indents a JSON value; the lines after the first begin with prefix.
func indentJSON(value json.RawMessage, prefix string) string {
	var out bytes.Buffer
	if json.Indent(&out, value, prefix, "  ") != nil {
		return string(value)
	}
	return out.String()
}
