package awserr

// Class says what kind of failure an error is.
type Class string

// The classes.
const (
	None               Class = ""                    // no error
	Network            Class = "network"             // no answer: DNS, connect, TLS, timeout, reset
	Throttle           Class = "throttle"            // told to slow down
	Transient          Class = "transient"           // 5xx and the like
	Conflict           Class = "conflict"            // 409, a concurrent conditional write
	ExpiredCredentials Class = "expired_credentials" // a session or key that is past its end
	BadCredentials     Class = "bad_credentials"     // unknown key, wrong secret, none at all
	ClockSkew          Class = "clock_skew"          // the local clock is wrong
	AccessDenied       Class = "access_denied"       // a policy says no, or none says yes
	NotFound           Class = "not_found"           // NoSuchBucket, NoSuchKey
	NoSuchUpload       Class = "no_such_upload"      // multipart upload is gone
	KeyState           Class = "key_state"           // KMS key missing, disabled, pending deletion, wrong type: never a policy
	Region             Class = "region"              // the bucket is in another Region
	Owner              Class = "owner"               // the bucket belongs to somebody else
	Precondition       Class = "precondition"        // 412, If-None-Match
	Invalid            Class = "invalid"             // the request can never succeed as it is
	Integrity          Class = "integrity"           // checksum or length mismatch seen by S3
	Canceled           Class = "canceled"            // the caller gave up
	Terminal           Class = "terminal"            // anything else that S3, STS or KMS refused
)

// Fate says what to do about a failure.
type Fate string

// The fates.
const (
	RetryNow         Fate = "retry_now"          // with backoff
	RefreshThenRetry Fate = "refresh_then_retry" // drop the session, sign again, once
	Park             Fate = "park"               // keep the data; somebody has to repair the access
	Dead             Fate = "dead"               // this request can never succeed
	GiveUp           Fate = "give_up"            // the caller is gone
)

// Layer names the kind of policy that refused; empty when unknown.
type Layer string

// The layers, named as internal/iampolicy names them.
const (
	LayerUnknown      Layer = ""
	LayerIdentity     Layer = "identity"
	LayerResource     Layer = "resource"
	LayerBoundary     Layer = "permissions_boundary"
	LayerSession      Layer = "session"
	LayerSCP          Layer = "service_control"
	LayerRCP          Layer = "resource_control"
	LayerVPCEndpoint  Layer = "vpc_endpoint"
	LayerPublicAccess Layer = "public_access_block"
	LayerTrust        Layer = "trust"
	LayerKeyPolicy    Layer = "key_policy" // KMS's deliberately opaque text: key policy, wrong Region or wrong key
)

// Side says in which account a refusing layer lives.
type Side string

// The sides: A is the caller's account, B the account of the bucket and the key.
const (
	SideUnknown Side = ""
	SideA       Side = "A"
	SideB       Side = "B"
)

// Info is what is known about a failed call.
type Info struct {
	Service    string // "s3", "sts", "kms"
	Code       string // the service's error code, such as "AccessDenied"
	Message    string // one sentence for people
	HTTPStatus int    // 0 when there was no answer
	RequestID  string
	Class      Class
	Layer      Layer
	Side       Side
	Principal  string
	Action     string
	Resource   string
	Explicit   bool // an explicit deny
	PolicyARN  string
	Endpoint   string // host:port, for Network
	NetworkOp  string // "dns", "connect", "tls", "timeout", "reset", for Network
}

// Classify says what err is. service is "s3", "sts" or "kms".
func Classify(err error, service string) Info { return Info{} }

// Fate says what to do about a failure of class c.
func (c Class) Fate() Fate { return Dead }

// Denial is what a service's text says about a refusal.
type Denial struct {
	Principal string
	Action    string
	Resource  string
	Layer     Layer
	Side      Side
	Explicit  bool
	PolicyARN string
}

// ParseDenial reads a service's refusal text.
func ParseDenial(text string) (Denial, bool) { return Denial{}, false }

// SessionClass is the class of a failed refresh of a role session.
type SessionClass string

// The classes of session failures.
const (
	SessionOK        SessionClass = ""
	SessionTerminal  SessionClass = "terminal"  // asking again will not help until somebody changes something
	SessionThrottle  SessionClass = "throttle"  // back off
	SessionTransient SessionClass = "transient" // try again
	SessionSource    SessionClass = "source"    // the source credentials are the problem: refresh them, try once
)

// SessionFailure classifies a failed AssumeRole.
func SessionFailure(err error) SessionClass { return SessionTransient }
