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
	Profile        string
	Role           string
	ExternalID     string
	SessionName    string
	SourceIdentity string
	Tags           map[string]string
	Duration       time.Duration
}

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
		Region: d.Region, Endpoint: endpoint, Profile: profile, Role: d.Role,
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
	for _, s := range []string{r.Region, r.Endpoint, r.Profile, r.Role, r.ExternalID, r.SessionName, r.SourceIdentity} {
		add(s)
	}
	buf = binary.AppendUvarint(buf, uint64(len(r.Tags)))
	for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
		add(k)
		add(r.Tags[k])
	}
	buf = binary.AppendVarint(buf, int64(r.Duration))
	return sha256.Sum256(buf)
}
