package sandbox

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// Tags of roles, users, policies, instance profiles and identity providers.

const maxIAMTags = 50

// tagged is an entity with tags.
type tagged struct {
	arn   string
	tags  *[]tag
	exact bool // keys that differ in case only are different keys
}

func (t tagged) same(a, b string) bool {
	if t.exact {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// tagTarget finds what a tagging call is about and decides the call.
type tagTarget func(s *iamService, cl *call, acct *account) (tagged, error)

func roleTags(s *iamService, cl *call, acct *account) (tagged, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return tagged{}, err
	}
	return tagged{arn: r.arn, tags: &r.tags}, nil
}

func userTags(s *iamService, cl *call, acct *account) (tagged, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return tagged{}, err
	}
	return tagged{arn: u.arn, tags: &u.tags}, nil
}

func policyTags(s *iamService, cl *call, acct *account) (tagged, error) {
	p, err := s.ownPolicy(cl, acct)
	if err != nil {
		return tagged{}, err
	}
	return tagged{p.ARN, &p.Tags, true}, nil
}

func profileTags(s *iamService, cl *call, acct *account) (tagged, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return tagged{}, err
	}
	return tagged{p.ARN, &p.Tags, true}, nil
}

func providerTags(s *iamService, cl *call, acct *account) (tagged, error) {
	p, err := s.namedProvider(cl, acct)
	if err != nil {
		return tagged{}, err
	}
	return tagged{p.ARN, &p.Tags, true}, nil
}

func tagging(target tagTarget) iamHandler {
	return func(s *iamService, cl *call, acct *account) (any, error) {
		t, err := target(s, cl, acct)
		if err != nil {
			return nil, err
		}
		read := formTags
		if t.exact {
			read = formExactTags
		}
		tags, err := read(cl.query)
		if err != nil {
			return nil, err
		}
		merged := slices.Clone(*t.tags)
		for _, n := range tags {
			i := slices.IndexFunc(merged, func(o tag) bool { return t.same(o.Key, n.Key) })
			if i < 0 {
				merged = append(merged, n)
				continue
			}
			merged[i] = n
		}
		if len(merged) > maxIAMTags {
			return nil, fail(http.StatusConflict, "LimitExceeded", "The number of tags has reached the maximum limit.")
		}
		*t.tags = merged
		return nil, nil
	}
}

func untagging(target tagTarget) iamHandler {
	return func(s *iamService, cl *call, acct *account) (any, error) {
		t, err := target(s, cl, acct)
		if err != nil {
			return nil, err
		}
		gone := formList(cl.query, "TagKeys")
		*t.tags = slices.DeleteFunc(slices.Clone(*t.tags), func(o tag) bool {
			return slices.ContainsFunc(gone, func(k string) bool { return t.same(k, o.Key) })
		})
		return nil, nil
	}
}

func listingTags(target tagTarget) iamHandler {
	return func(s *iamService, cl *call, acct *account) (any, error) {
		t, err := target(s, cl, acct)
		if err != nil {
			return nil, err
		}
		sorted := slices.SortedFunc(slices.Values(*t.tags), func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
		tags, p, err := paginate(cl.query, sorted, func(t tag) string { return t.Key })
		if err != nil {
			return nil, err
		}
		return struct {
			XMLName xml.Name
			Tags    []tagXML `xml:"Tags>member"`
			page
		}{resultName(cl), tagsXML(tags), p}, nil
	}
}

// resultName is the element that holds an operation's result.
func resultName(cl *call) xml.Name { return xml.Name{Local: cl.record.Operation + "Result"} }

func tagsXML(tags []tag) []tagXML {
	out := make([]tagXML, 0, len(tags))
	for _, t := range tags {
		out = append(out, tagXML(t))
	}
	return out
}

// tagListXML are the tags in the answer about an entity; nil for one without.
type tagListXML struct {
	Tags []tagXML `xml:"member"`
}

func tagList(tags []tag) *tagListXML {
	if len(tags) == 0 {
		return nil
	}
	return &tagListXML{tagsXML(tags)}
}
