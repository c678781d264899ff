package importer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/iampolicy"
)

const (
	tagKey = "s3:RequestObjectTag/"
	aclKey = "s3:x-amz-acl"
)

// headers finds the tags and the ACL that a policy of either side asks for. Every
// later question to the engine is asked with them.
func (a *arrangement) headers(d *edit.Draft) {
	documents := slices.Clone(a.identity)
	if a.bucket != nil {
		documents = append(documents, a.bucket)
	}
	for _, p := range documents {
		for i := range p.statements {
			a.headersOf(p, &p.statements[i])
		}
	}
	d.Destination.ACL, d.Destination.Tags = a.acl, a.tags
}

func (a *arrangement) headersOf(p *policy, s *statement) {
	for _, op := range slices.Sorted(maps.Keys(s.Condition)) {
		// An Allow wants equality, a Deny hits everything else.
		if (s.Effect == "Deny") != strings.HasPrefix(op, "StringNot") || s.Effect == "Allow" && !strings.HasPrefix(op, "String") {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(s.Condition[op])) {
			v := s.Condition[op][key]
			switch {
			case len(v) == 0:
			case strings.EqualFold(key, aclKey) && v[0] == "bucket-owner-full-control" && a.acl == "":
				a.acl = v[0]
				a.note("%s asks for the ACL %s", p.name, v[0])
			case len(key) > len(tagKey) && strings.EqualFold(key[:len(tagKey)], tagKey) && !strings.ContainsAny(v[0], "*?$"):
				tag := key[len(tagKey):]
				if a.tags[tag] != "" {
					continue
				}
				if a.tags == nil {
					a.tags = map[string]string{}
				}
				a.tags[tag] = v[0]
				a.note("%s asks for the object tag %s=%s", p.name, tag, v[0])
			}
		}
	}
}

// works says first what keeps uploads from working: a configuration of such an
// arrangement does not deliver. Policies that were not read are not judged.
func (a *arrangement) works(prefix string) {
	if !a.identityOK {
		return
	}
	calls := []string{"s3:PutObject"}
	if len(a.tags) > 0 {
		calls = append(calls, "s3:PutObjectTagging")
	}
	if a.acl != "" {
		calls = append(calls, "s3:PutObjectAcl")
	}
	var refused []string
	ask := func(known bool, resource string, doc *iampolicy.Document, calls ...string) {
		for _, call := range calls {
			if r := a.decide(a.on(call, resource), doc); known && r.Decision != iampolicy.Allowed && r.Decision != iampolicy.Unknown {
				refused = append(refused, call+" by the "+strings.ReplaceAll(string(cmp.Or(r.RootCause, iampolicy.LayerIdentity)), "_", " ")+" policy")
			}
		}
	}
	var bucket, key *iampolicy.Document
	if a.bucket != nil {
		bucket = a.bucket.doc
	}
	if a.keyPolicy != nil {
		key = a.keyPolicy.doc
	}
	ask(a.bucketKnown, a.object(prefix), bucket, calls...)
	ask(a.keyKnown, a.Key, key, "kms:GenerateDataKey", "kms:Decrypt")
	if len(refused) > 0 {
		a.noteFirst(
			"uploads cannot work with these policies: %s would be refused. Run `brokerctl verify` for the repair",
			strings.Join(refused, ", "),
		)
	}
}

// networkKey reports whether a key says where a call comes from, or who makes it:
// a statement behind such a condition still lets in all who meet it.
func networkKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:sourcevpc", "aws:sourcevpce", "aws:sourceip", "aws:vpcsourceip", "aws:principalorgid", "aws:principalorgpaths":
		return true
	}
	return strings.HasPrefix(strings.ToLower(key), "aws:principaltag/")
}

// meeting gives a call the values that a statement asks of its network and its
// caller, and says which. A caller without credentials has no values of a principal.
func (s *statement) meeting(r iampolicy.Request) (iampolicy.Request, string) {
	var said []string
	context := maps.Clone(r.Context)
	for _, op := range slices.Sorted(maps.Keys(s.Condition)) {
		if strings.Contains(op, "Not") || op == "Null" || op == "Bool" {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(s.Condition[op])) {
			v := s.Condition[op][key]
			if len(v) == 0 || !networkKey(key) || r.Principal == "*" && strings.HasPrefix(strings.ToLower(key), "aws:principal") {
				continue
			}
			value, _, _ := strings.Cut(strings.NewReplacer("*", "x", "?", "x").Replace(v[0]), "/")
			if context == nil {
				context = map[string][]string{}
			}
			context[key] = []string{value}
			said = append(said, key+" "+strings.Join(v, ", "))
		}
	}
	r.Context = context
	return r, strings.Join(said, " and ")
}
