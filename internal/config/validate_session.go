package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

func (v *validator) session(path string, s Session) {
	v.assume(path, s.ExternalID, s.Tags, s.TransitiveTags, s.Duration)
	if !sessionName.MatchString(s.Name) {
		v.fail(path+".name", fmt.Sprintf("%q is not a session name", s.Name), "2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -")
	}
	if s.SourceIdentity != "" && (!sessionName.MatchString(s.SourceIdentity) || strings.HasPrefix(s.SourceIdentity, "aws:")) {
		v.fail(
			path+".source_identity",
			fmt.Sprintf("%q is not a source identity", s.SourceIdentity),
			"2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -",
		)
	}
	if s.MaxAge != 0 {
		v.durationWithin(path+".max_age", s.MaxAge, 15*time.Minute, 12*time.Hour)
		if s.MaxAge >= s.Duration {
			v.fail(
				path+".max_age",
				fmt.Sprintf("%v is never reached: the session ends after %v", s.MaxAge, s.Duration),
				"leave it out, or raise session.duration",
			)
		}
	}
	v.peerSession(path+".peer", s)
	if scopes := []string{ScopeAuto, ScopeOff}; !slices.Contains(scopes, s.Scope) {
		v.fail(path+".scope", fmt.Sprintf("unknown scope %q", s.Scope), didYouMean(s.Scope, "scopes", scopes))
	}
}

// peerSession checks STS's rules for tags and source identities that are made of facts
// about a peer.
func (v *validator) peerSession(path string, s Session) {
	facts := []string{PeerUID, PeerUnit, PeerPod}
	fact := func(at, f string) {
		if !slices.Contains(facts, f) {
			v.fail(at, fmt.Sprintf("%q is not a fact about a peer", f), didYouMean(f, "facts", facts))
		}
	}
	if s.Peer.SourceIdentity != "" {
		fact(path+".source_identity", s.Peer.SourceIdentity)
		if s.SourceIdentity != "" {
			v.fail(path+".source_identity", "session.source_identity is set as well, and a session has one", "keep one of them")
		}
	}
	all := map[string]string{}
	for key, f := range s.Peer.Tags {
		fact(join(path+".tags", key), f)
		all[key] = ""
	}
	for key, value := range s.Tags {
		if _, both := s.Peer.Tags[key]; both {
			v.fail(join(path+".tags", key), "session.tags has this key as well", "keep one of them")
		}
		all[key] = value
	}
	if len(s.Peer.Tags) > 0 {
		v.tags(path+".tags", all)
	}
}

// assume checks the rules of AssumeRole.
func (v *validator) assume(path, external string, tags map[string]string, transitive []string, duration Duration) {
	if n := len(external); n > 0 && (n < 2 || n > 1224 || !externalID.MatchString(external)) {
		// The external id is not secret for AWS, but it is treated as a secret here.
		v.fail(path+".external_id", "this is not an external id", "2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -")
	}
	v.durationWithin(path+".duration", duration, 15*time.Minute, 12*time.Hour)
	if duration.Std()%time.Second != 0 {
		v.fail(path+".duration", fmt.Sprintf("%v is not a whole number of seconds", duration), "STS counts in seconds")
	}
	v.tags(path+".tags", tags)
	seen := map[string]bool{}
	for i, key := range transitive {
		at := fmt.Sprintf("%s.transitive_tags[%d]", path, i)
		if _, ok := tags[key]; !ok {
			v.fail(at, fmt.Sprintf("there is no tag %q here to pass on", key), "name a key of tags")
		}
		if seen[key] {
			v.fail(at, fmt.Sprintf("%q is given twice", key), "remove one of them")
		}
		seen[key] = true
	}
}

// chain refuses cycles: they have no effect but more calls to STS.
func (v *validator) chain(path string, d *Destination, region string) {
	if len(d.Chain) > 0 && d.Compatible {
		v.fail(path, "an S3-compatible store has no role chains", "leave chain out")
		return
	}
	first := map[string]string{}
	if d.Role != "" {
		first[d.Role] = "role"
	}
	for i, h := range d.Chain {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v.faulty[at] {
			continue
		}
		v.role(at+".role", h.Role, region)
		if other, dup := first[h.Role]; dup && h.Role != "" {
			v.fail(
				at+".role",
				fmt.Sprintf("this role is %s already: the chain is a cycle", other),
				"name each role once; role is assumed after the chain and is not part of it",
			)
		} else {
			first[h.Role] = fmt.Sprintf("chain[%d]", i)
		}
		v.assume(at, h.ExternalID, h.Tags, h.TransitiveTags, h.Duration)
		if i > 0 && h.Duration.Std() > time.Hour {
			v.fail(
				at+".duration",
				fmt.Sprintf("%v: a role that is assumed by a role lasts an hour at most", h.Duration),
				"at most 1h from the second role on",
			)
		}
	}
}

func (v *validator) tags(path string, tags map[string]string) {
	if len(tags) > 50 {
		v.fail(path, fmt.Sprintf("%d session tags", len(tags)), "STS allows 50")
	}
	folded := map[string]string{}
	for key, value := range tags {
		at := join(path, key)
		if n := utf8.RuneCountInString(key); n < 1 || n > 128 || !tagText.MatchString(key) || strings.HasPrefix(strings.ToLower(key), "aws:") {
			v.fail(at, fmt.Sprintf("%q is not a tag key", key), "1 to 128 letters, digits, spaces and _ . : / = + - @, not beginning with aws:")
		}
		if utf8.RuneCountInString(value) > 256 || !tagText.MatchString(value) {
			v.fail(at, "this is not a tag value", "at most 256 letters, digits, spaces and _ . : / = + - @")
		}
		if other, dup := folded[strings.ToLower(key)]; dup {
			keys := []string{key, other}
			v.fail(
				join(path, max(key, other)),
				fmt.Sprintf("the tag keys %q and %q differ in case only", min(keys[0], keys[1]), max(keys[0], keys[1])),
				"STS treats them as equal; keep one",
			)
		}
		folded[strings.ToLower(key)] = key
	}
}
