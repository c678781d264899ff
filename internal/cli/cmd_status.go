package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func statusCommand(a *console.App) *cobra.Command {
	var out console.Format
	var named *console.Destinations
	cmd := &cobra.Command{
		Use:   "status [DESTINATION…]",
		Short: "Show the daemon, its destinations and, for administrators, its sessions",
		Long: `Show the daemon's version and load, and the destinations on which this user has
rights, each with its objects in the spool, and the watches of these destinations;
with names, only these. If an access rule grants this user "admin", show the role
sessions as well.

Exits 0 if every destination shown is ready, 1 if one is not, 75 if the daemon does
not answer.`,
		Example: "  brokerctl status\n  brokerctl status -o json | jq '.destinations[] | select(.ready|not)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := named.Named(args)
			if err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			ctx := cmd.Context()
			st, err := c.Admin().GetStatus(ctx, &brokerdv1.GetStatusRequest{})
			if err != nil {
				return c.FromError(err)
			}
			dests, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
			if err != nil {
				return c.FromError(err)
			}
			sessions, err := c.Admin().ListSessions(ctx, &brokerdv1.ListSessionsRequest{})
			if err != nil && status.Code(err) != codes.PermissionDenied {
				return c.FromError(err)
			}
			if err := onlyNamed(names, dests, sessions); err != nil {
				return err
			}
			watches, err := c.Admin().ListWatches(ctx, &brokerdv1.ListWatchesRequest{})
			if err != nil && status.Code(err) != codes.Unimplemented { // by an older daemon
				return c.FromError(err)
			}
			if len(names) > 0 && watches != nil {
				watches.Watches = slices.DeleteFunc(
					watches.GetWatches(),
					func(w *brokerdv1.Watch) bool { return !slices.Contains(names, w.GetDestination()) },
				)
			}
			if out == console.FormatJSON {
				err = writeStatusJSON(a.Out, st, dests, sessions, watches)
			} else {
				err = writeStatus(a, st, dests, sessions, watches)
			}
			if err != nil {
				return err
			}
			for _, d := range dests.GetDestinations() {
				if !d.GetReady() {
					return &console.ExitError{Code: console.ExitFailed, Err: nil}
				}
			}
			if st.GetSpoolProblems().GetUnreadableObjects() > 0 {
				return &console.ExitError{Code: console.ExitFailed, Err: nil}
			}
			return nil
		},
	}
	console.OutputFlag(cmd, &out)
	a.SocketFlag(cmd)
	a.ColorFlag(cmd)
	named = a.DestinationFlag(cmd, "show only this destination; may be given more than once", nil)
	return cmd
}

// onlyNamed leaves the named destinations and their sessions; without names, all.
func onlyNamed(names []string, dests *brokerdv1.ListDestinationsResponse, sessions *brokerdv1.ListSessionsResponse) error {
	if len(names) == 0 {
		return nil
	}
	var known []string
	for _, d := range dests.GetDestinations() {
		known = append(known, d.GetName())
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return noSuchDestination(name, known)
		}
	}
	dests.Destinations = slices.DeleteFunc(
		dests.GetDestinations(),
		func(d *brokerdv1.Destination) bool { return !slices.Contains(names, d.GetName()) },
	)
	if sessions != nil {
		sessions.Sessions = slices.DeleteFunc(
			sessions.GetSessions(),
			func(s *brokerdv1.Session) bool { return !slices.Contains(names, s.GetDestination()) },
		)
	}
	return nil
}

// noSuchDestination names the known destinations, and the one that was probably meant.
func noSuchDestination(name string, known []string) error {
	return fmt.Errorf("there is no destination %q; there are: %s%s", name, strings.Join(known, ", "), console.DidYouMean(name, known))
}

