//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// prepared is a sandbox in which account B has a bucket and a key with policies
// of other people's, and account A an application: what setup starts from.
type prepared struct {
	dir string // holds brokerd.yaml
	env []string
}

// foreign are statements that have to outlive everything that setup does.
const foreignSid = "AuditorsRead"

const prepareScript = `
brokerctl sandbox env --format json > sandbox.json
j() { python3 -c 'import json,sys; d=json.load(open("sandbox.json")); print(eval("d"+sys.argv[1]))' "$1"; }
A=$(j '["account_a"]'); B=$(j '["account_b"]')
eval "$(brokerctl sandbox env --account a)"
aws iam create-user --user-name app > /dev/null
aws iam create-role --role-name auditors --assume-role-policy-document '{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'$A':root"},"Action":"sts:AssumeRole"}]}' > /dev/null
aws iam create-access-key --user-name app --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text |
  (read -r id secret; printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$id" "$secret" > credentials)
ENDPOINT=$AWS_ENDPOINT_URL CA=$AWS_CA_BUNDLE
eval "$(brokerctl sandbox env --account b)"
KEY=$(aws kms create-key --query KeyMetadata.Arn --output text)
aws kms put-key-policy --key-id "$KEY" --policy-name default --policy '{"Version":"2012-10-17","Statement":[
  {"Sid":"Admins","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'$B':root"},"Action":"kms:*","Resource":"*"},
  {"Sid":"` + foreignSid + `","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'$A':role/auditors"},"Action":"kms:Decrypt",
  "Resource":"*"}]}'
if [ "$MAKE_BUCKET" = yes ]; then
  aws s3api create-bucket --bucket tenant-logs --create-bucket-configuration LocationConstraint=eu-west-1 > /dev/null
  aws s3api put-bucket-policy --bucket tenant-logs --policy '{"Version":"2012-10-17","Statement":[
    {"Sid":"` + foreignSid + `","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'$A':role/auditors"},"Action":"s3:GetObject",
    "Resource":"arn:aws:s3:::tenant-logs/${aws:username}/*"}]}'
  aws s3api put-bucket-lifecycle-configuration --bucket tenant-logs --lifecycle-configuration '{"Rules":[
    {"ID":"theirs","Status":"Enabled","Filter":{"Prefix":"tmp/"},"Expiration":{"Days":9}}]}' > /dev/null
fi
cat > brokerd.yaml <<END
socket: {path: $PWD/s.sock}
metrics: {address: ""}
aws:
  credentials_file: $PWD/credentials
  ca_bundle: $CA
  endpoints: {sts: $ENDPOINT, s3: $ENDPOINT, kms: $ENDPOINT}
destinations:
  audit-logs:
    role: arn:aws:iam::$A:role/apps/uploads
    bucket: tenant-logs
    owner: "$B"
    region: eu-west-1
    kms_key: $KEY
    key: logs/{name}-{id}
    path_style: true
    tags: {retention: 7y}
    session: {external_id: tenant-7}
setup:
  runs_as: {type: user, principal: "arn:aws:iam::$A:user/app"}
  create_bucket: $CREATE_BUCKET
access:
  - peer: {uid: "$(id -u)"}
    destinations: ["*"]
    allow: [upload, verify, admin]
END
brokerd check-config --config brokerd.yaml > /dev/null
`

