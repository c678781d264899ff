package safefile

// Writer is the answer of Writers.
type Writer int

// The answers.
const (
	// WritersUnknown: the file system has no leases, or the file belongs to another user
	// and the process has no CAP_LEASE.
	WritersUnknown Writer = iota
	NoWriter
	HasWriter
)
