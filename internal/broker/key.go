package broker

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

// Request holds every field that changes an AssumeRole call. Add a new field to key as
// well; a reflection test checks that.
type Request struct {
	Region         string
	Endpoint       string
	FIPS           bool // AWS's FIPS endpoint, when Endpoint is empty
	DualStack      bool // AWS's IPv6 endpoint, when Endpoint is empty
	Source         source
	Parent         *Request // the role before it in a chain; nil: assumed with the source's credentials
	Role           string
	ExternalID     string
	SessionName    string
	SourceIdentity string
	Tags           map[string]string
	TransitiveTags []string // sorted
	Policy         string   // inline session policy, JSON; empty: the role's own rights
	Duration       time.Duration
	MaxAge         time.Duration // not sent to STS; it decides when the session is replaced
}

// source configures the credentials at the start of a chain.
type source struct {
	Type            string
	Profile         string
	CredentialsFile string
	TokenFile       string
	URL             string
	Command         string
}

// hopName is the session name of the intermediate roles of a chain. It is the same for
// all destinations, so that they share these sessions.
const hopName = "brokerd"

// straight reports whether the role is assumed with a web identity. That needs no
// credentials, so the limit of role chaining does not apply.
func (r Request) straight() bool {
	return r.Parent == nil && r.Source.Type == config.SourceWebIdentity
}

type sessionKey [sha256.Size]byte

func requestOf(c *config.Config, d *config.Destination) Request {
	endpoint := d.Endpoints.STS
	if endpoint == "" {
		endpoint = c.AWS.Endpoints.STS
	}
	profile := d.Profile
	if profile == "" {
		profile = c.AWS.Profile
	}
	name := d.Session.Name
	if name == "" {
		name = "brokerd-" + d.Name
	}
	duration := d.Session.Duration.Std()
	if duration == 0 {
		duration = time.Hour
	}
	r := Request{
		Region: d.Region, Endpoint: endpoint, FIPS: c.AWS.FIPS && endpoint == "", DualStack: c.AWS.DualStack && endpoint == "",
		Source: sourceOf(c.AWS, profile), Role: d.Role, ExternalID: d.Session.ExternalID, SessionName: name,
		SourceIdentity: d.Session.SourceIdentity, Tags: d.Session.Tags, TransitiveTags: slices.Sorted(slices.Values(d.Session.TransitiveTags)),
		Duration: duration, MaxAge: d.Session.MaxAge.Std(),
	}
	r.Policy, _ = scopePolicy(d)
	for _, h := range d.Chain {
		hop := Request{
			Region: r.Region, Endpoint: endpoint, FIPS: r.FIPS, DualStack: r.DualStack, Source: r.Source, Parent: r.Parent, Role: h.Role,
			ExternalID: h.ExternalID, SessionName: hopName, Tags: h.Tags, TransitiveTags: slices.Sorted(slices.Values(h.TransitiveTags)),
			Duration: h.Duration.Std(),
		}
		if hop.Duration == 0 {
			hop.Duration = time.Hour
		}
		// Only the first role of the chain sets it; STS passes it on and refuses a change.
		hop.SourceIdentity, r.SourceIdentity = r.SourceIdentity, ""
		r.Parent = &hop
	}
	return r
}

func sourceOf(c config.AWS, profile string) source {
	kind := c.Source.Type
	if kind == "" {
		kind = config.SourceDefault
	}
	return source{
		Type: kind, Profile: profile, CredentialsFile: c.CredentialsFile,
		TokenFile: c.Source.TokenFile, URL: c.Source.URL, Command: c.Source.Command,
	}
}

// key hashes length-prefixed fields, so that two different requests never have the same
// input.
func (r Request) key() sessionKey {
	var buf []byte
	add := func(s string) {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	for _, s := range []string{
		r.Region, r.Endpoint, r.Source.Type, r.Source.Profile, r.Source.CredentialsFile,
		r.Source.TokenFile, r.Source.URL, r.Source.Command,
		r.Role, r.ExternalID, r.SessionName, r.SourceIdentity, r.Policy,
	} {
		add(s)
	}
	for _, b := range []bool{r.FIPS, r.DualStack} {
		add(strconv.FormatBool(b))
	}
	buf = binary.AppendUvarint(buf, uint64(len(r.Tags)))
	for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
		add(k)
		add(r.Tags[k])
	}
	buf = binary.AppendUvarint(buf, uint64(len(r.TransitiveTags)))
	for _, k := range r.TransitiveTags {
		add(k)
	}
	buf = binary.AppendVarint(buf, int64(r.Duration))
	buf = binary.AppendVarint(buf, int64(r.MaxAge))
	if r.Parent != nil {
		parent := r.Parent.key()
		buf = append(buf, parent[:]...)
	}
	return sha256.Sum256(buf)
}