// prepare makes the two accounts; with a bucket there is one with a policy and a
// lifecycle rule, otherwise the configuration asks for one to be made.
func prepare(t *testing.T, bucket bool) prepared {
	t.Helper()
	onPath(t, "bash", "aws", "python3")
	// A short path of this test's own: a socket's path has a limit.
	dir, err := os.MkdirTemp("", "setup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := prepared{dir, sandboxProcess(t)}
	p.env = append(p.env, "AWS_EC2_METADATA_DISABLED=true")
	if bucket {
		p.env = append(p.env, "MAKE_BUCKET=yes", "CREATE_BUCKET=false")
	} else {
		p.env = append(p.env, "MAKE_BUCKET=no", "CREATE_BUCKET=true")
	}
	if out, err := shell(t, dir, p.env, prepareScript); err != nil {
		t.Fatalf("preparing the accounts: %v\n%s", err, out)
	}
	return p
}

func (p prepared) run(t *testing.T, commands string) string {
	t.Helper()
	out, err := shell(t, p.dir, p.env, commands)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// delivers starts the daemon and uploads: small, and in parts.
func (p prepared) delivers(t *testing.T) {
	t.Helper()
	out := p.run(t, `
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_PROFILE
export BROKERD_SOCKET=$PWD/s.sock
brokerd serve --config brokerd.yaml 2> daemon.log &
trap 'kill $!; wait' EXIT
brokerctl wait --timeout 30s > /dev/null
head -c 12000000 /dev/zero > big; echo small > little
brokerctl upload -d audit-logs big little > /dev/null || { tail -5 daemon.log; exit 1; }
brokerctl verify audit-logs > verify.log || { cat verify.log; exit 1; }
echo delivered`)
	if strings.TrimSpace(out) != "delivered" {
		t.Errorf("%s", out)
	}
}

// keepsTheirs looks at what others had in the accounts.
func (p prepared) keepsTheirs(t *testing.T, bucket bool) {
	t.Helper()
	out := p.run(t, `eval "$(brokerctl sandbox env --account b)"
aws kms get-key-policy --policy-name default --query Policy --output text --key-id $(sed -n 's/ *kms_key: //p' brokerd.yaml)
aws s3api get-bucket-policy --query Policy --output text --bucket tenant-logs || true
aws s3api get-bucket-lifecycle-configuration --bucket tenant-logs --query 'Rules[].ID' --output text || true`)
	want := 1
	if bucket {
		want = 2
	}
	if n := strings.Count(out, foreignSid); n != want {
		t.Errorf("%d of %d statements of others are left:\n%s", n, want, out)
	}
	if bucket && !strings.Contains(out, "tenant-logs/${aws:username}/*") {
		t.Errorf("the variable in the statement of others is gone:\n%s", out)
	}
	if bucket && !strings.Contains(out, "theirs") {
		t.Errorf("the lifecycle rule of others is gone:\n%s", out)
	}
}

func TestRenderedTerraformMakesTheArrangement(t *testing.T) {
	t.Parallel()
	onPath(t, "terraform")
	for _, bucket := range []bool{true, false} {
		t.Run(fmt.Sprintf("bucket=%v", bucket), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, bucket)
			p.env = append(p.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
			p.run(t, `brokerctl setup render --config brokerd.yaml --format terraform --output-dir tf > /dev/null; cd tf && terraform `+
				`fmt -check -diff`)
			if out, err := shell(t, filepath.Join(p.dir, "tf"), p.env, `terraform init -no-color -input=false`); err != nil {
				t.Skipf("the provider cannot be installed: %v\n%s", err, out)
			}
			// The providers of the sandbox have endpoints; the rendered ones are meant to be replaced.
			p.run(t, `cd tf && terraform validate -no-color
sed -n '/^terraform/,/^}/p' brokerd-providers.tf > versions && mv versions brokerd-providers.tf
brokerctl sandbox env --format terraform |
  sed 's/alias  *= "b"/alias = "target"/; 0,/provider "aws" {/s//provider "aws" {\n  alias = "source"/' > sandbox.tf`)
			p.variables(t, bucket)
			for _, step := range []string{
				"terraform validate -no-color",
				"terraform apply -no-color -input=false -auto-approve",
				"terraform plan -no-color -input=false -detailed-exitcode",
			} {
				p.run(t, "cd tf && "+step)
			}
			p.delivers(t)
			p.keepsTheirs(t, bucket)
			if !bucket { // settings of a bucket that exists are left to its owner
				p.planned(t)
			}
			// The policies as they are now, ours among them, are the same to it.
			p.variables(t, bucket)
			p.run(t, "cd tf && terraform plan -no-color -input=false -detailed-exitcode")
		})
	}
}

// The golden files hold every configuration that the renderers have to tell apart.
func TestEveryRenderedModuleAndTemplateIsValid(t *testing.T) {
	t.Parallel()
	golden, err := filepath.Abs("../../internal/setup/render/testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("terraform", func(t *testing.T) {
		t.Parallel()
		onPath(t, "bash", "terraform")
		dir, env := t.TempDir(), append(os.Environ(), "CHECKPOINT_DISABLE=1", "GOLDEN="+golden)
		if out, err := shell(t, dir, env, `cp "$GOLDEN"/usual/*.tf . && terraform init -no-color -input=false`); err != nil {
			t.Skipf("the provider cannot be installed: %v\n%s", err, out)
		}
		if out, err := shell(t, dir, env, `for d in "$GOLDEN"/*; do echo "$d"; rm -f ./*.tf; cp "$d"/*.tf .; terraform fmt -check -diff; `+
			`terraform validate -no-color; done`); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("cfn-lint", func(t *testing.T) {
		t.Parallel()
		onPath(t, "bash", "cfn-lint")
		if out, err := shell(t, golden, os.Environ(), `cfn-lint */*.template.yaml */*.template.json`); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("sh", func(t *testing.T) {
		t.Parallel()
		onPath(t, "bash")
		if out, err := shell(t, golden, os.Environ(),
			`for f in */*.sh; do sh -n "$f"; if command -v shellcheck > /dev/null; then shellcheck "$f"; fi; done`); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// variables hands Terraform the policies as they are.
func (p prepared) variables(t *testing.T, bucket bool) {
	t.Helper()
	p.run(t, `eval "$(brokerctl sandbox env --account b)"
aws kms get-key-policy --policy-name default --query Policy --output text --key-id $(sed -n 's/ *kms_key: //p' brokerd.yaml) > key.json
aws s3api get-bucket-policy --query Policy --output text --bucket tenant-logs > bucket.json || true`)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	_, after, _ := strings.Cut(read("brokerd.yaml"), "kms_key: ")
	key, _, _ := strings.Cut(after, "\n")
	vars := map[string]any{"existing_key_policies": map[string]string{key: read("key.json")}}
	if bucket {
		vars["existing_bucket_policies"] = map[string]string{"tenant-logs": read("bucket.json")}
	}
	text, err := json.Marshal(vars)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "tf", "terraform.tfvars.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// bareShell makes a PATH with the programs that the rendered scripts may use, and no
// others: sh, the AWS CLI, jq, and utilities of POSIX, with some more of these.
func bareShell(t *testing.T, more ...string) string {
	t.Helper()
	onPath(t, "jq")
	dir := t.TempDir()
	for _, name := range append(more, "cat", "grep", "jq", "mktemp", "rm", "sleep", "tail", "tr") {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	shell, err := exec.LookPath("dash") // a POSIX shell without extensions, where there is one
	if err != nil {
		shell = "/bin/sh"
	}
	if err := os.Symlink(shell, filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal(err)
	}
	// The CLI may be a script itself, with an interpreter of its own on the usual PATH.
	wrapper := fmt.Sprintf("#!/bin/sh\nPATH='%s' exec '%s' \"$@\"\n", os.Getenv("PATH"), aws)
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRenderedScriptsMakeTheArrangementAndThenDoNothing(t *testing.T) {
	t.Parallel()
	for _, bucket := range []bool{true, false} {
		t.Run(fmt.Sprintf("bucket=%v", bucket), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, bucket)
			p.trail(t, bucket)
			p.env = append(p.env, "BARE="+bareShell(t))
			out := p.run(t, `SH="env PATH=$BARE sh"
brokerctl setup render --config brokerd.yaml -o cli --output-dir out > /dev/null
for script in out/*.sh; do $SH -n $script; done
twice() { eval "$(brokerctl sandbox env --account $1)"; $SH out/brokerd-$2.sh | tail -1; $SH out/brokerd-$2.sh; }
eval "$(brokerctl sandbox env --account b)"; ! $SH out/brokerd-source.sh 2> wrong.txt; grep -c 'these credentials are of account' wrong.txt
eval "$(brokerctl sandbox env --account a)"; DRY_RUN=1 $SH out/brokerd-source.sh | tail -1
twice a source
export BUCKET_SETTINGS="ownership public_access lifecycle encryption"
twice b target`)
			b := "6" // the policy of the key, the trail; the bucket itself, its encryption, lifecycle rule and policy
			if bucket {
				b = "5" // the same without the bucket itself; a bucket begins with the other settings
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if len(lines) != 6 || lines[0] != "1" || !strings.Contains(lines[1], "2 pending changes") ||
				!strings.Contains(lines[2], "2 changes") || !strings.HasSuffix(lines[3], "nothing to do") ||
				!strings.Contains(lines[4], b+" changes") || !strings.HasSuffix(lines[5], "nothing to do") {
				t.Errorf("the scripts said:\n%s", out)
			}
			p.delivers(t)
			p.keepsTheirs(t, bucket)
			p.planned(t)
			if out := p.run(t, `eval "$(brokerctl sandbox env --account b)"; aws cloudtrail get-event-selectors `+
				`--trail-name all`); strings.Count(out, "theirs") != 1 || !strings.Contains(out, "tenant-logs/logs/") {
				t.Errorf("the selectors are %s", out)
			}
			p.removes(t, bucket)
		})
	}
}

// removes takes everything out again, with the scripts of the removal's hand-overs. An
// upload is unfinished at first: the lifecycle rule that would abort it stays until then.
func (p prepared) removes(t *testing.T, bucket bool) {
	t.Helper()
	out := p.run(t, `SH="env PATH=$BARE sh"
brokerctl sandbox env --format files > files.sh
a() { (eval "$(brokerctl sandbox env --account a)"; "$@"); }
b() { (eval "$(brokerctl sandbox env --account b)"; "$@"); }
B=$(jq -r .account_b sandbox.json) A=$(jq -r .account_a sandbox.json)
(. ./files.sh; brokerctl setup remove --yes --config brokerd.yaml --source-profile account-a --handover forB > /dev/null)
b aws s3api create-multipart-upload --bucket tenant-logs --key logs/open > open.json
echo "1 $(DRY_RUN=1 b $SH forB/brokerd-handover-$B.sh | tail -1)"
b $SH forB/brokerd-handover-$B.sh > first.txt
echo "2 $(tail -1 first.txt)"; grep -c "s3://tenant-logs/logs/open $(jq -r .UploadId open.json)" first.txt
b aws s3api abort-multipart-upload --bucket tenant-logs --key logs/open --upload-id "$(jq -r .UploadId open.json)"
echo "3 $(b $SH forB/brokerd-handover-$B.sh | tail -1)"
echo "4 $(b $SH forB/brokerd-handover-$B.sh | tail -1)"
a brokerctl setup render --config brokerd.yaml -o cli --account source > again.sh; a $SH again.sh > /dev/null
(. ./files.sh; brokerctl setup remove --yes --config brokerd.yaml --target-profile account-b --handover forA > /dev/null)
echo "5 $(a $SH forA/brokerd-handover-$A.sh | tail -1)"
echo "6 $(a $SH forA/brokerd-handover-$A.sh | tail -1)"
{ a aws iam get-role --role-name uploads || true; } 2>&1 | grep -c NoSuchEntity
b aws kms get-key-policy --policy-name default --query Policy --output text \
  --key-id $(sed -n 's/ *kms_key: //p' brokerd.yaml) | jq -r '.Statement[].Sid'`)
	want := []string{
		"1 account " + "[0-9]+: 3 pending changes, 1 left", "2 account [0-9]+: 3 changes, 1 left", "1",
		"3 account [0-9]+: 1 changes, 0 left", "4 account [0-9]+: nothing to remove",
		"5 account [0-9]+: 2 changes, 0 left", "6 account [0-9]+: nothing to remove", "1", "Admins", foreignSid,
	}
	if !regexp.MustCompile("^" + strings.Join(want, "\n") + "\n$").MatchString(out) {
		t.Errorf("the removal said:\n%s\nwant\n%s", out, strings.Join(want, "\n"))
	}
	p.keepsTheirs(t, bucket)
}

func TestRenderedTemplatesMakeTheArrangement(t *testing.T) {
	t.Parallel()
	for _, bucket := range []bool{true, false} {
		t.Run(fmt.Sprintf("bucket=%v", bucket), func(t *testing.T) {
			t.Parallel()
			p := prepare(t, bucket)
			p.run(t,
				`for f in cloudformation cdk-json; do brokerctl setup render --config brokerd.yaml --format $f --output-dir out > /dev/null; done
if command -v cfn-lint > /dev/null; then cfn-lint out/*; fi`)
			if out, err := shell(t, p.dir, p.env, `python3 -c "import boto3"`); err != nil {
				t.Skipf("boto3 is not installed: %s", out)
			}
			copyTestdata(t, "cloudformation.py", p.dir)
			p.run(t, `eval "$(brokerctl sandbox env --account a)"; python3 cloudformation.py out/brokerd-source.template.json Create
eval "$(brokerctl sandbox env --account b)"; python3 cloudformation.py out/brokerd-target.template.json Create
python3 cloudformation.py out/brokerd-target.template.json Update`)
			p.delivers(t)
			p.keepsTheirs(t, bucket)
			if !bucket { // the default encryption of a bucket that exists is left alone
				p.planned(t)
			}
			out := p.run(t, `eval "$(brokerctl sandbox env --account b)"; python3 cloudformation.py out/brokerd-target.template.json Delete
aws kms get-key-policy --policy-name default --query Policy --output text --key-id $(sed -n 's/ *kms_key: //p' brokerd.yaml)`)
			if strings.Contains(out, "BrokerdAllowUse") || !strings.Contains(out, "BrokerdKeepAccountAdmin") {
				t.Errorf("a deleted stack leaves %s", out)
			}
			p.keepsTheirs(t, bucket)
		})
	}
}

// trail makes a trail in B that records something already, with selectors of
// either kind, and has the configuration ask for one more.
func (p prepared) trail(t *testing.T, advanced bool) {
	t.Helper()
	selectors := `--event-selectors '[{"ReadWriteType":"All","IncludeManagementEvents":true,` +
		`"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::theirs/"]}]}]'`
	if advanced {
		selectors = `--advanced-event-selectors '[{"Name":"theirs","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]'`
	}
	p.run(t, `eval "$(brokerctl sandbox env --account b)"
aws s3api create-bucket --bucket trails --create-bucket-configuration LocationConstraint=eu-west-1 > /dev/null
ARN=$(aws cloudtrail create-trail --name all --s3-bucket-name trails --query TrailARN --output text)
aws cloudtrail put-event-selectors --trail-name "$ARN" `+selectors+` > /dev/null
sed -i "s|^setup:|setup:\n  trail: $ARN|" brokerd.yaml`)
}

// planned fails unless setup plan has no more changes: the rendered files are complete.
func (p prepared) planned(t *testing.T) {
	t.Helper()
	out, err := shell(t, p.dir, p.env, `eval "$(brokerctl sandbox env --format files)"
brokerctl setup plan --config brokerd.yaml --source-profile account-a --target-profile account-b`)
	if err != nil || !strings.Contains(out, "Nothing to do") {
		t.Errorf("setup would change what was rendered: %v\n%s", err, out)
	}
}
