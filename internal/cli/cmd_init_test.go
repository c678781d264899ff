package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
)

// initWith runs `brokerctl init` without a terminal and without AWS.
func initWith(t *testing.T, path string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), append([]string{"init", "--config", path, "--offline"}, args...),
		console.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}

var someBucket = []string{"--source-account", "111122223333", "--target-account", "444455556666", "--bucket", "tenant-bucket", "--region",
	"eu-west-1", "--kms-key", "1234abcd", "--user", "app"}

func with(more ...string) []string { return append(append([]string(nil), someBucket...), more...) }

func TestInitWritesWhatEveryRuntimeNeeds(t *testing.T) {
	const issuer = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
	for _, c := range []struct {
		name   string
		args   []string
		source string
		runsAs config.RunsAs
	}{
		{"EC2, by the role's name", []string{"--runs-as", "ec2", "--principal", "app-host"}, config.SourceIMDS,
			config.RunsAs{Type: "ec2", Principal: "arn:aws:iam::111122223333:role/app-host"}},
		{"ECS, a role below a path", []string{"--runs-as", "ecs", "--principal", "tasks/app"}, config.SourceContainer,
			config.RunsAs{Type: "ecs", Principal: "arn:aws:iam::111122223333:role/tasks/app"}},
		{"Pod Identity, by ARN", []string{"--runs-as", "pod-identity", "--principal", "arn:aws:iam::111122223333:role/pods"},
			config.SourceContainer, config.RunsAs{Type: "pod-identity", Principal: "arn:aws:iam::111122223333:role/pods"}},
		{"web identity, by URL and service account",
			[]string{"--runs-as", "web-identity", "--oidc-provider", "https://" + issuer, "--subject", "logs/uploader"}, config.SourceWebIdentity,
			config.RunsAs{Type: "web-identity", Provider: "arn:aws:iam::111122223333:oidc-provider/" + issuer,
				Subject: "system:serviceaccount:logs:uploader"}},
		{"another account's role", []string{"--runs-as", "role", "--principal", "arn:aws:iam::999988887777:role/r"}, config.SourceDefault,
			config.RunsAs{Type: "role", Principal: "arn:aws:iam::999988887777:role/r"}},
		{"a user", []string{"--runs-as", "user", "--principal", "host"}, config.SourceDefault,
			config.RunsAs{Type: "user", Principal: "arn:aws:iam::111122223333:user/host"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "brokerd.yaml")
			if code, _, stderr := initWith(t, path, with(c.args...)...); code != console.ExitOK {
				t.Fatalf("exits with %d: %s", code, stderr)
			}
			cfg, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			d := cfg.Destinations["tenant-bucket"]
			if d == nil || d.Role != "arn:aws:iam::111122223333:role/brokerd-tenant-bucket" ||
				d.KMSKey != "arn:aws:kms:eu-west-1:444455556666:key/1234abcd" || d.KeyTemplate.Prefix() != "logs/" {
				t.Errorf("the destination is %+v", d)
			}
			if cfg.AWS.Source.Type != c.source || cfg.Setup.RunsAs != c.runsAs {
				t.Errorf("source %q, runs as %+v", cfg.AWS.Source.Type, cfg.Setup.RunsAs)
			}
			if len(cfg.Access) != 1 || cfg.Access[0].Peer.UID != "app" {
				t.Errorf("the rules are %+v", cfg.Access)
			}
			if _, err := setup.StateOf(cfg); err != nil {
				t.Errorf("setup has nothing to go by: %v", err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the mode is %v, %v", info.Mode(), err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
				t.Errorf("%v were left", left)
			}
		})
	}
}

func TestInitAgainAddsADestinationAndTouchesNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	if code, _, stderr := initWith(t, path, with("--runs-as", "ec2", "--principal", "app-host")...); code != console.ExitOK {
		t.Fatal(stderr)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(first), "destinations:\n", "destinations:\n  # mine, since 2024\n", 1)
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	// Who runs the daemon is in the file: it is neither asked for nor taken.
	code, stdout, stderr := initWith(t, link, with("--destination", "second", "--role", "other")...)
	if code != console.ExitOK || !strings.Contains(stdout, "destination second added") {
		t.Fatalf("exits with %d: %s%s", code, stdout, stderr)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(now)
	for line := range strings.Lines(edited) {
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Errorf("the line %q is gone", line)
		}
		rest = after
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode was changed: %v, %v", info.Mode(), err)
	}
	code, stdout, _ = initWith(t, path, with("--destination", "second", "--role", "other")...)
	again, err := os.ReadFile(path)
	if err != nil || code != console.ExitOK || !bytes.Equal(again, now) || !strings.Contains(stdout, "nothing was changed") {
		t.Errorf("the same call again exits with %d: %v %s", code, err, stdout)
	}
	for _, args := range [][]string{{"--destination", "second"}, {"--destination", "third", "--runs-as", "ec2", "--principal", "x"},
		{"--destination", "third", "--bucket", "Not_A_Bucket"}} {
		code, _, stderr := initWith(t, path, with(args...)...)
		again, err := os.ReadFile(path)
		if code == console.ExitOK || stderr == "" || err != nil || !bytes.Equal(again, now) {
			t.Errorf("%v: exits with %d, %v: %s", args, code, err, stderr)
		}
	}
}

func TestInitNamesWhatIsMissingAndWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"nothing", nil, []string{"missing: --source-account, --target-account, --bucket, --region, --kms-key, --runs-as, --principal"}},
		{"an account", with("--source-account", "1", "--runs-as", "ec2", "--principal", "x"), []string{"--source-account"}},
		{"an alias", with("--kms-key", "alias/x", "--runs-as", "ec2", "--principal", "x"), []string{"--kms-key", "alias"}},
		{"a key of another account", with("--kms-key", "arn:aws:kms:eu-west-1:999988887777:key/1", "--runs-as", "ec2", "--principal", "x"),
			[]string{"--kms-key", "999988887777"}},
		{"a key of another Region", with("--kms-key", "arn:aws:kms:eu-west-2:444455556666:key/1", "--runs-as", "ec2", "--principal", "x"),
			[]string{"--kms-key", "eu-west-2"}},
		{"a role of another partition", with("--role", "arn:aws-cn:iam::111122223333:role/x", "--runs-as", "ec2", "--principal", "x"),
			[]string{"--role", "partition"}},
		{"a role of a third account", with("--role", "arn:aws:iam::999988887777:role/x", "--runs-as", "ec2", "--principal", "x"),
			[]string{"--role", "111122223333"}},
		{"a runtime", with("--runs-as", "lambda", "--principal", "x"), []string{"--runs-as", "lambda"}},
		{
			"an external id for a token",
			with("--runs-as", "web-identity", "--oidc-provider", "https://o.example", "--subject", "a/b", "--external-id", "x1"),
			[]string{"--external-id"},
		},
		{
			"a principal for a token", with("--runs-as", "web-identity", "--oidc-provider", "https://o.example", "--subject", "a/b", "--principal",
				"x1"), []string{"--principal"},
		},
		{
			"every service account",
			with("--runs-as", "web-identity", "--oidc-provider", "https://o.example", "--subject", "system:serviceaccount:a:*"),
			[]string{"--subject"},
		},
	} {
		code, _, stderr := initWith(t, path, c.args...)
		if code != console.ExitUsage {
			t.Errorf("%s: exits with %d", c.name, code)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: %q is not in %q", c.name, want, stderr)
			}
		}
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s: a file was written", c.name)
		}
	}
	if err := os.WriteFile(path, []byte("destinations: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := initWith(t, path, with("--runs-as", "ec2", "--principal", "x")...); code != console.ExitFailed ||
		!strings.Contains(stderr, path+":") {
		t.Errorf("a broken file: exits with %d: %s", code, stderr)
	}
}

func TestInitFillsAFileOfCommentsAndPrints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	const head = "# from the package\n#destinations:\n"
	if err := os.WriteFile(path, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	args := with("--runs-as", "ec2", "--principal", "x")
	code, printed, stderr := initWith(t, path, append(args, "--print")...)
	if text, err := os.ReadFile(path); code != console.ExitOK || err != nil || string(text) != head {
		t.Fatalf("--print exits with %d: %v %s", code, err, stderr)
	}
	if code, _, stderr := initWith(t, path, args...); code != console.ExitOK {
		t.Fatal(stderr)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != printed || !strings.HasPrefix(printed, head) {
		t.Errorf("what was printed is not what was written: %v\n%s", err, text)
	}
}

func TestAFileThatChangedMeanwhileIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("now"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := console.WriteConfigFile(path, []byte("before"), info, []byte("new")); err == nil {
		t.Error("a change was lost")
	}
	if err := console.WriteConfigFile(path, nil, nil, []byte("new")); err == nil {
		t.Error("a file that came meanwhile was replaced")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "now" {
		t.Errorf("%q, %v", text, err)
	}
}
