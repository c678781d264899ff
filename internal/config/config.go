package config

import "time"

// Config is one validated configuration file. Values are final: defaults are
// filled in, durations and sizes are parsed. Treat it as immutable.
type Config struct {
	// Path is the file the configuration was read from, for messages.
	Path string `yaml:"-"`

	Socket       Socket                  `yaml:"socket"`
	Metrics      Metrics                 `yaml:"metrics"`
	Log          Log                     `yaml:"log"`
	Shutdown     Shutdown                `yaml:"shutdown"`
	Limits       Limits                  `yaml:"limits"`
	Memory       Memory                  `yaml:"memory"`
	Spool        Spool                   `yaml:"spool"`
	AWS          AWS                     `yaml:"aws"`
	Verify       Verify                  `yaml:"verify"`
	Destinations map[string]*Destination `yaml:"destinations"`
	Access       []Rule                  `yaml:"access"`
	Vend         Vend                    `yaml:"vend"`
	Watch        []Watch                 `yaml:"watch"`
	Setup        Setup                   `yaml:"setup"` // for brokerctl setup alone

	fromEnvironment []string
}

// Socket is the Unix socket of the gRPC API.
type Socket struct {
	Path  string   `yaml:"path"`  // default /run/brokerd/brokerd.sock
	Mode  FileMode `yaml:"mode"`  // default 0660; "other" bits are allowed (the access rules decide), but warned about
	Group string   `yaml:"group"` // owning group, name or number; empty: the daemon's own
	// Reflection serves the description of the API to every caller, for tools such as grpcurl.
	Reflection bool `yaml:"reflection"`
	// OwnerIsAdmin gives root and the daemon's own user the admin permission without a rule,
	// when they call from the daemon's own namespaces. Without a value: true, but false in a container.
	OwnerIsAdmin *bool `yaml:"owner_is_admin"`
}

// Metrics is the Prometheus endpoint. Without an Address and a Socket there is none.
type Metrics struct {
	Address string `yaml:"address"` // IP:port; every user of the host can connect to it
	Socket  string `yaml:"socket"`  // a Unix socket, with socket.mode and socket.group
}

// Log sets the level of the JSON log on standard error.
type Log struct {
	Level string `yaml:"level"` // debug | info (default) | warn | error
}

// Shutdown bounds a graceful stop.
type Shutdown struct {
	Grace Duration `yaml:"grace"` // default 30s: how long open uploads may take to finish
	Drain bool     `yaml:"drain"` // also deliver the spool, within grace
}

// Limits protect the daemon from its clients.
type Limits struct {
	IdleTimeout Duration `yaml:"idle_timeout"`           // default 60s: longest silence inside an upload stream
	MaxObject   Size     `yaml:"max_object"`             // default 5TiB
	Credentials int      `yaml:"credentials_per_second"` // default 50, 1..1000000: how often a user may ask for credentials
}

// Memory is the process-wide budget for bytes in flight to S3.
type Memory struct {
	Max Size `yaml:"max"` // at least 16MiB; 0 (default): the daemon derives it from the memory its cgroup allows
}

// Verify is the daemon's own verification of its destinations.
type Verify struct {
	Every Duration `yaml:"every"` // default 15m, 1m..24h, give or take a tenth; 0: never
}

// Spool is where destinations of durability spool and spool-wait keep accepted
// objects until they are delivered.
type Spool struct {
	Dir           string `yaml:"dir"`            // default /var/lib/brokerd/spool; absolute, on a file system that keeps its promises
	Max           Size   `yaml:"max"`            // default 10GiB: all that is kept at a time
	MaxPerUID     Size   `yaml:"max_per_uid"`    // what one user's uploads may take; 0 (default): half of max, or max for a single user
	MinFree       Size   `yaml:"min_free"`       // default 512MiB: what stays free on the file system
	Concurrency   int    `yaml:"concurrency"`    // default 16, 1..256: deliveries at a time over all destinations
	AllowVolatile bool   `yaml:"allow_volatile"` // accept a file system that can lose acknowledged objects
}

// Spools reports whether any destination keeps its objects in the spool.
func (c *Config) Spools() bool {
	for _, d := range c.Destinations {
		if d.Spools() {
			return true
		}
	}
	return false
}

// Spools reports whether objects are kept on disk before they are delivered.
func (d *Destination) Spools() bool {
	return d.Durability == DurabilitySpool || d.Durability == DurabilitySpoolWait
}

// The values of Destination.Durability.
const (
	DurabilityDirect    = "direct"     // acknowledged when S3 has confirmed the object; nothing is kept
	DurabilitySpool     = "spool"      // acknowledged when the object is safe on the daemon's disk
	DurabilitySpoolWait = "spool-wait" // safe on disk first, acknowledged when S3 has confirmed it
)

