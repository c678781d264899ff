package broker

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

// request is everything that changes an AssumeRole call. A field added here must
// be added to key as well; a reflection test sees to it.
type request struct {
	Region         string
	Endpoint       string
	Source         source
	Parent         *request // the role before it in a chain; nil: assumed with the source's credentials
	Role           string
	ExternalID     string
	SessionName    string
	SourceIdentity string
	Tags           map[string]string
	TransitiveTags []string // sorted
	Policy         string   // inline session policy, JSON; empty: the role's own rights
	Duration       time.Duration
}

// source says where the credentials that begin a chain come from.
type source struct {
	Profile         string
	CredentialsFile string
}

// straight is a role that is assumed without credentials: that is no chaining.
func (r request) straight() bool { return false }

type sessionKey [sha256.Size]byte

func requestOf(c *config.Config, d *config.Destination) request {
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
	return request{
		Region: d.Region, Endpoint: endpoint, Source: source{Profile: profile, CredentialsFile: c.AWS.CredentialsFile}, Role: d.Role,
		ExternalID: d.Session.ExternalID, SessionName: name, SourceIdentity: d.Session.SourceIdentity,
		Tags: d.Session.Tags, Duration: duration,
	}
}

// key hashes length-prefixed fields, so that no two requests can run together.
func (r request) key() sessionKey {
	var buf []byte
	add := func(s string) {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	for _, s := range []string{
		r.Region, r.Endpoint, r.Source.Profile, r.Source.CredentialsFile,
		r.Role, r.ExternalID, r.SessionName, r.SourceIdentity, r.Policy,
	} {
		add(s)
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
	if r.Parent != nil {
		parent := r.Parent.key()
		buf = append(buf, parent[:]...)
	}
	return sha256.Sum256(buf)
}
