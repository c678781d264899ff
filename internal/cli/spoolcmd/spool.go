package spoolcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// SpoolCommand is `brokerctl spool` with its subcommands.
func SpoolCommand(a *console.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "List, show, retry, export and drop the objects in the daemon's spool",
		Long: `The spool holds accepted objects of destinations with durability spool or
spool-wait until they are delivered. The states of an object are

  queued       waits for its first or its next delivery attempt
  delivering   is being delivered
  parked       waits because AWS refuses its destination; the daemon delivers it
               after the repair. Run ` + "`brokerctl verify DESTINATION`" + ` to find the cause
  dead         cannot be delivered; waits for retry, export or drop
  unreadable   the daemon cannot read its file; the error names the repair, and the
               daemon reads the file again every few minutes
  quarantined  its file is damaged

Only a delivery or ` + "`brokerctl spool drop`" + ` removes an object. These commands need the
right "admin", which root and the daemon's user have.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(spoolLs(a), spoolShow(a), spoolRetry(a), spoolExport(a), spoolDrop(a))
	a.SocketFlag(cmd)
	for _, c := range cmd.Commands() {
		if c.Name() != "ls" {
			c.ValidArgsFunction = completeIDs(a)
		}
	}
	return cmd
}

// SpoolStates are the words for the states of an object.
var SpoolStates = map[brokerdv1.SpoolState]string{
	brokerdv1.SpoolState_SPOOL_STATE_QUEUED:     "queued",
	brokerdv1.SpoolState_SPOOL_STATE_DELIVERING: "delivering",
	brokerdv1.SpoolState_SPOOL_STATE_PARKED:     "parked",
	brokerdv1.SpoolState_SPOOL_STATE_DEAD:       "dead",

	brokerdv1.SpoolState_SPOOL_STATE_UNREADABLE:  "unreadable",
	brokerdv1.SpoolState_SPOOL_STATE_QUARANTINED: "quarantined",
}

func spoolStateNames() []string {
	return []string{"queued", "delivering", "parked", "dead", "unreadable", "quarantined"}
}

func parseSpoolStates(names []string) ([]brokerdv1.SpoolState, error) {
	var out []brokerdv1.SpoolState
next:
	for _, name := range names {
		for s, text := range SpoolStates {
			if text == name {
				out = append(out, s)
				continue next
			}
		}
		return nil, fmt.Errorf("--state %q: want %s", name, strings.Join(spoolStateNames(), ", "))
	}
	return out, nil
}

// Spooled is the JSON of one object.
type Spooled struct {
	UploadID    string     `json:"upload_id"`
	Destination string     `json:"destination"`
	Name        string     `json:"name"`
	Key         string     `json:"key"`
	State       string     `json:"state"`
	UID         uint32     `json:"uid"`
	Size        uint64     `json:"size"`
	CRC32C      string     `json:"checksum_crc32c"`
	Received    time.Time  `json:"received"`
	Tries       uint32     `json:"tries"` // since the daemon started
	Reason      string     `json:"reason,omitempty"`
	Error       string     `json:"error,omitempty"`
	NextTry     *time.Time `json:"next_try,omitempty"`
	ParkedSince *time.Time `json:"parked_since,omitempty"` // of `show`
	Fix         string     `json:"fix,omitempty"`          // of `show`
}

func spooledOf(m *brokerdv1.ListSpoolResponse) Spooled {
	o := Spooled{
		UploadID: m.GetUploadId(), Destination: m.GetDestination(), Name: m.GetName(), Key: m.GetKey(), State: SpoolStates[m.GetState()],
		UID: m.GetUid(), Size: m.GetSize(), CRC32C: m.GetChecksumCrc32C(), Received: m.GetReceivedTime().AsTime(), Tries: m.GetTries(),
		Reason: m.GetFailureReason(), Error: m.GetFailureMessage(),
	}
	if m.GetNextTryTime() != nil {
		t := m.GetNextTryTime().AsTime()
		o.NextTry = &t
	}
	return o
}

// eachSpooled passes the daemon's objects to fn, one at a time: the list of a large spool
// may not fit in memory.
func eachSpooled(ctx context.Context, c *client.Client, req *brokerdv1.ListSpoolRequest, fn func(Spooled) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Admin().ListSpool(ctx, req)
	if err != nil {
		return c.FromError(err)
	}
	return console.Each(c, stream, func(m *brokerdv1.ListSpoolResponse) error { return fn(spooledOf(m)) })
}

// oneSpooled fetches one object.
func oneSpooled(ctx context.Context, c *client.Client, id string) (found Spooled, err error) {
	err = eachSpooled(ctx, c, &brokerdv1.ListSpoolRequest{UploadId: id}, func(o Spooled) error {
		found = o
		return nil
	})
	if err == nil && found.UploadID == "" {
		err = fmt.Errorf("there is no upload %s in the spool", id)
	}
	return found, err
}

// uploadIDs checks arguments that are ids, and leaves out those named twice.
func uploadIDs(args []string) ([]string, error) {
	var ids []string
	for _, arg := range args {
		u, err := ulid.ParseStrict(arg)
		if err != nil {
			return nil, console.UsageError(
				fmt.Errorf("%q is not the id of an upload: want its 26 letters and digits, as `brokerctl spool ls` shows them", arg),
			)
		}
		if id := u.String(); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// each calls do for every id and prints each failure. It stops early when the next id
// would fail the same way: no daemon, no right.
func each(ctx context.Context, a *console.App, ids []string, do func(id string) error) (done int, err error) {
	code := console.ExitOK
	for _, id := range ids {
		err := do(id)
		if err == nil {
			done++
			continue
		}
		var ce *client.Error
		switch {
		case ctx.Err() != nil:
			return done, ctx.Err()
		case console.ExitCode(err) == console.ExitRefused, errors.As(err, &ce) && ce.Reason == "":
			return done, err
		}
		if _, werr := fmt.Fprintln(a.Err, "brokerctl: "+a.ExplainError(err)); werr != nil {
			return done, werr
		}
		if c := console.ExitCode(err); code == console.ExitOK || c != console.ExitTemporary && code == console.ExitTemporary {
			code = c
		}
	}
	if code != console.ExitOK {
		return done, &console.ExitError{Code: code, Err: nil}
	}
	return done, nil
}
