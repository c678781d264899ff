package kit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/brokerd/brokerd/internal/testbed"
)

// verification is what `brokerctl verify` says, without times, ids and texts of AWS's
// that differ from run to run.
func (a *Accounts) verification(ctx context.Context, w *testbed.World, names map[string]string) (map[string]string, error) {
	out, exit, err := a.brokerctl(ctx, "verify", "--standalone", "--config", w.ConfigPath, "-o", "json",
		"--source-profile", a.ProfileA, "--target-profile", a.ProfileB)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var doc struct {
		Destinations []struct {
			Checks []struct {
				Code, Result, Title, Summary string
				Evidence                     []struct{ Code, Message string }
			}
		}
	}
	if jsonErr := json.Unmarshal(out, &doc); jsonErr != nil {
		return nil, fmt.Errorf("reading the report of verify: %w (%w)", jsonErr, err)
	}
	facts := map[string]string{"exit": strconv.Itoa(exit)}
	for _, d := range doc.Destinations {
		for _, c := range d.Checks {
			facts[c.Code] = c.Result
			if c.Summary != "" && c.Result != "pass" {
				facts[c.Code+" says"] = hidden(c.Summary, names)
			}
		}
	}
	return facts, nil
}
