package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// AskDeadline bounds a question to the daemon that only helps the user: a completion, or
// the name that was meant.
const AskDeadline = 700 * time.Millisecond

// Source returns the destinations that a command could name. It is silent when it knows
// none.
type Source func(cmd *cobra.Command) []string

// Destinations are the destinations that a command names: as arguments or with -d, both
// with the same meaning.
type Destinations struct {
	app   *App
	flags []string
}

// DestinationFlag registers -d, and completes it and the arguments from the source; nil is
// the daemon.
func (a *App) DestinationFlag(cmd *cobra.Command, usage string, from Source) *Destinations {
	d := &Destinations{app: a}
	cmd.Flags().StringArrayVarP(&d.flags, "destination", "d", nil, usage)
	complete := a.CompleteDestinations(from)
	_ = cmd.RegisterFlagCompletionFunc("destination", complete) // the flag is there
	if cmd.ValidArgsFunction == nil && strings.Contains(cmd.Use, "DESTINATION") {
		cmd.ValidArgsFunction = complete
	}
	return d
}

// Named returns the arguments and the values of -d, each name once. Without any it
// returns none. An empty name is an error: it is most likely a variable without a value,
// and without the name the command would be another one.
func (d *Destinations) Named(args []string) ([]string, error) {
	var all []string
	if slices.Contains(d.flags, "") {
		return nil, UsageError(errors.New("--destination is empty: give it a value, or leave it out"))
	}
	if slices.Contains(args, "") {
		return nil, UsageError(errors.New("an argument is empty: name a destination, or leave it out"))
	}
	for _, name := range slices.Concat(args, d.flags) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	d.app.asked = all
	return all, nil
}

// One returns the only destination that is named; "" without one.
func (d *Destinations) One(args []string) (string, error) {
	all, err := d.Named(args)
	switch {
	case err != nil || len(all) == 0:
		return "", err
	case len(all) == 1:
		return all[0], nil
	default:
		return "", UsageError(fmt.Errorf("one destination at a time, and not %s", strings.Join(all, ", ")))
	}
}

// Needed is One for a command that cannot do without a destination.
func (d *Destinations) Needed(args []string) (string, error) {
	name, err := d.One(args)
	if err == nil && name == "" {
		err = UsageError(errors.New("no destination: name it, or set -d NAME (`brokerctl status` lists yours)"))
	}
	return name, err
}

// CompleteDestinations completes the names of destinations that are not yet named.
func (a *App) CompleteDestinations(from Source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		names := a.daemonDestinations
		if from != nil {
			names = from
		}
		return remaining(names(cmd), args, begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// remaining returns the words that begin as the user began, and are not given yet.
func remaining(words, given []string, begun string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, begun) || slices.Contains(given, w) })
}

// daemonDestinations asks the daemon for the destinations of this user.
func (a *App) daemonDestinations(cmd *cobra.Command) []string {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background() // a completion
	}
	ctx, cancel := context.WithTimeout(parent, AskDeadline)
	defer cancel()
	c, err := a.Dial()
	if err != nil {
		return nil
	}
	defer func() { _ = c.Close() }()
	r, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
	if err != nil {
		return nil
	}
	var names []string
	for _, d := range r.GetDestinations() {
		names = append(names, d.GetName())
	}
	return names
}

// meant names the destination that the user probably meant by an unknown one.
func (a *App) meant(err error) string {
	var ce *client.Error
	if !errors.As(err, &ce) || reason.Reason(ce.Reason) != reason.UnknownDestination {
		return ""
	}
	known := a.daemonDestinations(&cobra.Command{})
	for _, name := range a.asked {
		if !slices.Contains(known, name) {
			return DidYouMean(name, known)
		}
	}
	return ""
}

// DidYouMean returns "; did you mean …?" with the nearest words, or "".
func DidYouMean(wrong string, words []string) string { return didYouMean(Nearest(wrong, words), "") }
