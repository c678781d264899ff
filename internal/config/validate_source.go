package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
)

func sourceTypes() []string {
	return []string{SourceDefault, SourceProfile, SourceStatic, SourceWebIdentity, SourceContainer, SourceProcess, SourceIMDS}
}

// containerHosts are the addresses at which ECS and EKS serve credentials over plain HTTP.
var containerHosts = []string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}

// source refuses settings that the type of the source does not use: an operator would
// rely on a value that is ignored.
func (v *validator) source(c AWS) {
	s := c.Source
	if !slices.Contains(sourceTypes(), s.Type) {
		v.fail("aws.source.type", fmt.Sprintf("unknown type %q", s.Type), didYouMean(s.Type, "types", sourceTypes()))
		return
	}
	useless := func(field, value string, types ...string) {
		if value != "" && !slices.Contains(types, s.Type) {
			v.fail(field, "aws.source.type "+s.Type+" has no use for it", "leave it out, or change the type")
		}
	}
	useless("aws.profile", c.Profile, SourceDefault, SourceProfile, SourceStatic)
	useless("aws.credentials_file", c.CredentialsFile, SourceDefault, SourceProfile, SourceStatic)
	useless("aws.source.token_file", s.TokenFile, SourceWebIdentity, SourceContainer)
	useless("aws.source.url", s.URL, SourceContainer)
	useless("aws.source.command", s.Command, SourceProcess)
	v.file("aws.source.token_file", s.TokenFile)
	switch {
	case s.Type == SourceStatic && c.CredentialsFile == "":
		v.fail("aws.credentials_file", "the file with the keys is missing", "write its absolute path; the daemon reads it again when it changes")
	case s.Type == SourceProfile && c.Profile == "":
		v.fail("aws.profile", "the profile is missing", "write the name between the brackets of the shared configuration file")
	case s.Type == SourceProcess && s.Command == "":
		v.fail("aws.source.command", "the command is missing", "write the command line, as for credential_process in a shared configuration file")
	}
	if s.URL == "" || s.Type != SourceContainer {
		return
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https"):
		v.fail("aws.source.url", "this is not the URL of a container endpoint", "for example http://169.254.170.23/v1/credentials")
	case u.Scheme == "http" && !loopback(u.Hostname()) &&
		!slices.ContainsFunc(containerHosts, func(h string) bool { return net.ParseIP(h).Equal(net.ParseIP(u.Hostname())) }):
		v.fail(
			"aws.source.url",
			"plain http to another host",
			"use https, loopback, or the addresses of ECS and EKS: credentials would be readable on the network",
		)
	}
}

// sourceFits refuses a destination's settings that its source cannot provide.
func (v *validator) sourceFits(path string, d *Destination) {
	src := v.cfg.AWS.Source.Type
	if d.Profile != "" && src != SourceDefault && src != SourceProfile && src != SourceStatic {
		v.fail(path+".profile", "aws.source.type "+src+" has no profiles", "leave it out")
	}
	if src != SourceWebIdentity {
		return
	}
	if d.Role == "" {
		v.fail(path+".role", "a web identity can only assume a role", "name the role")
	}
	const hint = "the token itself carries tags and source identity; external ids are for other accounts' users and roles"
	at, external, tags := path+".session", d.Session.ExternalID, d.Session.Tags
	if len(d.Chain) > 0 {
		at, external, tags = path+".chain[0]", d.Chain[0].ExternalID, d.Chain[0].Tags
	}
	for field, given := range map[string]bool{at + ".external_id": external != "", at + ".tags": len(tags) > 0,
		path + ".session.source_identity": d.Session.SourceIdentity != "",
		path + ".session.peer":            len(d.Chain) == 0 && (d.Session.Peer.SourceIdentity != "" || len(d.Session.Peer.Tags) > 0)} {
		if given {
			v.fail(field, "AssumeRoleWithWebIdentity does not take it", hint)
		}
	}
}
