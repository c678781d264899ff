package rpc

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/watch"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Watches are the calls of watch.Manager that the services need.
type Watches interface {
	Status() []watch.Status
	Scan(ctx context.Context, name string) error
	Files(name string, plan bool) (iter.Seq[watch.FileStatus], error)
	Retry(name string, paths []string) (int, error)
	Skip(name string, paths []string) (int, error)
}

// ListWatches implements the API.
func (a *adminService) ListWatches(ctx context.Context, _ *brokerdv1.ListWatchesRequest) (*brokerdv1.ListWatchesResponse, error) {
	_, names, err := a.known(ctx)
	if err != nil {
		return nil, err
	}
	out := &brokerdv1.ListWatchesResponse{}
	if a.s.o.Watches == nil {
		return out, nil
	}
	for _, s := range a.s.o.Watches.Status() {
		if slices.Contains(names, s.Destination) {
			out.Watches = append(out.Watches, watchOf(s))
		}
	}
	return out, nil
}

func watchOf(s watch.Status) *brokerdv1.Watch {
	out := &brokerdv1.Watch{
		Name: s.Watch, Destination: s.Destination, Files: make(map[string]uint64), Found: s.Counts.Found, Stored: s.Counts.Stored,
		StoredBytes: uint64(s.Counts.Bytes), Failed: s.Counts.Failed, Refused: s.Counts.Refused, LastStoredTime: stamp(s.Counts.LastStored),
		OldestTime: stamp(s.Oldest), PausedTime: stamp(s.PausedSince), PauseReason: string(s.PauseReason), PauseMessage: s.PauseMessage,
		ScanTime: stamp(s.Scanned), ScanDuration: durationpb.New(s.ScanTook),
	}
	for state, n := range s.Files {
		out.Files[string(state)] = uint64(n)
	}
	for _, dir := range s.Missing {
		out.Problems = append(out.Problems, dir+": the directory does not exist")
	}
	for _, p := range s.Problems {
		out.Problems = append(out.Problems, p+"; its files wait")
	}
	if s.Full {
		out.Problems = append(out.Problems, fmt.Sprintf("more than %d files are found; the others wait until some are gone", watch.MaxFiles))
	}
	return out
}

// watches returns the watches to a call that was admitted.
func (a *adminService) watches() (Watches, error) {
	if a.s.o.Watches == nil {
		return nil, reason.New(reason.WatchUnknown, "the daemon has no watches")
	}
	return a.s.o.Watches, nil
}

// ListWatchedFiles implements the API.
func (a *adminService) ListWatchedFiles(
	req *brokerdv1.ListWatchedFilesRequest,
	stream grpc.ServerStreamingServer[brokerdv1.ListWatchedFilesResponse],
) error {
	if err := a.reads(stream.Context(), "ListWatchedFiles", zap.String("watch", req.GetWatch())); err != nil {
		return err
	}
	w, err := a.watches()
	if err != nil {
		return err
	}
	if req.GetPlan() {
		if err := w.Scan(stream.Context(), req.GetWatch()); err != nil {
			return classify(err)
		}
	}
	files, err := w.Files(req.GetWatch(), req.GetPlan())
	if err != nil {
		return err
	}
	n := uint32(0)
	for f := range files {
		if states := req.GetStates(); len(states) > 0 && !slices.Contains(states, string(f.State)) {
			continue
		}
		if err := stream.Send(watchedFileOf(f)); err != nil {
			return err
		}
		if n++; n == req.GetLimit() {
			break
		}
	}
	return nil
}

func watchedFileOf(f watch.FileStatus) *brokerdv1.ListWatchedFilesResponse {
	return &brokerdv1.ListWatchedFilesResponse{
		Watch: f.Watch, Path: validText(f.Path), Size: uint64(f.Size), ModifyTime: stamp(f.Modified), State: string(f.State), Rule: f.Rule,
		RuleTime: stamp(f.Since), Reason: string(f.Reason), Message: validText(f.Message), Tries: uint32(f.Tries), NextTryTime: stamp(f.NextTry),
		UploadId: f.UploadID, Name: validText(f.Name), Key: validText(f.Key), Action: f.Action,
	}
}

// validText makes a path fit for a message: its bytes need not be UTF-8.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// RetryWatchedFiles implements the API.
func (a *adminService) RetryWatchedFiles(
	ctx context.Context,
	req *brokerdv1.RetryWatchedFilesRequest,
) (*brokerdv1.RetryWatchedFilesResponse, error) {
	if err := a.acts(ctx, "RetryWatchedFiles", filesOf(req.GetWatch(), req.GetPaths())...); err != nil {
		return nil, err
	}
	w, err := a.watches()
	if err != nil {
		return nil, err
	}
	n, err := w.Retry(req.GetWatch(), req.GetPaths())
	a.s.o.Logger.Info("an operator retried watched files", zap.String("watch", req.GetWatch()), zap.Strings("files", req.GetPaths()),
		zap.Int("retried", n), zap.Error(err))
	if err != nil {
		return nil, classify(err)
	}
	return &brokerdv1.RetryWatchedFilesResponse{Retried: uint32(n)}, nil
}

// SkipWatchedFiles implements the API.
func (a *adminService) SkipWatchedFiles(
	ctx context.Context,
	req *brokerdv1.SkipWatchedFilesRequest,
) (*brokerdv1.SkipWatchedFilesResponse, error) {
	if err := a.acts(ctx, "SkipWatchedFiles", filesOf(req.GetWatch(), req.GetPaths())...); err != nil {
		return nil, err
	}
	w, err := a.watches()
	if err != nil {
		return nil, err
	}
	n, err := w.Skip(req.GetWatch(), req.GetPaths())
	a.s.o.Logger.Warn("an operator skipped watched files; they are not delivered", zap.String("watch", req.GetWatch()),
		zap.Strings("files", req.GetPaths()), zap.Int("skipped", n), zap.Error(err))
	if err != nil {
		return nil, classify(err)
	}
	return &brokerdv1.SkipWatchedFilesResponse{Skipped: uint32(n)}, nil
}

// filesOf names the files of a call in its audit line.
func filesOf(watch string, paths []string) []zap.Field {
	return []zap.Field{zap.String("watch", watch), zap.Strings("files", paths[:min(len(paths), auditedIDs)]), zap.Int("number", len(paths))}
}
