//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inBare runs commands as account B's administrator, with the AWS CLI, jq and a POSIX
// shell, and nothing of brokerd.
func (p prepared) inBare(t *testing.T, dir, commands string) string {
	t.Helper()
	env := p.run(t, `brokerctl sandbox env --account b | grep '^export'`)
	script := filepath.Join(t.TempDir(), "commands.sh")
	if err := os.WriteFile(script, []byte("set -eu\n"+env+"export AWS_PAGER=\n"+commands), 0o600); err != nil {
		t.Fatal(err)
	}
	return p.run(t, "cd "+dir+" && env PATH=\"$BARE\" sh "+script+" 2>&1")
}

// The journey of B's administrator: the mail arrives, is reviewed, applied, checked and
// revoked. The commands are those of the mail and of the guide, as they stand there.
func TestTheAdministratorOfAccountBWorksFromTheMail(t *testing.T) {
	t.Parallel()
	p := prepare(t, true)
	p.env = append(p.env, "BARE="+bareShell(t, "diff", "env", "sed"))
	p.run(t, `brokerctl sandbox env -o files > files.sh; . ./files.sh
brokerctl setup apply --yes --config brokerd.yaml --source-profile account-a --handover mail > apply.txt 2>&1 || { cat apply.txt; exit 1; }
ls mail`)
	mails, err := filepath.Glob(filepath.Join(p.dir, "mail", "*.md"))
	if err != nil || len(mails) != 1 {
		t.Fatalf("%v: %v", err, mails)
	}

	// Review, then apply: the script that came along, twice.
	apply := shellBlocks(section(t, mails[0], "Apply it"))[0]
	if out := p.inBare(t, "mail", apply); !strings.Contains(out, "pending changes") || !regexp.MustCompile(`: \d+ changes`).MatchString(out) {
		t.Errorf("the script said:\n%s", out)
	}
	if out := p.inBare(t, "mail", apply); strings.Count(out, "nothing to do") != 2 {
		t.Errorf("the second run said:\n%s", out)
	}
	p.delivers(t)
	p.keepsTheirs(t, true)

	// Check: the mail's commands, and those of the guide's table.
	check := shellBlocks(section(t, mails[0], "Check it afterwards"))[0]
	if out := p.inBare(t, "mail", check); !strings.Contains(out, "logs/little-") || !strings.Contains(out, "GenerateDataKey") {
		t.Errorf("the check shows:\n%s", out)
	}
	names := strings.NewReplacer("BUCKET", "tenant-logs", "PREFIX", "logs/", "KEY-ARN", p.key(t), `\|`, "|")
	audit := regexp.MustCompile("`(aws .*?)` \\|\n").FindAllStringSubmatch(section(t, "../../docs/guide-account-b.md", "3. Audit it"), -1)
	if len(audit) < 4 {
		t.Fatalf("%d commands in the table of the guide", len(audit))
	}
	var all strings.Builder
	for _, m := range audit {
		all.WriteString(names.Replace(m[1]) + "\n")
	}
	if out := p.inBare(t, "mail", all.String()); !strings.Contains(out, "logs/little-") || !strings.Contains(out, "BrokerdAllowWrite") {
		t.Errorf("the guide's commands show:\n%s", out)
	}

	// Revoke, and what A sees then.
	p.inBare(t, "mail", strings.Join(shellBlocks(section(t, mails[0], "Revoke it")), ""))
	p.keepsTheirs(t, true)
	out := p.run(t, `
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_PROFILE
export BROKERD_SOCKET=$PWD/s.sock
brokerd serve --config brokerd.yaml 2> daemon.log &
trap 'kill $!; wait' EXIT
brokerctl wait --timeout 30s > /dev/null
brokerctl upload -d audit-logs little 2>&1 || echo "exit $?"
brokerctl verify audit-logs -o short 2>&1 || echo "exit $?"`)
	account := strings.TrimSpace(p.run(t, "jq -r .account_b sandbox.json"))
	if !strings.Contains(out, "[ACCESS_DENIED]") || strings.Count(out, "exit 1") != 2 || !strings.Contains(out, account) {
		t.Errorf("account A sees:\n%s", out)
	}
}

// key returns the key's ARN.
func (p prepared) key(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(p.run(t, `sed -n 's/ *kms_key: //p' brokerd.yaml`))
}
