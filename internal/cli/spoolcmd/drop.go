package spoolcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func spoolDrop(a *console.App) *cobra.Command {
	var force bool
	var yes console.Yes
	var out console.Format
	cmd := &cobra.Command{
		Use:        "drop ID…",
		SuggestFor: []string{"delete", "remove", "rm"},
		Short:      "Delete objects from the spool permanently",
		Long: `Delete objects that were accepted and not delivered. Their senders were told that the
objects are safe: save them first with ` + "`brokerctl spool export`" + `.

Dead and parked objects are dropped on request, queued objects with --force, and an
object that is being delivered never. Its multipart upload is aborted first. If AWS
refuses that, --force drops the object and leaves the parts to the bucket's lifecycle
rule.

On a terminal it asks for confirmation; elsewhere it needs --yes.`,
		Example: `  brokerctl spool drop 01KAW3P5E2M9W7V5C1J0X8T4RQ
  brokerctl spool ls --state dead -o json | jq -r .upload_id | xargs -r brokerctl spool drop --yes`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := uploadIDs(args)
			if err != nil {
				return err
			}
			if err := a.CanAsk(yes, "nothing was dropped"); err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			d := &dropping{App: a, client: c, force: force, out: out}
			if err := d.look(cmd.Context(), ids); err != nil {
				return err
			}
			if err := d.tell(); err != nil {
				return err
			}
			if err := a.Confirm(cmd.Context(), yes, "Type yes to delete: ", "nothing was dropped"); err != nil {
				return err
			}
			return d.drop(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also what could still be delivered, and what cannot be aborted at AWS")
	console.YesFlag(cmd, &yes)
	console.OutputFlag(cmd, &out)
	a.ColorFlag(cmd)
	return cmd
}

// dropping is one run of `spool drop`.
type dropping struct {
	*console.App
	client  *client.Client
	force   bool
	out     console.Format
	objects []Spooled
}

// look fetches the objects to drop. If one is missing or may not be dropped, none is: the
// user must correct the list.
func (d *dropping) look(ctx context.Context, ids []string) error {
	_, err := each(ctx, d.App, ids, func(id string) error {
		o, err := oneSpooled(ctx, d.client, id)
		switch {
		case err != nil:
			return err
		case o.State == "delivering":
			return fmt.Errorf("%s is being delivered: it cannot be dropped now", id)
		case o.State == "queued" && !d.force:
			return fmt.Errorf("%s is queued and can still be delivered: --force drops it all the same", id)
		}
		d.objects = append(d.objects, o)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		_, werr := fmt.Fprintln(d.Err, "brokerctl: nothing was dropped")
		return errors.Join(err, werr)
	}
	return err
}

// tell lists the objects that will be lost.
func (d *dropping) tell() error {
	now := time.Now()
	t := newSpoolTable(d.App, d.Err, "UID")
	var tally spoolTally
	mismatched := false
	for _, o := range d.objects {
		tally.add(o)
		mismatched = mismatched || reason.Reason(o.Reason) == reason.ResponseMismatch
		row := spoolRow(o, now)
		row[5] = fmt.Sprint(o.UID)
		if err := t.Add(row...); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	text := fmt.Sprintf("\n%s. They were accepted and not delivered, and brokerd has no other copy.\n", tally.String())
	if len(d.objects) == 1 {
		text = fmt.Sprintf("\n%s. It was accepted and not delivered, and brokerd has no other copy.\n", tally.String())
	}
	if mismatched {
		text += "Those with RESPONSE_MISMATCH are in the bucket, but not as they were asked for.\n"
	}
	_, err := io.WriteString(d.Err, console.Fit(d.Err, text))
	return err
}

func (d *dropping) drop(ctx context.Context) error {
	var lost spoolTally
	byID := make(map[string]Spooled, len(d.objects))
	var ids []string
	for _, o := range d.objects {
		byID[o.UploadID] = o
		ids = append(ids, o.UploadID)
	}
	_, err := each(ctx, d.App, ids, func(id string) error {
		_, err := d.client.Admin().DropSpool(ctx, &brokerdv1.DropSpoolRequest{UploadIds: []string{id}, Force: d.force})
		if err != nil {
			return d.explainDrop(id, d.client.FromError(err))
		}
		lost.add(byID[id])
		return nil
	})
	if d.out == console.FormatJSON {
		return errors.Join(err, json.NewEncoder(d.Out).Encode(map[string]uint64{"dropped": lost.objects, "bytes": lost.bytes}))
	}
	_, werr := fmt.Fprintf(d.Out, "dropped %s, %s\n", console.Counted(lost.objects, "object"), console.BytesText(int64(lost.bytes)))
	return errors.Join(err, werr)
}

func (d *dropping) explainDrop(id string, err error) error {
	var ce *client.Error
	if errors.As(err, &ce) && strings.HasSuffix(ce.Metadata["operation"], "AbortMultipartUpload") {
		return fmt.Errorf(
			"%s was kept, its multipart upload could not be aborted: %w\n"+
				"  --force drops it all the same, and leaves the parts to the bucket's lifecycle rule",
			id,
			err,
		)
	}
	return err
}
