package setupcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/initcmd"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/setup/importer"
)

func setupImport(a *console.App) *cobra.Command {
	i := &adoption{App: a}
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Write the configuration of existing resources, and list rights that are too broad",
		Long: `Read a role, a bucket and a key that exist already, with all their
policies, and write the configuration that describes them: the prefix, who
assumes the role, the external id, bucket keys, the tags and the ACL that the
policies ask for. Nothing in the accounts is changed.

Then every statement that gives more than this configuration needs is named:
actions, resources, principals and missing conditions, with the statement that
would be enough in its place. What could not be read is said, and nothing is
concluded from it.

The configuration goes to standard output and the findings to standard error.
With --config it goes into that file, as ` + "`brokerctl init`" + ` does it: a file that is
there keeps every byte. Findings do not change the exit code.` + "\n" + accountsHelp,
		Example: `  brokerctl setup import --role arn:aws:iam::111122223333:role/CrossAccountS3Uploader --bucket tenant-s3-test-bucket \
    --key arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab \
    --source-profile app --target-profile tenant > brokerd.yaml
  brokerctl setup import --role arn:aws:iam::111122223333:role/CrossAccountS3Uploader --bucket tenant-s3-test-bucket \
    --key arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab \
    --target-profile tenant -o json | jq .findings`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd.Context()) },
	}
	fl := cmd.Flags()
	fl.StringVar(&i.asked.Role, "role", "", "ARN of the role that the daemon will assume")
	fl.StringVar(&i.asked.Bucket, "bucket", "", "name of the bucket")
	fl.StringVar(&i.asked.Key, "key", "", "ARN of the KMS key")
	fl.StringVarP(&i.asked.Destination, "destination", "d", "", "name of the destination (default: the bucket's)")
	fl.StringVar(&i.user, "user", "", "local user who may upload (default: you)")
	console.ConfigFlag(cmd, &i.path, "", "file to write, or to add to; without it the configuration is printed")
	fl.StringArrayVar(&i.source, "source-profile", nil, "profile for account A, a role's ARN, or \"-\"")
	fl.StringArrayVar(&i.target, "target-profile", nil, "profile for account B, a role's ARN, or \"-\"")
	console.OutputFlag(cmd, &i.out)
	a.ColorFlag(cmd)
	console.ProfileFlags(cmd, "source-profile", "target-profile")
	return cmd
}

// adoption is one run of `brokerctl setup import`.
type adoption struct {
	*console.App
	asked          importer.Asked
	user, path     string
	source, target []string
	out            console.Format
}

func (i *adoption) run(ctx context.Context) error {
	if i.asked.Role == "" || i.asked.Bucket == "" || i.asked.Key == "" {
		return console.UsageError(errors.New("--role, --bucket and --key are needed"))
	}
	if len(i.source)+len(i.target) == 0 {
		return console.UsageError(errors.New("give --source-profile for account A, --target-profile for account B, or both"))
	}
	scope, err := i.asked.Scope()
	if err != nil {
		return console.UsageError(err)
	}
	init := &initcmd.Initiation{App: i.App, Path: i.path}
	var old []byte
	var info os.FileInfo
	if i.path != "" {
		if old, info, err = console.ReadConfigFile(i.path); err != nil {
			return err
		}
		if old != nil && !console.OnlyComments(old) {
			if init.Answers.File, err = config.Parse(i.path, old); err != nil {
				return fmt.Errorf("the file is there and not valid, so nothing is added to it:\n%w", err)
			}
		}
	}
	accounts, err := i.connect(ctx, init.Answers.File, scope.Buckets[0].Region)
	if err != nil {
		return err
	}
	snap, err := accounts.Read(ctx, scope)
	if err != nil {
		return err
	}
	adopted, err := importer.Adopt(i.asked, snap)
	if err != nil {
		return err
	}
	adopted.Draft.Uploader = i.user
	if i.user == "" {
		adopted.Draft.Uploader = console.CurrentUser()
	}
	text, err := init.Compose(old, adopted.Draft)
	var exists *edit.ExistsError
	if errors.As(err, &exists) && exists.Same {
		text, err = old, nil
	}
	if err != nil {
		return err
	}
	if i.path != "" && exists == nil {
		if err := console.WriteConfigFile(i.path, old, info, text); err != nil {
			return err
		}
	}
	return i.tell(text, adopted)
}

// connect reaches the accounts as the file says, if there is one: a sandbox has
// endpoints of its own.
func (i *adoption) connect(ctx context.Context, file *config.Config, region string) (*awsaccounts.Accounts, error) {
	reach := config.AWS{CABundle: os.Getenv("AWS_CA_BUNDLE")}
	e := awsaccounts.Endpoints{PathStyle: os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != ""}
	if file != nil {
		reach = file.AWS
		e = awsaccounts.Endpoints{
			STS:        reach.Endpoints.STS,
			S3:         reach.Endpoints.S3,
			KMS:        reach.Endpoints.KMS,
			IAM:        file.Setup.Endpoints.IAM,
			CloudTrail: file.Setup.Endpoints.CloudTrail,
			PathStyle:  e.PathStyle || reach.Endpoints.S3 != "",
		}
	}
	client, err := awsclient.New(reach)
	if err != nil {
		return nil, err
	}
	return Connect(ctx, client, region, e, slices.Concat(i.source, i.target))
}

func (i *adoption) tell(text []byte, adopted importer.Adoption) error {
	if i.out == console.FormatJSON {
		enc := json.NewEncoder(i.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Config string `json:"config"`
			importer.Adoption
		}{string(text), adopted})
	}
	if i.path == "" {
		if _, err := i.Out.Write(text); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintf(i.Out, "%s: destination %s\n", i.path, adopted.Draft.Destination.Name); err != nil {
		return err
	}
	p := i.Palette(i.Err)
	var b bytes.Buffer
	for _, n := range adopted.Notes {
		fmt.Fprintf(&b, "%s %s\n", p.Dim("note:"), n)
	}
	for _, f := range adopted.Findings {
		name := f.Document
		switch {
		case f.Sid != "":
			name += fmt.Sprintf(", statement %q", f.Sid)
		case f.Index > 0:
			name += fmt.Sprintf(", statement %d", f.Index)
		}
		fmt.Fprintf(&b, "\n%s %s (account %s, %s)\n", p.Warn("broader than needed:"), p.Bold(name), f.Account, f.ARN)
		for _, more := range f.Broader {
			fmt.Fprintf(&b, "  - %s\n", more)
		}
		switch {
		case f.Keep != "":
			fmt.Fprintf(
				&b,
				"  it grants %s under conditions that import does not write: keep that part, and narrow the rest by hand\n",
				f.Keep,
			)
		case len(f.Enough) == 0:
			b.WriteString("  brokerd does not need this statement\n")
		case f.Statement == "":
			b.WriteString("  add:\n")
		default:
			b.WriteString("  enough:\n")
		}
		for _, s := range f.Enough {
			b.WriteString("    " + strings.ReplaceAll(s, "\n", "\n    ") + "\n")
		}
		if len(f.LocksOut) > 0 {
			b.WriteString("  the replacement ends the access of: " + strings.Join(f.LocksOut, "; ") + "\n")
		}
	}
	switch n := len(adopted.Findings); n {
	case 0:
		b.WriteString("no statement is broader than needed\n")
	default:
		fmt.Fprintf(
			&b,
			"\n%s. `brokerctl setup plan` shows what setup would write; setup keeps statements of others, so narrow them by hand\n",
			console.Counted(n, "finding"),
		)
	}
	_, err := io.WriteString(i.Err, console.Fit(i.Err, b.String()))
	return err
}
