package kernel

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Options configure a kernel.
type Options struct {
	// Accounts are the ids of the accounts that exist.
	Accounts []string
	// Region is the home region: anonymous calls are made in it.
	Region string
	// Seed decides which calls a fault with a rate hits.
	Seed uint64
	// Store keeps the state across restarts; nil: the state ends with the process.
	Store *Store
}

// Kernel is the part that all services share. Its methods are safe for concurrent use.
type Kernel struct {
	region string
	seed   uint64
	Store  *Store
	// Accounts has the ids of the accounts that exist. It never changes.
	Accounts map[string]bool

	// disturb applies the parts of a fault that change accounts or keys; nil: none.
	disturb func(cl *Request, f Fault) error
	// audit is called once for each call, before it is answered; nil: no audit trail.
	audit func(cl *Request)

	faultMu sync.Mutex
	faults  []*Fault

	callMu sync.Mutex
	calls  []Call

	clockOffset atomic.Int64
	dirty       atomic.Bool // a change that state.json does not hold yet

	networkMu sync.RWMutex
	guards    map[string]*parsedGuardrails // by account
	endpoints map[string]*endpoint         // by id
}

// New makes a kernel. SetHooks must be called before the first call is served.
func New(o Options) *Kernel {
	k := &Kernel{
		region: o.Region, seed: o.Seed, Store: o.Store, Accounts: map[string]bool{},
		guards: map[string]*parsedGuardrails{}, endpoints: map[string]*endpoint{},
	}
	for _, id := range o.Accounts {
		k.Accounts[id] = true
	}
	return k
}

// HasAccount reports whether an account exists.
func (k *Kernel) HasAccount(id string) bool { return k.Accounts[id] }

// SetHooks sets the functions with which higher layers take part in each call.
// It must be called before the first call is served.
func (k *Kernel) SetHooks(disturb func(cl *Request, f Fault) error, audit func(cl *Request)) {
	k.disturb, k.audit = disturb, audit
}

// MarkDirty notes that state.json has to be written before the present call is answered.
func (k *Kernel) MarkDirty() { k.dirty.Store(true) }

// IsDirty reports whether MarkDirty was called since the last ClearDirty.
func (k *Kernel) IsDirty() bool { return k.dirty.Load() }

// ClearDirty notes that state.json is about to be written.
func (k *Kernel) ClearDirty() { k.dirty.Store(false) }

// SetClockOffset moves the sandbox's clock against the machine's.
func (k *Kernel) SetClockOffset(d time.Duration) { k.clockOffset.Store(int64(d)) }

// ClockOffset is how far the sandbox's clock is ahead of the machine's.
func (k *Kernel) ClockOffset() time.Duration { return time.Duration(k.clockOffset.Load()) }

// Now is the time by the sandbox's clock.
func (k *Kernel) Now() time.Time { return time.Now().Add(k.ClockOffset()) }

// Access is one question to the policy engine.
type Access struct {
	Caller   *Caller
	Action   string
	Resource string
	Owner    string // account of the resource
	Context  map[string][]string
	Policy   *iampolicy.Document // the resource's own policy, nil for none
	Block    *iampolicy.PublicAccessBlock
	// Own are the caller's policies, for callers that hold IAM's lock; nil: they are read.
	Own *OwnPolicies
}
