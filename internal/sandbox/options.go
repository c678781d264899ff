package sandbox

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The defaults of Options.
const (
	DefaultAccountA = "111122223333"
	DefaultAccountB = "444455556666"
	DefaultRegion   = "eu-west-1"
	DefaultAddr     = "127.0.0.1:0"
)

// Options says how a sandbox is set up. The zero value is usable.
type Options struct {
	// AccountA and AccountB are the 12-digit ids of the two accounts.
	AccountA, AccountB string
	// Region is the home Region: anonymous calls are made in it, and Sandbox.Region
	// returns it. Clients use any Region by signing for it.
	Region string
	// Addr is the listening address, host:port. It must be a loopback address.
	Addr string
	// PlainHTTP serves http instead of https.
	PlainHTTP bool
	// Dir is the parent of a directory for large object bodies, which Close removes.
	// Empty: the system's temporary directory.
	Dir string
	// DataDir is a directory that keeps the whole state across restarts. It is made
	// if it does not exist, and serves one sandbox at a time. Dir is not used then.
	DataDir string
	// SkipChecksums leaves out the digests and checksums of object data, for
	// benchmarks: they are neither verified nor computed, and ETags are random.
	// Lengths, signatures and policies are checked as usual.
	SkipChecksums bool
	// RootKeys fixes the access keys of the root users by account id. Accounts
	// that are not named get random ones.
	RootKeys map[string]kernel.Credentials
	// Faults are in force from the start; see SetFaults.
	Faults []kernel.Fault
	// Seed decides which calls a fault with a rate hits: runs with the same seed hit the same calls.
	Seed uint64
}

func (o Options) withDefaults() (Options, error) {
	if o.AccountA == "" {
		o.AccountA = DefaultAccountA
	}
	if o.AccountB == "" {
		o.AccountB = DefaultAccountB
	}
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	for _, id := range []string{o.AccountA, o.AccountB} {
		if !kernel.AccountPattern.MatchString(id) {
			return o, fmt.Errorf("account id %q must have 12 digits", id)
		}
	}
	if o.AccountA == o.AccountB {
		return o, fmt.Errorf("accounts A and B are both %s: give them different ids", o.AccountA)
	}
	if !kernel.RegionPattern.MatchString(o.Region) {
		return o, fmt.Errorf("region %q is not the name of a Region: use one like eu-west-1", o.Region)
	}
	for id, keys := range o.RootKeys {
		if id != o.AccountA && id != o.AccountB {
			return o, fmt.Errorf("root keys given for %s, which is neither account A nor B", id)
		}
		if keys.AccessKeyID == "" || keys.SecretAccessKey == "" || keys.SessionToken != "" {
			return o, fmt.Errorf("root keys of %s need an access key id and a secret, and no session token", id)
		}
	}
	for i := range o.Faults {
		if err := o.Faults[i].Validate(); err != nil {
			return o, err
		}
	}
	return o, nil
}
