package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// validator checks the rules for a decoded file.
type validator struct {
	*decoder
	cfg *Config
}

// fail reports a broken rule at the position of path, or of the nearest section above
// it when the value is missing. A value that could not be decoded has a fault already.
func (v *validator) fail(path, message, hint string) {
	if v.faulty[path] {
		return
	}
	at := place{1, 1}
	for p := path; p != ""; {
		if found, ok := v.places[p]; ok {
			at = found
			break
		}
		p = p[:max(0, strings.LastIndexAny(p, ".["))]
	}
	v.errorAt(at, path, message, hint)
}

// socketPathMax leaves room for the suffix of the temporary name the socket is
// bound under, within the 108 bytes of sun_path.
const socketPathMax = 104

func (v *validator) config() {
	c := v.cfg
	v.socketPath("socket.path", c.Socket.Path)
	v.socket(c.Socket)
	v.metrics(c.Metrics)
	v.metricsSocket(c)
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, c.Log.Level) {
		v.fail("log.level", fmt.Sprintf("unknown level %q", c.Log.Level), didYouMean(c.Log.Level, "levels", levels))
	}
	v.durationWithin("shutdown.grace", c.Shutdown.Grace, 0, 15*time.Minute)
	v.durationWithin("limits.idle_timeout", c.Limits.IdleTimeout, time.Second, time.Hour)
	v.sizeWithin("limits.max_object", c.Limits.MaxObject, 1, 5*TiB)
	if n := c.Limits.Credentials; n < 1 || n > 1e6 {
		v.fail("limits.credentials_per_second", fmt.Sprintf("%d is out of range", n), "from 1 to 1000000")
	}
	if c.Memory.Max != 0 {
		v.sizeWithin("memory.max", c.Memory.Max, leastMemory, TiB)
	}
	v.spool(c.Spool)
	if c.Verify.Every != 0 {
		v.durationWithin("verify.every", c.Verify.Every, time.Minute, 24*time.Hour)
	}
	v.profile("aws.profile", c.AWS.Profile)
	v.file("aws.credentials_file", c.AWS.CredentialsFile)
	v.file("aws.ca_bundle", c.AWS.CABundle)
	v.source(c.AWS)
	v.endpoints("aws.endpoints", c.AWS.Endpoints)
	if len(c.Destinations) == 0 {
		v.fail("destinations", "no destination is configured", "add at least one under destinations:, see docs/config.md")
	}
	names := make([]string, 0, len(c.Destinations))
	for name := range c.Destinations {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		v.destination(c.Destinations[name])
	}
	setup := setupRules{v}
	setup.section("setup", c.Setup, nil)
	for _, name := range names {
		setup.section("destinations."+name+".setup", c.Destinations[name].Setup, c.Destinations[name])
		setup.fits(c.Destinations[name])
	}
	v.access(c.Access, names)
	v.vend(c, names)
	v.watches(c, names)
}

