package rpc

import (
	"context"
	"maps"
	"os"
	"slices"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type adminService struct {
	brokerdv1.UnimplementedAdminServiceServer
	s *Server
}

// known admits every peer that a rule names, and returns the destinations that it may see.
func (a *adminService) known(ctx context.Context) (access.Peer, []string, error) {
	p, err := caller(ctx)
	if err != nil {
		return p, nil, err
	}
	if !a.s.policy.rules().Known(p) {
		return p, nil, reason.New(reason.PeerNotAllowed, "%s: no access rule names this user", a.s.policy.rules().Describe(p))
	}
	names := slices.Sorted(maps.Keys(a.s.policy.Config().Destinations))
	if a.s.policy.rules().Decide(p, config.PermAdmin, "").Allowed {
		return p, names, nil
	}
	return p, a.s.policy.rules().Destinations(p, names), nil
}

// ListDestinations implements the API.
func (a *adminService) ListDestinations(
	ctx context.Context,
	_ *brokerdv1.ListDestinationsRequest,
) (*brokerdv1.ListDestinationsResponse, error) {
	_, names, err := a.known(ctx)
	if err != nil {
		return nil, err
	}
	out := &brokerdv1.ListDestinationsResponse{}
	parked, usage := a.s.parked(), a.usage()
	var verified map[string]*brokerdv1.Verification
	if a.s.o.Verified != nil {
		verified = a.s.o.Verified()
	}
	for _, st := range a.s.o.Sessions.Statuses() {
		if !slices.Contains(names, st.Destination) {
			continue
		}
		d, t := a.s.policy.Config().Destinations[st.Destination], a.s.o.Stats.Counts(st.Destination)
		ready, why := a.s.ready(st, parked)
		out.Destinations = append(out.Destinations, &brokerdv1.Destination{
			Name: d.Name, RoleArn: d.Role, Bucket: d.Bucket, OwnerAccount: d.Owner, Region: d.Region,
			KmsKeyArn: d.KMSKey, KeyTemplate: d.Key, Durability: d.Durability, Ready: ready, Reason: why,
			ObjectsStored: t.Objects, BytesStored: t.Bytes, UploadsFailed: t.Failed, LastStoredTime: stamp(t.LastStored), Spool: usage[d.Name],
			Verification: verified[d.Name],
		})
	}
	return out, nil
}

// ListSessions implements the API.
func (a *adminService) ListSessions(ctx context.Context, _ *brokerdv1.ListSessionsRequest) (*brokerdv1.ListSessionsResponse, error) {
	if err := a.reads(ctx, "ListSessions"); err != nil {
		return nil, err
	}
	out := &brokerdv1.ListSessionsResponse{}
	for _, st := range a.s.o.Sessions.Statuses() {
		out.Sessions = append(out.Sessions, sessionOf(st))
	}
	return out, nil
}

// RefreshSession implements the API.
func (a *adminService) RefreshSession(
	ctx context.Context,
	req *brokerdv1.RefreshSessionRequest,
) (*brokerdv1.RefreshSessionResponse, error) {
	if err := a.acts(ctx, "RefreshSession", zap.String("destination", req.GetDestination())); err != nil {
		return nil, err
	}
	st, err := a.s.o.Sessions.Refresh(ctx, req.GetDestination())
	if err != nil {
		return nil, classify(err)
	}
	a.s.UpdateHealth()
	return &brokerdv1.RefreshSessionResponse{Session: sessionOf(st)}, nil
}

// GetStatus implements the API.
func (a *adminService) GetStatus(ctx context.Context, _ *brokerdv1.GetStatusRequest) (*brokerdv1.GetStatusResponse, error) {
	p, _, err := a.known(ctx)
	if err != nil {
		return nil, err
	}
	bytes, open := a.s.o.Admission.Used()
	out := &brokerdv1.GetStatusResponse{
		Version: a.s.o.Version, Pid: int32(os.Getpid()), StartTime: timestamppb.New(a.s.started),
		ConfigPath: a.s.policy.Config().Path, Stopping: a.s.intake.Stopping(),
		OpenUploads: uint32(open), MaxUploads: uint32(a.s.o.Admission.MaxUploads()),
		MemoryBudgetBytes: uint64(a.s.o.Admission.Total()), MemoryUsedBytes: uint64(bytes), Caller: a.s.policy.rules().Describe(p),
		SpoolProblems: problemsOf(a.s.intake.Remaining().Problems),
	}
	if a.s.o.LogState != nil {
		dropped, since := a.s.o.LogState()
		out.LogDroppedLines, out.LogStalledTime = dropped, stamp(since)
	}
	return out, nil
}

func sessionOf(st broker.Status) *brokerdv1.Session {
	states := map[broker.State]brokerdv1.SessionState{
		broker.StateEmpty:    brokerdv1.SessionState_SESSION_STATE_EMPTY,
		broker.StateFresh:    brokerdv1.SessionState_SESSION_STATE_FRESH,
		broker.StateDue:      brokerdv1.SessionState_SESSION_STATE_DUE,
		broker.StateCritical: brokerdv1.SessionState_SESSION_STATE_CRITICAL,
		broker.StateExpired:  brokerdv1.SessionState_SESSION_STATE_EXPIRED,
	}
	out := &brokerdv1.Session{
		Destination: st.Destination, AssumedRoleArn: st.AssumedRoleARN, State: states[st.State],
		AccessKeyIdMasked: st.AccessKeyMasked, Generation: st.Generation, IssueTime: stamp(st.Issued),
		ExpireTime: stamp(st.Expires), RefreshTime: stamp(st.RefreshAt),
		LastError: st.LastError, LastErrorReason: st.LastErrorReason, StsCalls: st.STSCalls, Clamped: st.Clamped, Scope: st.Scope,
		ServedFresh: st.ServedFresh, ServedDue: st.ServedDue, ServedCritical: st.ServedCritical, Vended: st.Vended, Waiters: uint32(st.Waiters),
	}
	if !st.Expires.IsZero() {
		out.TimeLeft = durationpb.New(st.TimeLeft)
	}
	if !st.RefreshAt.IsZero() {
		out.RefreshIn = durationpb.New(st.RefreshIn)
	}
	return out
}
