package sandbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// kernelOptions configure a kernel.
type kernelOptions struct {
	// Accounts are the ids of the accounts that exist.
	Accounts []string
	// Region is the home region: anonymous calls are made in it.
	Region string
	// Seed decides which calls a fault with a rate hits.
	Seed uint64
	// Store keeps the state across restarts; nil: the state ends with the process.
	Store *store
}

// kernel is the part that all services share. Its methods are safe for concurrent use.
type kernel struct {
	region string
	seed   uint64
	store  *store
	// accounts has the ids of the accounts that exist. It never changes.
	accounts map[string]bool

	// disturb applies the parts of a fault that change accounts or keys; nil: none.
	disturb func(cl *call, f Fault) error
	// audit is called once for each call, before it is answered; nil: no audit trail.
	audit func(cl *call)

	faultMu sync.Mutex
	faults  []*Fault

	callMu sync.Mutex
	calls  []Call

	clockOffset atomic.Int64
	dirty       atomic.Bool // a change that state.json does not hold yet

	networkMu sync.RWMutex
	guards    map[string]*guardrails // by account
	endpoints map[string]*endpoint   // by id
}

func newKernel(o kernelOptions) *kernel {
	k := &kernel{
		region: o.Region, seed: o.Seed, store: o.Store, accounts: map[string]bool{},
		guards: map[string]*guardrails{}, endpoints: map[string]*endpoint{},
	}
	for _, id := range o.Accounts {
		k.accounts[id] = true
	}
	return k
}

// hasAccount reports whether an account exists.
func (k *kernel) hasAccount(id string) bool { return k.accounts[id] }

// setHooks sets the functions with which higher layers take part in each call.
// It must be called before the first call is served.
func (k *kernel) setHooks(disturb func(cl *call, f Fault) error, audit func(cl *call)) {
	k.disturb, k.audit = disturb, audit
}

// markDirty notes that state.json has to be written before the present call is answered.
func (k *kernel) markDirty() { k.dirty.Store(true) }

// isDirty reports whether markDirty was called since the last clearDirty.
func (k *kernel) isDirty() bool { return k.dirty.Load() }

// clearDirty notes that state.json is about to be written.
func (k *kernel) clearDirty() { k.dirty.Store(false) }

// setClockOffset moves the sandbox's clock against the machine's.
func (k *kernel) setClockOffset(d time.Duration) { k.clockOffset.Store(int64(d)) }

// clockOffsetNow is how far the sandbox's clock is ahead of the machine's.
func (k *kernel) clockOffsetNow() time.Duration { return time.Duration(k.clockOffset.Load()) }

// now is the time by the sandbox's clock.
func (k *kernel) now() time.Time { return time.Now().Add(k.clockOffsetNow()) }

// access is one question to the policy engine.
type access struct {
	caller   *caller
	action   string
	resource string
	owner    string // account of the resource
	context  map[string][]string
	policy   *iampolicy.Document // the resource's own policy, nil for none
	block    *iampolicy.PublicAccessBlock
	// own are the caller's policies, for callers that hold IAM's lock; nil: they are read.
	own *ownPolicies
}