var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$`)

func (v *validator) socketPath(at, path string) {
	switch {
	case !strings.HasPrefix(path, "/"):
		v.fail(at, fmt.Sprintf("%q is not an absolute path", path), "for example /run/brokerd/brokerd.sock")
	case strings.ContainsRune(path, 0) || filepath.Clean(path) != path:
		v.fail(at, fmt.Sprintf("%q is not a clean path", path), "write it without '.', '..', '//' and a '/' at the end")
	case len(path) > socketPathMax:
		v.fail(
			at,
			fmt.Sprintf("the path has %d bytes, a socket allows %d", len(path), socketPathMax),
			"use a shorter directory, such as /run/brokerd",
		)
	}
}

func (v *validator) socket(s Socket) {
	if s.Mode&^0o666 != 0 {
		v.fail("socket.mode", fmt.Sprintf("%v has bits that have no meaning for a socket", s.Mode), modeHint+" or \"0666\"")
	} else if s.Mode&0o600 != 0o600 {
		v.fail("socket.mode", fmt.Sprintf("%v shuts out the daemon's own user", s.Mode), modeHint)
	}
	if s.Group != "" && !validID(s.Group) {
		v.fail("socket.group", fmt.Sprintf("%q is not a group", s.Group), "write a group name or number")
	}
}

// validID accepts the name or the number of a user or a group. The largest
// number is left out: to the kernel it means "no id".
func validID(s string) bool {
	if digitsOnly(s) {
		n, err := strconv.ParseUint(s, 10, 32)
		return err == nil && n < 1<<32-1
	}
	return accountName.MatchString(s)
}

// metricsSocket refuses a path that another socket has.
func (v *validator) metricsSocket(c *Config) {
	path := c.Metrics.Socket
	if path == "" {
		return
	}
	v.socketPath("metrics.socket", path)
	if path == c.Socket.Path || path == c.Vend.Socket {
		v.fail("metrics.socket", "another socket has this path already", "give it another name, such as /run/brokerd/metrics.sock")
	}
}

func (v *validator) metrics(m Metrics) {
	address := m.Address
	if address == "" {
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || (host != "" && host != "localhost" && net.ParseIP(host) == nil) {
		v.fail(
			"metrics.address",
			fmt.Sprintf("%q is not an address", address),
			"write IP:port, such as 127.0.0.1:9464, or leave it out",
		)
	}
}

func (v *validator) durationWithin(path string, d Duration, low, high time.Duration) {
	if d.Std() < low || d.Std() > high {
		v.fail(path, fmt.Sprintf("%v is out of range", d), fmt.Sprintf("from %v to %v", low, high))
	}
}

func (v *validator) sizeWithin(path string, s, low, high Size) {
	if s < low || s > high {
		v.fail(path, fmt.Sprintf("%v is out of range", s), fmt.Sprintf("from %v to %v", low, high))
	}
}

func (v *validator) profile(path, s string) {
	if len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '[' || r == ']' }) {
		v.fail(path, fmt.Sprintf("%q is not a profile name", s), "write the name between the brackets of the shared configuration file")
	}
}

func (v *validator) file(path, s string) {
	if s != "" && (!filepath.IsAbs(s) || strings.ContainsRune(s, 0)) {
		v.fail(path, fmt.Sprintf("%q is not an absolute path", s), "the daemon's working directory is /; variables and ~ are not replaced")
	}
}

func (v *validator) endpoints(path string, e Endpoints) {
	v.endpoint(path+".sts", e.STS)
	v.endpoint(path+".s3", e.S3)
	v.endpoint(path+".kms", e.KMS)
}

// endpoint never prints the URL: it may contain a password.
func (v *validator) endpoint(path, s string) {
	if s == "" {
		return
	}
	const example = "write scheme and host only: https://s3.example.org:9000"
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		v.fail(path, "this is not a URL", example)
	case u.User != nil:
		v.fail(path, "a URL here must not contain a user or a password", example)
	case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		v.fail(path, "a URL here must not contain a path, query or fragment", example)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		v.fail(path, "plain http to another host", "use https: the session token would be readable on the network")
	case u.Scheme != "https" && u.Scheme != "http":
		v.fail(path, fmt.Sprintf("unknown scheme %q", u.Scheme), example)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (v *validator) access(rules []Rule, names []string) {
	permissions := []string{string(PermUpload), string(PermVerify), string(PermCredentials), string(PermAdmin)}
	for i, r := range rules {
		path := fmt.Sprintf("access[%d]", i)
		if v.faulty[path] {
			continue
		}
		if r.Peer == (Peer{}) && !v.faulty[path+".peer"] && !v.faulty[path+".peer.uid"] && !v.faulty[path+".peer.gid"] {
			v.fail(path+".peer", "the rule names no peer", "write peer: {uid: app} or peer: {gid: loggers}; a rule for every user is not possible")
		}
		v.peer(path, r.Peer)
		if len(r.Allow) == 0 {
			v.fail(path+".allow", "the rule allows nothing", "write allow: [upload, verify]")
		}
		needs := false
		for j, p := range r.Allow {
			if !slices.Contains(permissions, string(p)) {
				v.fail(
					fmt.Sprintf("%s.allow[%d]", path, j),
					fmt.Sprintf("unknown permission %q", string(p)),
					didYouMean(string(p), "permissions", permissions),
				)
			}
			needs = needs || p != PermAdmin
		}
		if needs && len(r.Destinations) == 0 {
			v.fail(path+".destinations", "the rule names no destination", "write destinations: [name], or [\"*\"] for all")
		}
		v.destinationsOf(path, r.Destinations, names)
	}
}

func (v *validator) peer(path string, p Peer) {
	if p.UID != "" && !validID(p.UID) {
		v.fail(path+".peer.uid", fmt.Sprintf("%q is not a user", p.UID), "write a user name or number")
	}
	if p.GID != "" && !validID(p.GID) {
		v.fail(path+".peer.gid", fmt.Sprintf("%q is not a group", p.GID), "write a group name or number")
	}
}

// destinationsOf looks at a list of destinations under path.
func (v *validator) destinationsOf(path string, list, names []string) {
	for j, d := range list {
		if d != "*" && !slices.Contains(names, d) {
			v.fail(fmt.Sprintf("%s.destinations[%d]", path, j), fmt.Sprintf("unknown destination %q", d), didYouMean(d, "destinations", names))
		}
	}
}
