package sandbox

import (
	"github.com/brokerd/brokerd/internal/sandbox/admin"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/s3"
	"github.com/brokerd/brokerd/internal/sandbox/sts"
)

// The types of the services that users of the sandbox need.
type (
	// Info describes a running sandbox.
	Info = admin.Info
	// Call is one recorded API call.
	Call = kernel.Call
	// Credentials are the keys of a principal.
	Credentials = kernel.Credentials
	// Duration is a time.Duration that reads and writes JSON as text.
	Duration = kernel.Duration
	// Fault makes calls fail on purpose.
	Fault = kernel.Fault
	// ResetPoint is the point of a call at which its connection is dropped.
	ResetPoint = kernel.ResetPoint
	// Guardrails are the organization policies around an account.
	Guardrails = kernel.Guardrails
	// VPCEndpoint is a private way to all services.
	VPCEndpoint = kernel.VPCEndpoint
	// WebIdentity is the content of an identity provider's token.
	WebIdentity = sts.WebIdentity
	// ObjectInfo describes the current version of a stored object.
	ObjectInfo = s3.ObjectInfo
	// MultipartUpload describes an open multipart upload.
	MultipartUpload = s3.MultipartUpload
	// LifecycleResult lists the actions of one run of the lifecycle rules.
	LifecycleResult = s3.LifecycleResult
	// LifecycleAction is one action of a lifecycle rule.
	LifecycleAction = s3.LifecycleAction
)

// The reset points of a fault. ResetBeforeResponse loses the answer: the operation is carried out.
const (
	ResetBeforeBody     = kernel.ResetBeforeBody
	ResetAfterBody      = kernel.ResetAfterBody
	ResetBeforeResponse = kernel.ResetBeforeResponse
	ResetAfterResponse  = kernel.ResetAfterResponse
)

// ErrNotFound is returned for a resource that does not exist.
var ErrNotFound = kernel.ErrNotFound

// ParseFault reads a fault from text: an operation and name=value pairs, as in
// "s3:UploadPart code=SlowDown rate=0.1".
func ParseFault(text string) (Fault, error) { return kernel.ParseFault(text) }
