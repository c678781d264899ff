package policycmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// maxScenario is the largest input in bytes.
const maxScenario = 16 << 20

// scenarioFlags describe a request and its policies.
type scenarioFlags struct {
	file     string
	request  iampolicy.Request
	context  []string
	identity []string
	resource string
	boundary []string
	session  []string
	scp      []string
	rcp      []string
	endpoint []string
	missing  []string
}

func (f *scenarioFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "file", "f", "", "scenario, YAML or JSON; - is standard input")
	fl.StringVar(&f.request.Principal, "principal", "", `caller's ARN; "*" for an anonymous one`)
	fl.StringVar(&f.request.RoleARN, "role-arn", "", "role behind an assumed-role session, when it has a path")
	fl.StringVar(&f.request.Action, "action", "", "such as s3:PutObject")
	fl.StringVar(&f.request.Resource, "resource", "", "resource's ARN")
	fl.StringVar(&f.request.ResourceAccount, "resource-account", "", "account that owns the resource; S3 ARNs do not say it")
	fl.StringArrayVar(&f.context, "context", nil, "condition key of the request, key=value; again for more values")
	fl.StringArrayVar(&f.identity, "identity", nil, "policy file of the caller's identity")
	fl.StringVar(&f.resource, "resource-policy", "", "bucket policy, key policy or trust policy file")
	fl.StringArrayVar(&f.boundary, "boundary", nil, "permissions boundary file")
	fl.StringArrayVar(&f.session, "session-policy", nil, "session policy file")
	fl.StringArrayVar(&f.scp, "scp", nil, "service control policy file, one level each, root first")
	fl.StringArrayVar(&f.rcp, "rcp", nil, "resource control policy file, one level each, root first")
	fl.StringArrayVar(&f.endpoint, "vpc-endpoint", nil, "VPC endpoint policy file")
	fl.StringSliceVar(&f.missing, "not-supplied", nil, "layers that exist but could not be read, such as service_control")
	console.FileFlags(cmd, "file", "identity", "resource-policy", "boundary", "session-policy", "scp", "rcp", "vpc-endpoint")
}

// used says whether anything of a single scenario was given.
func (f *scenarioFlags) used() bool {
	return f.file != "" || f.described()
}

func (f *scenarioFlags) described() bool {
	r := f.request
	return r.Principal+r.RoleARN+r.Action+r.Resource+r.ResourceAccount+f.resource != "" ||
		len(f.context)+len(f.identity)+len(f.boundary)+len(f.session)+len(f.scp)+len(f.rcp)+len(f.endpoint)+len(f.missing) > 0
}

func (f *scenarioFlags) scenario(stdin io.Reader) (iampolicy.Scenario, error) {
	switch {
	case f.file != "" && f.described():
		return iampolicy.Scenario{}, console.UsageError(errors.New("give a scenario with -f or describe it with flags, not both"))
	case f.file != "":
		data, err := readInput(f.file, stdin)
		if err != nil {
			return iampolicy.Scenario{}, unreadable(f.file, err)
		}
		sc, err := decodeScenario(f.file, data)
		if err != nil {
			return sc, unreadable(f.file, err)
		}
		return sc, nil
	case f.request.Principal == "" || f.request.Action == "" || f.request.Resource == "":
		return iampolicy.Scenario{}, console.UsageError(errors.New("give a scenario with -f, or --principal, --action and --resource"))
	default:
		return f.fromFiles()
	}
}

func (f *scenarioFlags) fromFiles() (iampolicy.Scenario, error) {
	sc := iampolicy.Scenario{Request: f.request}
	sc.Request.Context = make(map[string][]string)
	for _, pair := range f.context {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return sc, console.UsageError(fmt.Errorf("--context %q: want key=value", pair))
		}
		sc.Request.Context[key] = append(sc.Request.Context[key], value)
	}
	for _, layer := range f.missing {
		sc.NotSupplied = append(sc.NotSupplied, iampolicy.Layer(layer))
	}
	p := &sc.Policies
	for _, list := range []struct {
		files []string
		into  *[]iampolicy.NamedPolicy
	}{{f.identity, &p.Identity}, {f.boundary, &p.Boundary}, {f.session, &p.Session}, {f.endpoint, &p.VPCEndpoint}} {
		for _, file := range list.files {
			doc, err := readPolicy(file)
			if err != nil {
				return sc, err
			}
			*list.into = append(*list.into, iampolicy.NamedPolicy{Name: filepath.Base(file), Policy: doc})
		}
	}
	for _, list := range []struct {
		files []string
		into  *[]iampolicy.LevelPolicies
	}{{f.scp, &p.ServiceControl}, {f.rcp, &p.ResourceControl}} {
		for _, file := range list.files {
			doc, err := readPolicy(file)
			if err != nil {
				return sc, err
			}
			name := filepath.Base(file)
			*list.into = append(*list.into, iampolicy.LevelPolicies{Level: name, Policies: []iampolicy.NamedPolicy{{Name: name, Policy: doc}}})
		}
	}
	if f.resource != "" {
		doc, err := readPolicy(f.resource)
		if err != nil {
			return sc, err
		}
		p.Resource = doc
	}
	if err := sc.Validate(); err != nil {
		return sc, console.UsageError(err)
	}
	return sc, nil
}

func readPolicy(file string) (*iampolicy.Document, error) {
	data, err := readInput(file, nil)
	if err != nil {
		return nil, unreadable(file, err)
	}
	doc, err := iampolicy.Parse(data)
	if err != nil {
		return nil, unreadable(file, err)
	}
	return doc, nil
}

// readInput reads a file, or stdin for "-". Its errors do not name the file.
func readInput(file string, stdin io.Reader) ([]byte, error) {
	r := stdin
	if file != "-" || stdin == nil {
		opened, err := os.Open(file)
		if err != nil {
			var pathErr *os.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err
			}
			return nil, err
		}
		defer func() { _ = opened.Close() }() // only read from
		r = opened
	}
	data, err := io.ReadAll(io.LimitReader(r, maxScenario+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxScenario {
		return nil, fmt.Errorf("larger than %d MiB", maxScenario>>20)
	}
	return data, nil
}

// decodeScenario takes JSON as it is, so that errors keep their places, and
// turns anything else from YAML into JSON.
func decodeScenario(name string, data []byte) (iampolicy.Scenario, error) {
	ext := strings.ToLower(filepath.Ext(name))
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if ext == ".json" || ext != ".yaml" && ext != ".yml" && bytes.HasPrefix(trimmed, []byte("{")) {
		return iampolicy.DecodeScenario(data)
	}
	converted, err := yaml.YAMLToJSON(data)
	if err != nil {
		return iampolicy.Scenario{}, errors.New(yaml.FormatError(err, false, true))
	}
	return iampolicy.DecodeScenario(converted)
}
