package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/unixsock"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const (
	// maxConnections bounds the open connections. An idle one costs about 30 KiB.
	maxConnections = 2048
	// moreCalls is how many calls may be open, beyond one for each upload.
	moreCalls = 64
	// maxRefused is how many calls may be open that are about to be refused. A connection
	// that opens more is closed.
	maxRefused = 64
	// messageTimeout is how long the message of a call may take, from its header on.
	messageTimeout = 10 * time.Second
	// resetEvery and resetBurst bound the calls that a user gives up. A connection on
	// which more are given up is closed (CVE-2023-44487, rapid reset).
	resetEvery = 10 * time.Millisecond
	resetBurst = 1000
	// tinyFrames and tinyFramesEach bound the DATA frames below 128 bytes of a user, at once
	// and each second, beyond one for each message that is read. gRPC keeps each frame
	// apart, with some ten times its bytes.
	tinyFrames     = 524288
	tinyFramesEach = 10000
)

// account sets the totals of the resources that the server shares among users.
func (s *Server) account(rules *access.Policy) {
	if s.o.messageTimeout == 0 {
		s.o.messageTimeout = messageTimeout
	}
	s.quota = s.o.Quota
	if s.quota == nil {
		s.quota = quota.NewLedger()
	}
	s.lines = s.o.Lines
	if s.lines == nil {
		s.lines = quota.NewLines(s.o.Logger)
	}
	s.resets = quota.NewRates(resetEvery, resetBurst)
	s.quota.SetTotal(quota.Connections, int64(min(maxConnections, unixsock.Fits(1))))
	s.quota.SetTotal(quota.Calls, int64(s.o.Admission.MaxUploads()+moreCalls))
	s.quota.SetTotal(quota.Refused, maxRefused)
	s.quota.SetTotal(quota.Verifications, maxVerifications)
	if s.frames = s.o.frames; s.frames == nil {
		s.frames = quota.NewBalances(tinyFrames, tinyFramesEach)
	}
	s.verifies = quota.NewRates(verifyEvery, verifyBurst)
	s.share(rules)
}

// share tells the ledger how many users the rules let in.
func (s *Server) share(rules *access.Policy) {
	s.quota.SetParties(rules.Parties())
	s.o.Admission.SetParties(rules.Parties())
}

// admit decides about a new connection. A user that no rule lets in is refused here,
// before a byte of it is read.
func (s *Server) admit(p access.Peer) (*quota.Charge, *reason.Error) {
	rules := s.policy.rules()
	party := rules.Party(p)
	if !rules.Known(p) {
		s.refusedConnection(p, party, reason.PeerNotAllowed)
		return nil, reason.New(reason.PeerNotAllowed, "no access rule lets %s in; add one under access: in %s",
			rules.Describe(p), s.policy.Config().Path)
	}
	charge, err := s.quota.Take(party, quota.Connections)
	if err != nil {
		s.refusedConnection(p, party, reason.TooManyConnections)
		return nil, reason.New(reason.TooManyConnections, "%s; close idle connections, or try again", err)
	}
	return charge, nil
}

func (s *Server) refusedConnection(p access.Peer, party quota.Party, r reason.Reason) {
	s.lines.Warn(party, string(r), "connection refused",
		zap.String("peer", s.policy.Describe(p)), zap.Int32("pid", p.PID), zap.String("reason", string(r)))
}

// call is the account of one open call. Its charge ends with the context of the call.
type call struct {
	s       *Server
	info    peerInfo
	party   quota.Party
	charge  *quota.Charge
	timer   *time.Timer // ends a call whose message does not arrive; nil: the handler has a timeout
	unhurry func() bool // together with timer
	there   atomic.Bool // the first message
	refusal error
	unhook  func() bool
	once    sync.Once
}

type callKey struct{}

// callOf returns the account of a call; nil: the call has none.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// open runs when the header of a call has arrived, before its message is read. An error
// here would leave a timer behind for each call with a deadline, so that a call beyond
// the share of its user is only marked, and refused by its handler.
func (s *Server) open(ctx context.Context, info *tap.Info) (context.Context, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ctx, nil
	}
	c := &call{s: s}
	if c.info, ok = p.AuthInfo.(peerInfo); !ok {
		return ctx, nil
	}
	c.party = s.policy.rules().Party(c.info.peer)
	var err error
	if c.charge, err = s.quota.Take(c.party, quota.Calls); err != nil {
		c.refusal = reason.New(reason.TooManyRequests, "%s; close some, or try again", err).After(busyRetryAfter)
		if c.charge, err = s.quota.Take(c.party, quota.Refused); err != nil {
			_ = c.info.conn.Close() // its calls end with it
			return ctx, nil
		}
	}
	if info.FullMethodName != brokerdv1.BrokerService_Upload_FullMethodName { // an upload has limits.idle_timeout
		limited, cancel := context.WithCancel(ctx)
		c.timer = time.AfterFunc(s.o.messageTimeout, cancel)
		c.unhurry = c.hurry()
		ctx = limited
	}
	c.unhook = context.AfterFunc(ctx, c.release)
	return context.WithValue(ctx, callKey{}, c), nil
}

// release ends the account. It runs when the context of the call ends, or its handler.
func (c *call) release() {
	c.once.Do(func() {
		if c.timer != nil {
			c.unhurry()
			c.timer.Stop()
		}
		c.charge.Release()
	})
}

// arrived says that the first message is there. It returns an error for a call beyond
// the share of its user. c may be nil.
func (c *call) arrived() error {
	if c == nil {
		return nil
	}
	if c.timer != nil {
		c.there.Store(true)
		c.unhurry()
		c.timer.Stop()
	}
	c.info.conn.Frames.Earn(1)
	return c.refusal
}

// counted is a stream whose first message must arrive in time, and whose messages count.
type counted struct {
	grpc.ServerStream
	c *call
}

// RecvMsg implements grpc.ServerStream.
func (s counted) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	_ = s.c.arrived() // the refusal was returned before
	return err
}

// end runs when the handler returns, and closes a connection on which too many calls are
// given up. c may be nil.
func (c *call) end(ctx context.Context) {
	if c == nil {
		return
	}
	if canceled := ctx.Err(); canceled != nil {
		if _, ok := c.s.resets.Take(c.party); !ok {
			c.s.lines.Warn(c.party, "CONNECTION_RESETS", "connection closed: too many calls were given up",
				zap.String("peer", c.s.policy.Describe(c.info.peer)), zap.Int32("pid", c.info.peer.PID))
			_ = c.info.conn.Close()
		}
	}
	c.unhook()
	c.release()
}
