package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/brokerd/brokerd/internal/setup"
)

// writeHandOvers writes, for each account that was not reached, what its
// administrator has to see to. Plain text and JSON: it goes by mail.
func writeHandOvers(dir string, r *arrangement, p *setup.Plan) ([]string, error) {
	var files []string
	for _, id := range p.Unreached {
		path := filepath.Join(dir, "brokerd-handover-"+id+".md")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making the directory for the hand-over: %w", err)
		}
		if err := os.WriteFile(path, []byte(handOver(id, r, p)), 0o644); err != nil {
			return nil, fmt.Errorf("writing the hand-over: %w", err)
		}
		files = append(files, path)
	}
	return files, nil
}

func handOver(id string, r *arrangement, p *setup.Plan) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if p.Remove {
		say("# For the administrator of AWS account %s: what brokerd no longer needs\n", id)
		say("Take out the statements whose Sids begin with `Brokerd` and end with the destinations named below, and nothing else.")
	} else {
		say("# For the administrator of AWS account %s: what brokerd needs\n", id)
		say("brokerd delivers objects across accounts. What follows belongs to account %s; please add it to what is there, and", id)
		say("leave the statements of others as they are. A statement with the same Sid is an earlier version of ours: replace it.")
	}
	say("\nWith brokerctl and the same configuration file, this does all of it, and shows it first:\n")
	half := "--target-profile"
	for _, role := range r.state.Roles {
		if role.Account == id {
			half = "--source-profile"
		}
	}
	verb := "apply"
	if p.Remove {
		verb = "remove"
	}
	say("    brokerctl setup %s --config %s %s YOUR-PROFILE\n", verb, filepath.Base(r.cfg.Path), half)
	for _, c := range p.Changes {
		if c.Account == id && c.Op == setup.OpHandOver {
			say("## %s\n", strings.ToUpper(describe(&c)[:1])+describe(&c)[1:])
			say("For %s.\n", strings.Join(c.Destinations, ", "))
			if role := c.Role(); role != nil && c.Kind == setup.KindTrust && !p.Remove {
				say("The role is to be made if it is not there: name `%s`, path `%s`, longest session %d seconds at least, permissions boundary %s.\n",
					role.Name, role.Path, int(role.MaxSession.Seconds()), orNone(role.Boundary))
			}
			if c.After != "" {
				say("```json\n%s\n```\n", strings.TrimSpace(c.After))
			}
		}
	}
	if !p.Remove {
		say("## Order\n")
		say("A policy can only name a role that exists: the roles' account goes first. When a role was deleted and made again,")
		say("the key policy and the bucket policy have to be saved again.")
	}
	return b.String()
}

func orNone(arn string) string {
	if arn == "" {
		return "as the account has it"
	}
	return "`" + arn + "`"
}
