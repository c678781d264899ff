package s3

import "github.com/brokerd/brokerd/internal/sandbox/kernel"

// bucketConfig is the part of a bucket's configuration that is kept as it was
// put: nothing of it refers to other entities but by name.
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