// AWS says where the source credentials come from and how AWS is reached.
type AWS struct {
	Source          Source    `yaml:"source"`
	Profile         string    `yaml:"profile"`          // shared-config profile; empty: the SDK's default chain
	CredentialsFile string    `yaml:"credentials_file"` // shared-credentials file, e.g. from systemd LoadCredential; empty: SDK default
	Endpoints       Endpoints `yaml:"endpoints"`        // empty: the AWS endpoints of the destination's region
	CABundle        string    `yaml:"ca_bundle"`        // PEM file trusted in addition to the system's roots
	FIPS            bool      `yaml:"fips"`             // AWS's FIPS endpoints of STS and S3
	DualStack       bool      `yaml:"dual_stack"`       // AWS's IPv6 endpoints of STS and S3
}

// Source says which source credentials are used. The first role of a destination
// is assumed with them.
type Source struct {
	Type      string `yaml:"type"`       // default (the SDK's chain) | profile | static | web-identity | container | process | imds
	TokenFile string `yaml:"token_file"` // web-identity and container; empty: from the environment, as EKS sets it
	URL       string `yaml:"url"`        // container; empty: from the environment
	Command   string `yaml:"command"`    // process: what prints the credentials, as credential_process
}

// The types of source credentials.
const (
	SourceDefault     = "default"
	SourceProfile     = "profile"
	SourceStatic      = "static"
	SourceWebIdentity = "web-identity"
	SourceContainer   = "container"
	SourceProcess     = "process"
	SourceIMDS        = "imds"
)

// Endpoints override service URLs (a sandbox, an S3-compatible store, a VPC endpoint).
type Endpoints struct {
	STS string `yaml:"sts"`
	S3  string `yaml:"s3"`
	KMS string `yaml:"kms"`
}

// Destination is one stanza: where objects go, under which role, encrypted with which key.
type Destination struct {
	Name string `yaml:"-"`

	Role        string    `yaml:"role"`   // full IAM role ARN; empty only for a compatible destination (source credentials are used as they are)
	Chain       []Hop     `yaml:"chain"`  // roles assumed on the way to role, in this order
	Bucket      string    `yaml:"bucket"` // bucket name
	Owner       string    `yaml:"owner"`  // 12-digit account that owns the bucket; empty only for a compatible destination
	Region      string    `yaml:"region"`
	KMSKey      string    `yaml:"kms_key"`     // full key ARN, of the bucket's Region and account; a compatible destination: any id, or empty
	BucketKey   *bool     `yaml:"bucket_key"`  // default true
	Key         string    `yaml:"key"`         // template of the object's key
	Durability  string    `yaml:"durability"`  // direct (default) | spool | spool-wait
	PartSize    Size      `yaml:"part_size"`   // default 8MiB, 5MiB..64MiB
	EqualParts  bool      `yaml:"equal_parts"` // all parts of a stream have part_size, but for the last one
	Concurrency int       `yaml:"concurrency"` // parts in flight per upload, default 4, 1..64
	Session     Session   `yaml:"session"`
	PathStyle   bool      `yaml:"path_style"`
	Compatible  bool      `yaml:"compatible"` // S3-compatible store: relaxes the role, owner and key-ARN rules; unprovable checks are unknown
	Endpoints   Endpoints `yaml:"endpoints"`  // overrides aws.endpoints
	Profile     string    `yaml:"profile"`    // overrides aws.profile
	Proxy       string    `yaml:"proxy"`      // HTTP proxy for S3; empty: the environment's; "none": none
	CABundle    string    `yaml:"ca_bundle"`  // PEM file for S3; empty: aws.ca_bundle
	FIPS        bool      `yaml:"fips"`       // AWS's FIPS endpoints of S3
	DualStack   bool      `yaml:"dual_stack"` // AWS's IPv6 endpoints of S3

	// What every object of the destination gets.
	FixedKey          bool              `yaml:"fixed_key"` // Key needs no {id}: a later object replaces an earlier one
	ContentType       string            `yaml:"content_type"`
	ContentEncoding   string            `yaml:"content_encoding"`
	Metadata          map[string]string `yaml:"metadata"`           // beside the client's, and stronger
	Tags              map[string]string `yaml:"tags"`               // object tags, at most 10
	StorageClass      string            `yaml:"storage_class"`      // empty: STANDARD
	ACL               string            `yaml:"acl"`                // bucket-owner-full-control, for buckets whose owner still wants it
	Compression       string            `yaml:"compression"`        // gzip | zstd: the broker compresses; empty: as it comes
	EncryptionContext map[string]string `yaml:"encryption_context"` // KMS encryption context, beside S3's own pair
	Rate              Size              `yaml:"rate"`               // bytes a second to S3; 0: as fast as it goes
	Spool             SpoolLimits       `yaml:"spool"`

	Setup Setup `yaml:"setup"` // for brokerctl setup alone; overrides the section setup of the file

	// KeyTemplate is Key, parsed.
	KeyTemplate *KeyTemplate `yaml:"-"`
	// Line is the line of the stanza in the file, for messages.
	Line int `yaml:"-"`
}

