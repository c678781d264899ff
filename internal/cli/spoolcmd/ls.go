package spoolcmd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// spoolFilter is the selection of `spool ls`.
type spoolFilter struct {
	destination string
	states      []string
	limit       uint32
}

func spoolLs(a *console.App) *cobra.Command {
	var f spoolFilter
	var out console.Format
	var named *console.Destinations
	cmd := &cobra.Command{
		Use:        "ls [DESTINATION]",
		SuggestFor: []string{"list"},
		Short:      "List the objects in the spool, oldest first",
		Long: `List the objects in the spool, oldest first, and their total. TRIES counts the
delivery attempts since the daemon started. REASON says why the last attempt failed.

Unreadable and quarantined files are listed for every DESTINATION, because their own
destination is not known.

With -o json, the output is one line for each object.`,
		Example: `  brokerctl spool ls
  brokerctl spool ls audit-logs --state dead
  brokerctl spool ls --state dead -o json | jq -r .upload_id | xargs -r -n1 brokerctl spool export`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.destination, err = named.One(args); err != nil {
				return err
			}
			states, err := parseSpoolStates(f.states)
			if err != nil {
				return console.UsageError(err)
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			req := &brokerdv1.ListSpoolRequest{Destination: f.destination, States: states}
			if f.limit > 0 {
				req.Limit = f.limit + 1 // one more says whether there are more
			}
			l := &spoolList{App: a, filter: f, json: out == console.FormatJSON, table: newSpoolTable(a, a.Out, "TRIES"), now: time.Now()}
			if err := eachSpooled(cmd.Context(), c, req, l.add); err != nil {
				return err
			}
			return l.end(cmd.Context(), c)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.states, "state", nil, "only these: queued, delivering, parked, dead, unreadable, quarantined")
	fl.Uint32Var(&f.limit, "limit", 0, "at most so many; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(spoolStateNames(), cobra.ShellCompDirectiveNoFileComp))
	console.OutputFlag(cmd, &out)
	a.ColorFlag(cmd)
	named = a.DestinationFlag(cmd, "only the objects of this destination", nil)
	return cmd
}

// spoolList prints objects as they arrive.
type spoolList struct {
	*console.App
	filter spoolFilter
	json   bool
	table  *console.Table
	now    time.Time
	tally  spoolTally
	more   bool // than the limit
	parked map[string]bool
	// problems are the errors of the first unreadable and quarantined files.
	problems []string
}

// shownProblems is how many errors of unusable files are printed.
const shownProblems = 5

func (l *spoolList) add(o Spooled) error {
	if l.filter.limit > 0 && l.tally.objects == uint64(l.filter.limit) {
		l.more = true
		return nil
	}
	l.tally.add(o)
	if l.json {
		return json.NewEncoder(l.Out).Encode(o)
	}
	if o.State == "parked" {
		if l.parked == nil {
			l.parked = make(map[string]bool)
		}
		l.parked[o.Destination] = true
	}
	if (o.State == "unreadable" || o.State == "quarantined") && len(l.problems) < shownProblems {
		l.problems = append(l.problems, o.State+": "+console.Printable(o.Error))
	}
	return l.table.Add(spoolRow(o, l.now)...)
}

// end prints the total.
func (l *spoolList) end(ctx context.Context, c *client.Client) error {
	if l.tally.objects == 0 && l.filter.destination != "" {
		if err := l.known(ctx, c); err != nil {
			return err
		}
	}
	if l.json {
		return nil
	}
	if err := l.table.Flush(); err != nil {
		return err
	}
	if l.tally.objects == 0 {
		_, err := fmt.Fprintln(l.Out, l.nothing())
		return err
	}
	text := "\n" + l.tally.String()
	if l.more {
		text = fmt.Sprintf("\nthe first %s; there are more", l.tally.String())
	}
	for _, d := range slices.Sorted(maps.Keys(l.parked)) {
		text += fmt.Sprintf("\n%s is parked, everything of it is kept: `brokerctl verify %s` says what to repair", d, d)
	}
	for _, p := range l.problems {
		text += "\n" + p
	}
	_, err := fmt.Fprintln(l.Out, console.Fit(l.Out, text))
	return err
}

// known returns an error for an unknown destination: without it, the list of a misspelt
// name would look empty.
func (l *spoolList) known(ctx context.Context, c *client.Client) error {
	r, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
	if err != nil {
		return c.FromError(err)
	}
	var known []string
	for _, d := range r.GetDestinations() {
		if d.GetName() == l.filter.destination {
			return nil
		}
		known = append(known, d.GetName())
	}
	return fmt.Errorf("there is no destination %q, and the spool has no object of one%s `brokerctl status` lists the destinations",
		l.filter.destination, cmp.Or(console.DidYouMean(l.filter.destination, known), ":"))
}

func (l *spoolList) nothing() string {
	text := "the spool is empty"
	if l.filter.destination != "" {
		text = "the spool holds nothing for " + l.filter.destination
	}
	if len(l.filter.states) > 0 {
		text = strings.Replace(text, "the spool is empty", "the spool holds nothing", 1) + " that is " + strings.Join(l.filter.states, " or ")
	}
	return text
}

// spoolTally counts objects by state.
type spoolTally struct {
	objects, bytes uint64
	states         map[string]uint64
}

func (t *spoolTally) add(o Spooled) {
	if t.states == nil {
		t.states = make(map[string]uint64)
	}
	t.objects++
	t.bytes += o.Size
	t.states[o.State]++
}

// String is "3 objects, 36 B: 1 queued, 2 parked".
func (t *spoolTally) String() string {
	var parts []string
	for _, s := range spoolStateNames() {
		if n := t.states[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%s, %s: %s", console.Counted(t.objects, "object"), console.BytesText(int64(t.bytes)), strings.Join(parts, ", "))
}

func spoolRow(o Spooled, now time.Time) []string {
	reason := o.Reason
	if reason == "" {
		reason = "-"
	}
	destination := o.Destination
	if destination == "" {
		destination = "?" // the file cannot be read
	}
	id := o.UploadID
	if id == "" {
		id = "-" // a file without an object: a log of receipts
	}
	return []string{
		id, destination, o.State, console.BytesText(int64(o.Size)), console.Span(true, now.Sub(o.Received)),
		fmt.Sprint(o.Tries), reason, console.Printable(o.Name),
	}
}
