package setupcmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/render"
)

func setupRender(a *console.App) *cobra.Command {
	var configPath, dir string
	form, half := render.JSON, render.Both
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write the arrangement for other tools: JSON, Terraform, CloudFormation, a script",
		Long: `Write the state that the configuration asks for as files for another tool,
for those who apply changes with their own. No account is called.

  json            all documents and settings, one object each
  terraform       a module with the provider aliases aws.source and aws.target
  cloudformation  one template an account, in YAML
  cdk-json        the same templates in JSON, for CfnInclude of the AWS CDK
  cli             one shell script an account; it needs the AWS CLI and jq,
                  merges with existing documents, and is safe to run twice

--account source is the half of account A, target that of account B: each can be
handed to the administrator of its account. With --output-dir the files are
written there, and replaced when they are there already; without, they go to
standard output.`,
		Example: `  brokerctl setup render --config brokerd.yaml -o terraform --output-dir infra
  brokerctl setup render --config brokerd.yaml -o cli --account target > for-account-b.sh
  brokerctl setup render --config brokerd.yaml -o json | jq '.artefacts[] | select(.kind=="role")'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if configPath == "" {
				return console.UsageError(errors.New("--config FILE is missing"))
			}
			files, err := renderFiles(configPath, form, half)
			if err != nil {
				return err
			}
			if dir != "" {
				return writeRendered(a, dir, files)
			}
			return printRendered(a, files)
		},
	}
	console.ConfigFlag(cmd, &configPath, "", "configuration file")
	console.FormatFlag(cmd, &form, "the tool that the files are for", render.Formats()...)
	console.ChoiceFlag(cmd, &half, "account", "", "the half of account A, that of account B, or both", render.Halves()...)
	cmd.Flags().StringVar(&dir, "output-dir", "", "directory to write to; it is made when it is not there")
	console.DirectoryFlags(cmd, "output-dir")
	return cmd
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
