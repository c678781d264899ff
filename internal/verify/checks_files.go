package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const codeFiles = "BRK-HOST-006"

// Files tests, with the rights of this process, whether the watched files of a destination
// can be read, removed and moved. It returns one line for each missing right.
type Files func(ctx context.Context, c *config.Config, destination string) ([]string, error)

// filesChecks returns the check of watched files, for a destination that has some.
func (v *Verifier) filesChecks(dest *config.Destination, o report.RunOptions) []check {
	watched := slices.ContainsFunc(v.opts.Config.Watch, func(w config.Watch) bool { return w.Destination == dest.Name })
	if v.opts.Files == nil || !watched || o.Cheap { // the daemon's watch reports by itself
		return nil
	}
	return []check{{
		codeFiles, report.CategoryHost, "watched files can be read and, where the watch says so, removed or moved", nil,
		one(func(ctx context.Context, _ *run) finding { return v.checkFiles(ctx, dest) }),
	}}
}

// checkFiles is a warning at most: other uploads to the destination succeed.
func (v *Verifier) checkFiles(ctx context.Context, dest *config.Destination) finding {
	problems, err := v.opts.Files(ctx, v.opts.Config, dest.Name)
	switch {
	case err != nil:
		return finding{Result: report.Unknown, Advisory: true, Detail: fmt.Sprintf("the watched files could not be looked at: %v", err)}
	case len(problems) > 0:
		return finding{Result: report.Warn, Artefact: report.ArtefactConfig, Confidence: report.Proven, Detail: strings.Join(problems, "\n"),
			Fix: "Give the daemon's user the rights that the lines name, by a group or an access control list."}
	}
	return finding{Result: report.Pass, Detail: "this process can list, read and, where needed, remove and move the watched files"}
}
