package rehearsal

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"

	"github.com/brokerd/brokerd/internal/config"
)

// document is a configuration file as plain values.
type document map[string]any

func (d document) section(key string) document {
	if m, ok := d[key].(map[string]any); ok {
		return m
	}
	m := document{}
	d[key] = map[string]any(m)
	return m
}

// places are the parts of the copy that belong to this machine.
type places struct {
	dir, endpoint, user string
	uid                 int
	keys                map[string]string // key ARN of the file -> key ARN in the sandbox
}

// rewrite makes the copy: the user's text with the places of the sandbox.
func rewrite(text []byte, cfg *config.Config, p places) (out []byte, changes []string, err error) {
	var doc document
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	changed := func(format string, args ...any) { changes = append(changes, fmt.Sprintf(format, args...)) }

	socket := doc.section("socket")
	socket["path"] = filepath.Join(p.dir, "brokerd.sock")
	delete(socket, "group")
	delete(socket, "owner")
	changed("socket.path is %s", socket["path"])
	doc.section("metrics")["address"] = ""
	if _, ok := doc["vend"]; ok {
		delete(doc, "vend")
		changed("vend is left out")
	}
	doc.section("spool")["dir"] = filepath.Join(p.dir, "spool")

	doc["aws"] = map[string]any{
		"credentials_file": filepath.Join(p.dir, "credentials"),
		"ca_bundle":        filepath.Join(p.dir, "ca.pem"),
		"endpoints":        map[string]any{"sts": p.endpoint, "s3": p.endpoint, "kms": p.endpoint},
	}
	changed("aws is the sandbox at %s, with the keys of the user %s", p.endpoint, p.user)
	doc["setup"] = map[string]any{
		"runs_as":       map[string]any{"type": config.RunsUser, "principal": p.user},
		"create_bucket": true,
		"endpoints":     map[string]any{"iam": p.endpoint, "cloudtrail": p.endpoint},
	}

	destinations := doc.section("destinations")
	var names []any
	for _, name := range slices.Sorted(maps.Keys(destinations)) {
		if cfg.Destinations[name].Compatible {
			delete(destinations, name)
			changed("destination %s is left out: it is an S3-compatible store", name)
			continue
		}
		names = append(names, name)
		d := destinations.section(name)
		for _, key := range [...]string{"endpoints", "profile", "proxy", "ca_bundle", "fips", "dual_stack", "setup"} {
			delete(d, key)
		}
		d["path_style"] = true
		d["kms_key"] = p.keys[cfg.Destinations[name].KMSKey]
		changed("destinations.%s.kms_key is %s, made in the sandbox", name, d["kms_key"])
	}
	doc["access"] = []any{map[string]any{
		"peer":         map[string]any{"uid": strconv.Itoa(p.uid)},
		"destinations": names,
		"allow":        []any{"upload", "verify", "credentials", "admin"},
	}}
	changed("access lets your user do everything")

	out, err = yaml.Marshal(map[string]any(doc))
	if err != nil {
		return nil, nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return out, changes, nil
}
