package reason

import "google.golang.org/grpc/codes"

// Reason is the stable identifier of one kind of error, such as ACCESS_DENIED.
type Reason string

// Reasons about the request.
const (
	InvalidHeader       Reason = "INVALID_HEADER"
	InvalidName         Reason = "INVALID_NAME"
	UnknownDestination  Reason = "UNKNOWN_DESTINATION"
	ChunkTooLarge       Reason = "CHUNK_TOO_LARGE"
	ProtocolViolation   Reason = "PROTOCOL_VIOLATION"
	TrailerMissing      Reason = "TRAILER_MISSING"
	LengthMismatch      Reason = "LENGTH_MISMATCH"
	ChecksumMismatch    Reason = "CHECKSUM_MISMATCH"
	SizeMismatch        Reason = "SIZE_MISMATCH"
	ObjectTooLarge      Reason = "OBJECT_TOO_LARGE"
	KeyValueMissing     Reason = "KEY_VALUE_MISSING"
	IdempotencyConflict Reason = "IDEMPOTENCY_CONFLICT"
	PoliciesTooLarge    Reason = "POLICIES_TOO_LARGE"
	UploadNotFound      Reason = "UPLOAD_NOT_FOUND"
	DescriptorRefused   Reason = "DESCRIPTOR_REFUSED"
	FileUnreadable      Reason = "FILE_UNREADABLE"
	FileChanged         Reason = "FILE_CHANGED"
)

// Reasons about the caller.
const (
	PeerNotAllowed Reason = "PEER_NOT_ALLOWED"
	AdminOnly      Reason = "ADMIN_ONLY"
)

// Reasons of the client, about the daemon's socket.
const (
	SocketDenied    Reason = "SOCKET_DENIED"
	SocketInvalid   Reason = "SOCKET_INVALID"
	SocketUntrusted Reason = "SOCKET_UNTRUSTED"
	DaemonSilent    Reason = "DAEMON_SILENT"
)

// Reasons that only the credentials endpoint (HTTP) gives.
const (
	TokenRefused     Reason = "TOKEN_REFUSED"
	ForeignRequest   Reason = "FOREIGN_REQUEST"
	NoSuchPath       Reason = "NO_SUCH_PATH"
	MethodNotAllowed Reason = "METHOD_NOT_ALLOWED"
)

// Reasons about the daemon.
const (
	TooManyUploads     Reason = "TOO_MANY_UPLOADS"
	TooManyRequests    Reason = "TOO_MANY_REQUESTS"
	AuditUnavailable   Reason = "AUDIT_UNAVAILABLE"
	TooManyConnections Reason = "TOO_MANY_CONNECTIONS"
	TooManyFiles       Reason = "TOO_MANY_FILES"
	ClientTooSlow      Reason = "CLIENT_TOO_SLOW"
	ConfigInvalid      Reason = "CONFIG_INVALID"
	ReloadNeedsRestart Reason = "RELOAD_NEEDS_RESTART"
	ShuttingDown       Reason = "SHUTTING_DOWN"
	Draining           Reason = "DRAINING"
	Deadline           Reason = "DEADLINE"
	Canceled           Reason = "CANCELED"
	Internal           Reason = "INTERNAL"
)

// Reasons about the spool.
const (
	SpoolFull   Reason = "SPOOL_FULL"
	SpoolFailed Reason = "SPOOL_FAILED"
	SpoolState  Reason = "SPOOL_STATE"
	NoSpool     Reason = "NO_SPOOL"
)

// Reasons of objects in the spool.
const (
	SpoolReadFailed  Reason = "SPOOL_READ_FAILED"
	SpoolWriteFailed Reason = "SPOOL_WRITE_FAILED"
	Receipt          Reason = "RECEIPT"
	Corrupt          Reason = "CORRUPT"
	Missing          Reason = "MISSING"
	Unknown          Reason = "UNKNOWN"
	Unreadable       Reason = "UNREADABLE"
)

// Reasons about watched files.
const (
	FileRefused  Reason = "FILE_REFUSED"
	FileUnmoved  Reason = "FILE_UNMOVED"
	WatchUnknown Reason = "WATCH_UNKNOWN"
)

// Reasons about the role session.
const (
	SessionUnavailable Reason = "SESSION_UNAVAILABLE"
	SessionDenied      Reason = "SESSION_DENIED"
	CredentialsExpired Reason = "CREDENTIALS_EXPIRED"
)

// Reasons about AWS.
const (
	AccessDenied     Reason = "ACCESS_DENIED"
	BucketNotFound   Reason = "BUCKET_NOT_FOUND"
	KMSKeyUnusable   Reason = "KMS_KEY_UNUSABLE"
	WrongRegion      Reason = "WRONG_REGION"
	Network          Reason = "NETWORK"
	Throttled        Reason = "THROTTLED"
	AWSUnavailable   Reason = "AWS_UNAVAILABLE"
	AWSRefused       Reason = "AWS_REFUSED"
	ResponseMismatch Reason = "RESPONSE_MISMATCH"
)

// Group is a section of docs/error-codes.md.
type Group string

// The groups, in the order of the page.
const (
	AboutRequest Group = "request"
	AboutCaller  Group = "caller"
	AboutSocket  Group = "socket"
	AboutHTTP    Group = "http"
	AboutDaemon  Group = "daemon"
	AboutSpool   Group = "spool"
	AboutObject  Group = "object"
	AboutFile    Group = "file"
	AboutSession Group = "session"
	AboutAWS     Group = "aws"
)

const unknownReason = "the daemon gave a reason that this program does not know"

// Row holds the facts about one reason.
type Row struct {
	Reason Reason
	Group  Group
	// Code is the status code of the gRPC API.
	Code codes.Code
	// HTTP is the status of the credentials endpoint; 0 when it never gives this reason.
	HTTP int
	// Retryable reports whether the same call may succeed later although no person
	// changed anything.
	Retryable bool
	// RefusedByAWS reports whether the next delivery to the same destination would
	// be refused too, so that the destination is not ready.
	RefusedByAWS bool
	// Ambiguous reports whether an upload that failed with this reason, after all
	// bytes had been sent, may have stored its object.
	Ambiguous bool
	// Text explains the reason, Hint the next step. Both are Markdown.
	Text, Hint string
}

// Of returns the row of r. A reason without a row comes from a newer daemon: it is
// not retryable, and only the empty reason, which says nothing at all, is ambiguous.
func Of(r Reason) Row {
	for i := range rows {
		if rows[i].Reason == r {
			return rows[i]
		}
	}
	return Row{Reason: r, Code: codes.Internal, HTTP: 500, Ambiguous: r == "", Text: unknownReason, Hint: "update this program"}
}

// All returns every row, in the order of docs/error-codes.md.
func All() []Row { return append([]Row(nil), rows...) }

// Code returns the status code of the gRPC API for r.
func (r Reason) Code() codes.Code { return Of(r).Code }

// HTTP returns the status with which the credentials endpoint gives r; 500 when it
// has none.
func (r Reason) HTTP() int {
	if status := Of(r).HTTP; status != 0 {
		return status
	}
	return 500
}

// Retryable reports whether the same call may succeed later although no person
// changed anything.
func (r Reason) Retryable() bool { return Of(r).Retryable }

// RefusedByAWS reports whether AWS, or an answer of AWS, makes the destination unready.
func (r Reason) RefusedByAWS() bool { return Of(r).RefusedByAWS }

// Ambiguous reports whether an upload that failed with r may have stored its object.
func (r Reason) Ambiguous() bool { return Of(r).Ambiguous }
