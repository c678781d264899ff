package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/render"
)

func setupRender(a *console.App) *cobra.Command {
	var configPath, form, half, dir string
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write the arrangement for other tools: JSON, Terraform, CloudFormation, a script",
		Long: `Write the state that the configuration asks for as files for another tool,
for those who apply changes with their own. No account is called.

  json            all documents and settings, one object each
  terraform       a module with the provider aliases aws.source and aws.target
  cloudformation  one template an account, in YAML
  cdk-json        the same templates in JSON, for CfnInclude of the AWS CDK
  cli             one shell script an account; it needs the AWS CLI and python3,
                  merges with existing documents, and is safe to run twice

--account source is the half of account A, target that of account B: each can be
handed to the administrator of its account. With --output-dir the files are
written there, and replaced when they are there already; without, they go to
standard output.`,
		Example: `  brokerctl setup render --config brokerd.yaml --format terraform --output-dir infra
  brokerctl setup render --config brokerd.yaml --format cli --account target > for-account-b.sh
  brokerctl setup render --config brokerd.yaml --format json | jq '.artefacts[] | select(.kind=="role")'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if configPath == "" {
				return console.UsageError(errors.New("--config FILE is missing"))
			}
			if !oneOf(form, render.Formats()) {
				return console.UsageError(fmt.Errorf("--format %q: want one of %s", form, listed(render.Formats())))
			}
			if !oneOf(half, render.Halves()) {
				return console.UsageError(fmt.Errorf("--account %q: want one of %s", half, listed(render.Halves())))
			}
			files, err := renderFiles(configPath, render.Format(form), render.Half(half))
			if err != nil {
				return err
			}
			if dir != "" {
				return writeRendered(a, dir, files)
			}
			return printRendered(a, files)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&configPath, "config", "", "configuration file")
	fl.StringVar(&form, "format", string(render.JSON), strings.ReplaceAll(listed(render.Formats()), ", ", "|"))
	fl.StringVar(&half, "account", string(render.Both), "source (A), target (B) or both")
	fl.StringVar(&dir, "output-dir", "", "directory to write to; it is made when it is not there")
	_ = cmd.RegisterFlagCompletionFunc(
		"format",
		cobra.FixedCompletions(strings.Split(listed(render.Formats()), ", "), cobra.ShellCompDirectiveNoFileComp),
	)
	_ = cmd.RegisterFlagCompletionFunc(
		"account",
		cobra.FixedCompletions(strings.Split(listed(render.Halves()), ", "), cobra.ShellCompDirectiveNoFileComp),
	)
	return cmd
}

func oneOf[T ~string](s string, all []T) bool {
	for _, v := range all {
		if s == string(v) {
			return true
		}
	}
	return false
}

func listed[T ~string](all []T) string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = string(v)
	}
	return strings.Join(out, ", ")
}

func renderFiles(path string, f render.Format, h render.Half) ([]render.File, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	state, err := setup.StateOf(cfg)
	if err != nil {
		return nil, err
	}
	return render.Render(f, state, h)
}

// writeRendered replaces files of its own names only: they are output, and the
// files are overwritten; edit the configuration.
func writeRendered(a *console.App, dir string, files []render.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := replaceFile(path, f); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		if _, err := fmt.Fprintln(a.Out, path); err != nil {
			return err
		}
	}
	return nil
}

func replaceFile(path string, f render.File) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+f.Name+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(f.Data)
	if err = errors.Join(err, tmp.Chmod(f.Mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// printRendered refuses to mix what only works alone.
func printRendered(a *console.App, files []render.File) error {
	for i, f := range files {
		if f.Alone && len(files) > 1 {
			return console.UsageError(
				fmt.Errorf("this makes %d files, which do not work as one: give --account source or target, or --output-dir", len(files)),
			)
		}
		if i > 0 {
			if _, err := fmt.Fprintln(a.Out); err != nil {
				return err
			}
		}
		if _, err := a.Out.Write(f.Data); err != nil {
			return err
		}
	}
	return nil
}
