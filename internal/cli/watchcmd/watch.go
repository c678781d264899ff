package watchcmd

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/watch"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// WatchCommand is `brokerctl watch` with its subcommands.
func WatchCommand(a *console.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Plan, list, retry and skip watched files",
		Long: `A watch of the configuration delivers finished files as objects, each exactly once.
The states of a file are

  waiting    a rule holds it back (idle, closed, marker), or it waits for its turn
  in_flight  it is being sent
  retrying   its last delivery failed; it is tried again
  removing   it is delivered, and could not be removed or moved yet
  dead       it cannot be delivered as it is; waits for retry or skip
  refused    it must not be read: another owner, several names, a link
  left       too old, too small, or not matched: it stays
  kept       it is delivered, and stays (after: keep)
  skipped    it is not delivered, after ` + "`brokerctl watch skip`" + `

A file is removed only after S3 has confirmed its object. These commands need the right
"admin", which root and the daemon's user have.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(planCommand(a), lsCommand(a), retryCommand(a), skipCommand(a), runCommand(a))
	for _, c := range cmd.Commands() {
		if c.Name() != "run" { // it needs no daemon
			a.SocketFlag(c)
		}
	}
	return cmd
}

// states are the words for the states of a file.
var states = []string{
	string(
		watch.Waiting,
	), string(watch.InFlight), string(watch.Retrying), string(watch.Removing), string(watch.DeadFile), string(watch.Refused),
	string(watch.Left), string(watch.Kept), string(watch.Skipped),
}

// File is the JSON of one file.
type File struct {
	Watch    string     `json:"watch"`
	Path     string     `json:"path"`
	Size     int64      `json:"size"`
	Modified time.Time  `json:"modified"`
	State    string     `json:"state"`
	Rule     string     `json:"rule"`
	Since    *time.Time `json:"since,omitempty"` // of the rule
	Reason   string     `json:"reason,omitempty"`
	Error    string     `json:"error,omitempty"`
	Tries    int        `json:"tries"`
	NextTry  *time.Time `json:"next_try,omitempty"`
	UploadID string     `json:"upload_id,omitempty"`
	Name     string     `json:"name,omitempty"`   // of `plan`
	Key      string     `json:"key,omitempty"`    // of `plan`
	Action   string     `json:"action,omitempty"` // of `plan`
}

func fileOf(f watch.FileStatus) File {
	out := File{
		Watch: f.Watch, Path: f.Path, Size: f.Size, Modified: f.Modified.UTC(), State: string(f.State), Rule: f.Rule, Reason: string(f.Reason),
		Error: f.Message, Tries: f.Tries, UploadID: f.UploadID, Name: f.Name, Key: f.Key, Action: f.Action,
	}
	out.Since, out.NextTry = timeOf(f.Since), timeOf(f.NextTry)
	return out
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func fileOfMessage(m *brokerdv1.ListWatchedFilesResponse) File {
	out := File{
		Watch: m.GetWatch(), Path: m.GetPath(), Size: int64(m.GetSize()), Modified: m.GetModifyTime().AsTime(), State: m.GetState(),
		Rule: m.GetRule(), Reason: m.GetReason(), Error: m.GetMessage(), Tries: int(m.GetTries()), UploadID: m.GetUploadId(), Name: m.GetName(),
		Key:    m.GetKey(),
		Action: m.GetAction(),
	}
	if t := m.GetRuleTime(); t != nil {
		out.Since = timeOf(t.AsTime())
	}
	if t := m.GetNextTryTime(); t != nil {
		out.NextTry = timeOf(t.AsTime())
	}
	return out
}

// eachFile passes the daemon's files to fn, one at a time.
func eachFile(ctx context.Context, c *client.Client, req *brokerdv1.ListWatchedFilesRequest, fn func(File) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Admin().ListWatchedFiles(ctx, req)
	if err != nil {
		return c.FromError(err)
	}
	return console.Each(c, stream, func(m *brokerdv1.ListWatchedFilesResponse) error { return fn(fileOfMessage(m)) })
}

func checkStates(list []string) error {
	for _, s := range list {
		if !slices.Contains(states, s) {
			return console.UsageError(errors.New("--state " + s + ": want " + joined(states)))
		}
	}
	return nil
}
