package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/testbed"
)

// calls shows the calls of the role's session, as the sandbox recorded them.
func (d *demo) calls(context.Context) error {
	d.say.heading("The calls of the role's session, as the sandbox recorded them")
	caller := ""
	allowed, refused := make(map[string]int), make(map[string]int)
	for _, c := range d.sb.Calls() {
		if !strings.Contains(c.Principal, ":assumed-role/"+testbed.RoleName+"/") || c.Operation == "" {
			continue
		}
		caller = c.Principal
		name := c.Service + ":" + c.Operation
		if c.Via != "" {
			name += " through S3"
		}
		if c.ErrorCode == "" {
			allowed[name]++
		} else {
			refused[name]++
		}
	}
	if caller == "" {
		return errors.New("the sandbox recorded no call of the role's session")
	}
	d.say.line("%s", caller)
	d.say.fact("allowed", "%s", countedNames(allowed))
	d.say.fact("refused", "%s", countedNames(refused))
	d.say.line("Most refused calls are tests by verify: the role can do nothing else.")
	return nil
}

// countedNames returns "2×s3:PutObject, 1×…", sorted by name.
func countedNames(counts map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%d×%s", counts[name], name))
	}
	return strings.Join(out, ", ")
}