func writeStatusJSON(w io.Writer, st *brokerdv1.GetStatusResponse, dests *brokerdv1.ListDestinationsResponse,
	sessions *brokerdv1.ListSessionsResponse, watches *brokerdv1.ListWatchesResponse) error {
	opts := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}
	list := func(n int, at func(int) proto.Message) ([]json.RawMessage, error) {
		all := make([]json.RawMessage, n)
		for i := range all {
			data, err := opts.Marshal(at(i))
			if err != nil {
				return nil, err
			}
			all[i] = data
		}
		return all, nil
	}
	daemon, err := opts.Marshal(st)
	if err != nil {
		return err
	}
	doc := map[string]any{"daemon": json.RawMessage(daemon)}
	if doc["destinations"], err = list(len(dests.GetDestinations()),
		func(i int) proto.Message { return dests.GetDestinations()[i] }); err != nil {
		return err
	}
	if sessions != nil {
		if doc["sessions"], err = list(len(sessions.GetSessions()), func(i int) proto.Message { return sessions.GetSessions()[i] }); err != nil {
			return err
		}
	}
	if n := len(watches.GetWatches()); n > 0 {
		if doc["watches"], err = list(n, func(i int) proto.Message { return watches.GetWatches()[i] }); err != nil {
			return err
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

func writeStatus(a *console.App, st *brokerdv1.GetStatusResponse, dests *brokerdv1.ListDestinationsResponse,
	sessions *brokerdv1.ListSessionsResponse, watches *brokerdv1.ListWatchesResponse) error {
	p := a.Palette(a.Out)
	rows := console.NewRows(a.Out)
	row := rows.Add
	row("brokerd %s\tpid %d, up %s", st.GetVersion(), st.GetPid(), console.Span(true, time.Since(st.GetStartTime().AsTime())))
	row("configuration\t%s", st.GetConfigPath())
	row("uploads open\t%d of at most %d", st.GetOpenUploads(), st.GetMaxUploads())
	row("memory\t%s of %s", console.BytesText(int64(st.GetMemoryUsedBytes())), console.BytesText(int64(st.GetMemoryBudgetBytes())))
	row("you are\t%s", st.GetCaller())
	if st.GetStopping() {
		row("stopping\tyes")
	}
	if t := st.GetLogStalledTime(); t != nil {
		row("%s\tits reader has taken nothing since %s; %s dropped so far", p.Bad("log"), t.AsTime().UTC().Format(time.RFC3339),
			console.Counted(st.GetLogDroppedLines(), "line"))
	} else if n := st.GetLogDroppedLines(); n > 0 {
		row("%s\t%s dropped since the start: its reader did not keep up or was gone", p.Warn("log"), console.Counted(n, "line"))
	}
	if bad := st.GetSpoolProblems(); bad != nil {
		name := p.Bad("spool")
		for _, l := range console.ProblemLines(bad.GetUnreadableObjects(), bad.GetQuarantinedObjects(), bad.GetDetail()) {
			row("%s\t%s", name, l)
			name = ""
		}
	}
	for _, d := range dests.GetDestinations() {
		mark := p.Good("✓ ready")
		if !d.GetReady() {
			mark = p.Bad("✗ not ready") + ": " + d.GetReason()
		}
		row("\n%s\t%s", p.Bold(d.GetName()), mark)
		row("  bucket\t%s (account %s, %s)", d.GetBucket(), d.GetOwnerAccount(), d.GetRegion())
		row("  role\t%s", d.GetRoleArn())
		row("  key\t%s", d.GetKmsKeyArn())
		row(
			"  stored\t%s, %s; %d failed",
			console.Counted(d.GetObjectsStored(), "object"),
			console.BytesText(int64(d.GetBytesStored())),
			d.GetUploadsFailed(),
		)
		writeVerification(row, p, d, time.Now())
		writeSpoolUsage(row, p, d, time.Now())
	}
	writeWatches(row, p, watches.GetWatches(), time.Now())
	if sessions != nil {
		row("\n%s", p.Bold("sessions"))
		for _, s := range sessions.GetSessions() {
			row("  %s\t%s, generation %d, %s, until %s", s.GetDestination(), stateText(s.GetState()), s.GetGeneration(),
				console.Counted(s.GetStsCalls(), "STS call"), timeText(s))
			if s.GetLastError() != "" {
				row("\t%s", p.Warn(s.GetLastError()))
			}
		}
	}
	return rows.Flush()
}

func stateText(s brokerdv1.SessionState) string {
	return map[brokerdv1.SessionState]string{
		brokerdv1.SessionState_SESSION_STATE_EMPTY:    "empty",
		brokerdv1.SessionState_SESSION_STATE_FRESH:    "fresh",
		brokerdv1.SessionState_SESSION_STATE_DUE:      "due",
		brokerdv1.SessionState_SESSION_STATE_CRITICAL: "critical",
		brokerdv1.SessionState_SESSION_STATE_EXPIRED:  "expired",
	}[s]
}

func timeText(s *brokerdv1.Session) string {
	if s.GetExpireTime() == nil {
		return "a new one is fetched"
	}
	return s.GetExpireTime().AsTime().UTC().Format(time.RFC3339)
}
