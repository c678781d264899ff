package s3

import "github.com/brokerd/brokerd/internal/sandbox/kernel"

// bucketConfig is the part of a bucket's configuration that is stored as it was put. It
// refers to other entities by name only.
type bucketConfig struct {
	// Location is the constraint that the bucket was made with, where it is not its Region.
	Location  string           `json:",omitempty"`
	Tags      []kernel.Tag     `json:",omitempty"`
	ACL       *accessList      `json:",omitempty"` // nil: private
	Lifecycle *lifecycleConfig `json:",omitempty"`
	Logging   *loggingTarget   `json:",omitempty"`
	CORS      []corsRule       `json:",omitempty"`
	// RequesterPays: callers of other accounts have to say that they pay.
	RequesterPays bool `json:",omitempty"`
}