// WriteActions are the S3 actions that an upload with the destination's options takes.
func (d *Destination) WriteActions() []string {
	actions := []string{"s3:PutObject", "s3:AbortMultipartUpload"}
	if len(d.Tags) > 0 {
		actions = append(actions, "s3:PutObjectTagging")
	}
	if d.ACL != "" {
		actions = append(actions, "s3:PutObjectAcl")
	}
	return actions
}

// SpoolLimits bound the spooled objects of one destination.
type SpoolLimits struct {
	Max        Size `yaml:"max"`         // 0 (default): as much as the spool takes
	MaxObjects int  `yaml:"max_objects"` // 0 (default): 1,000,000
}

// Session shapes the AssumeRole request.
type Session struct {
	ExternalID     string            `yaml:"external_id"`
	Name           string            `yaml:"name"`     // RoleSessionName, default "brokerd-<destination>"; stable across refreshes
	Duration       Duration          `yaml:"duration"` // default 1h, 15m..12h
	Tags           map[string]string `yaml:"tags"`
	TransitiveTags []string          `yaml:"transitive_tags"` // keys of Tags that roles further down a chain inherit
	SourceIdentity string            `yaml:"source_identity"`
	MaxAge         Duration          `yaml:"max_age"` // the session is replaced at this age at the latest; 0: as its end asks for
	Peer           PeerSession       `yaml:"peer"`
	Scope          string            `yaml:"scope"` // auto (default): a session policy limits the session to the destination; off
}

// PeerSession names the facts about a peer that its session carries, in the words
// of PeerFacts. The daemon's own session carries none of them.
type PeerSession struct {
	SourceIdentity string            `yaml:"source_identity"`
	Tags           map[string]string `yaml:"tags"` // by tag key
}

// Facts about a peer, as the kernel reports them.
const (
	PeerUID  = "uid"  // user: uid1000
	PeerUnit = "unit" // systemd unit: app.service
	PeerPod  = "pod"  // UID of the Kubernetes pod
)

// The values of Session.Scope.
const (
	ScopeAuto = "auto"
	ScopeOff  = "off"
)

// Hop is one role on the way to a destination's role.
type Hop struct {
	Role           string            `yaml:"role"`
	ExternalID     string            `yaml:"external_id"`
	Tags           map[string]string `yaml:"tags"`
	TransitiveTags []string          `yaml:"transitive_tags"`
	Duration       Duration          `yaml:"duration"` // default 1h; more is possible for the first hop of a source that is no role
}

// Rule allows peers to do things with destinations. Rules only ever add rights.
type Rule struct {
	Peer         Peer         `yaml:"peer"`
	Destinations []string     `yaml:"destinations"` // names, or "*"
	Allow        []Permission `yaml:"allow"`
	Line         int          `yaml:"-"` // line in the file, for explanations
}

// Peer selects kernel-attested callers. Both fields given: both must match.
type Peer struct {
	UID string `yaml:"uid"` // user name or number
	GID string `yaml:"gid"` // group name or number (the peer's primary group)
}

// Vend is the HTTP endpoint from which AWS SDKs take session credentials. It is
// off unless Address or Socket is set, and gives nothing that no access rule allows.
type Vend struct {
	Address string  `yaml:"address"` // loopback IP and port; callers show a token
	Socket  string  `yaml:"socket"`  // Unix socket; callers are who the kernel says
	Tokens  []Token `yaml:"tokens"`
}

// Token is a secret that stands for a peer where the kernel cannot attest one.
type Token struct {
	File         string   `yaml:"file"`         // absolute path; read again when it changes
	Peer         Peer     `yaml:"peer"`         // whose token it is; without a GID only rules by user apply
	Destinations []string `yaml:"destinations"` // names, or "*": it is good for no other ones, whatever the peer may do
}

// Permission is one right of a rule.
type Permission string

// The rights a rule can give.
const (
	PermUpload      Permission = "upload"
	PermVerify      Permission = "verify"
	PermCredentials Permission = "credentials"
	PermAdmin       Permission = "admin"
)

// Duration is a Go duration in YAML ("30s", "1h").
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Size is a byte count in YAML: a number, or one with a unit (KiB, MiB, GiB, TiB, KB, MB, GB, TB).
type Size int64

// FileMode is an octal permission in YAML ("0660").
type FileMode uint32
