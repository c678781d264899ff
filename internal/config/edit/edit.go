package edit

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

// Draft is the content of a configuration to write. It is not checked here:
// the rules are those of config.Parse, and the text is given to it.
type Draft struct {
	Destination Destination
	// Uploader is the local user whom an access rule lets upload; empty: no rule.
	Uploader string
	// RunsAs is who runs the daemon. It stands at the top of a new file, and in the
	// stanza where it is added to a file that says something else or nothing.
	RunsAs config.RunsAs
	// Boundary is the ARN of the managed policy that bounds the role; it goes where RunsAs goes.
	Boundary string
	// Source is where the source credentials come from, a type of config.Source.
	// Only a new file gets it: an existing one has its own, for all its destinations.
	Source string
	// CreateBucket lets setup make the bucket; it goes where RunsAs goes.
	CreateBucket bool
	// Sandbox makes a new file reach a sandbox instead of AWS; nil: AWS.
	Sandbox *Sandbox
}

// Sandbox is how the daemon and setup reach a sandbox on this machine.
type Sandbox struct {
	Endpoint        string // URL of all services
	CABundle        string // PEM file; empty: none is needed
	CredentialsFile string // keys that the daemon runs with
	Dir             string // private directory for the socket and the spool
}

// Destination is one stanza. Empty fields are left out.
type Destination struct {
	Name       string
	Role       string // ARN
	Bucket     string
	Owner      string // account of bucket and key
	Region     string
	KMSKey     string // ARN
	Key        string // key template
	Durability string
	ExternalID string
	Duration   time.Duration
	BucketKey  *bool
	Tags       map[string]string
	ACL        string
	PathStyle  bool
}

// KeyBelow is the usual key template below a prefix, which may have slashes at its ends.
func KeyBelow(prefix string) string {
	const usual = "{host}/{yyyy}/{mm}/{dd}/{name}-{id}"
	if prefix = strings.Trim(prefix, "/"); prefix == "" {
		return usual
	}
	return prefix + "/" + usual
}

func (d Destination) node() node {
	var n node
	put := func(key, value, comment string) {
		if value != "" {
			n.add(pair(key, value).noted(comment))
		}
	}
	put("role", d.Role, "account A: what the daemon assumes")
	put("bucket", d.Bucket, "account B")
	put("owner", d.Owner, "account B; a bucket of another owner gets nothing")
	put("region", d.Region, "")
	put("kms_key", d.KMSKey, "account B")
	if d.BucketKey != nil {
		n.add(entry{key: "bucket_key", value: literal(map[bool]string{true: "true", false: "false"}[*d.BucketKey])})
	}
	put("key", d.Key, "objects are written below its fixed beginning only")
	put("durability", d.Durability, durabilityComment[d.Durability])
	if d.PathStyle {
		n.add(entry{key: "path_style", value: literal("true")})
	}
	put("acl", d.ACL, "")
	if len(d.Tags) > 0 {
		n.add(entry{key: "tags", value: ordered(d.Tags)})
	}
	var session node
	if d.ExternalID != "" {
		session.add(pair("external_id", d.ExternalID))
	}
	if d.Duration != 0 {
		session.add(entry{key: "duration", value: literal(config.Duration(d.Duration).String())})
	}
	if len(session.entries) > 0 {
		n.add(entry{key: "session", value: session})
	}
	return n
}

// durabilityComment explains a durability, next to its value.
var durabilityComment = map[string]string{
	config.DurabilitySpool:     "acknowledged when it is on this host's disk, delivered from there",
	config.DurabilitySpoolWait: "on this host's disk first, acknowledged when S3 has it",
}

func ordered(m map[string]string) node {
	var n node
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n.add(pair(k, m[k]))
	}
	return n
}

// setup is the setup section with nothing else in it.
func (d Draft) setup() node {
	var n, out node
	for _, f := range []struct{ key, value string }{
		{"type", d.RunsAs.Type}, {"principal", d.RunsAs.Principal}, {"provider", d.RunsAs.Provider}, {"subject", d.RunsAs.Subject},
		{"audience", d.RunsAs.Audience},
	} {
		if f.value != "" {
			n.add(pair(f.key, f.value))
		}
	}
	if len(n.entries) > 0 {
		out.add(entry{key: "runs_as", value: n})
	}
	if d.Boundary != "" {
		out.add(pair("boundary", d.Boundary))
	}
	if d.CreateBucket {
		out.add(entry{key: "create_bucket", value: literal("true")})
	}
	if s := d.Sandbox; s != nil {
		out.add(entry{key: "endpoints", value: mapping(pair("iam", s.Endpoint), pair("cloudtrail", s.Endpoint))})
	}
	return out
}

// rule lets the uploader upload and verify.
func (d Draft) rule() node {
	return mapping(
		entry{key: "peer", value: mapping(pair("uid", d.Uploader))},
		entry{key: "destinations", value: texts([]string{d.Destination.Name})},
		entry{key: "allow", value: texts([]string{string(config.PermUpload), string(config.PermVerify)})},
	)
}
