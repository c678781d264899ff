package iam

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Tags of roles, users, policies, instance profiles and identity providers.

// MaxIAMTags is how many tags a resource of IAM or a session can have.
const MaxIAMTags = 50

// tagged is an entity with tags.
type tagged struct {
	arn   string
	tags  *[]kernel.Tag
	exact bool // keys that differ in case only are different keys
}

func (t tagged) same(a, b string) bool {
	if t.exact {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// tagTarget finds the entity of a tagging call and decides the call.
type tagTarget func(c *call) (tagged, error)

func roleTags(c *call) (tagged, error) {
	r, err := c.role()
	if err != nil {
		return tagged{}, err
	}
	return tagged{arn: r.arn, tags: &r.tags}, nil
}

func userTags(c *call) (tagged, error) {
	u, err := c.user()
	if err != nil {
		return tagged{}, err
	}
	return tagged{arn: u.arn, tags: &u.tags}, nil
}

func policyTags(c *call) (tagged, error) {
	p, err := c.ownPolicy()
	if err != nil {
		return tagged{}, err
	}
	return tagged{p.ARN, &p.Tags, true}, nil
}

func profileTags(c *call) (tagged, error) {
	p, err := c.profile()
	if err != nil {
		return tagged{}, err
	}
	return tagged{p.ARN, &p.Tags, true}, nil
}

func providerTags(c *call) (tagged, error) {
	p, err := c.provider()
	if err != nil {
		return tagged{}, err
	}
	return tagged{p.ARN, &p.Tags, true}, nil
}

func tagging(target tagTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		read := FormTags
		if t.exact {
			read = formExactTags
		}
		tags, err := read(c.cl.Form)
		if err != nil {
			return nil, err
		}
		merged := slices.Clone(*t.tags)
		for _, n := range tags {
			i := slices.IndexFunc(merged, func(o kernel.Tag) bool { return t.same(o.Key, n.Key) })
			if i < 0 {
				merged = append(merged, n)
				continue
			}
			merged[i] = n
		}
		if len(merged) > MaxIAMTags {
			return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "The number of tags has reached the maximum limit.")
		}
		*t.tags = merged
		return nil, nil
	}
}

func untagging(target tagTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		gone := kernel.FormList(c.cl.Form, "TagKeys")
		*t.tags = slices.DeleteFunc(slices.Clone(*t.tags), func(o kernel.Tag) bool {
			return slices.ContainsFunc(gone, func(k string) bool { return t.same(k, o.Key) })
		})
		return nil, nil
	}
}

func listingTags(target tagTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		sorted := slices.SortedFunc(slices.Values(*t.tags), func(a, b kernel.Tag) int { return strings.Compare(a.Key, b.Key) })
		tags, p, err := paginate(c.cl.Form, sorted, func(t kernel.Tag) string { return t.Key })
		if err != nil {
			return nil, err
		}
		return struct {
			XMLName xml.Name
			Tags    []kernel.TagXML `xml:"Tags>member"`
			page
		}{resultName(c.cl), tagsXML(tags), p}, nil
	}
}

// resultName is the element that holds an operation's result.
func resultName(cl *kernel.Request) xml.Name { return xml.Name{Local: cl.Record.Operation + "Result"} }

func tagsXML(tags []kernel.Tag) []kernel.TagXML {
	out := make([]kernel.TagXML, 0, len(tags))
	for _, t := range tags {
		out = append(out, kernel.TagXML(t))
	}
	return out
}

// tagListXML are the tags in the answer about an entity; nil for one without.
type tagListXML struct {
	Tags []kernel.TagXML `xml:"member"`
}

func tagList(tags []kernel.Tag) *tagListXML {
	if len(tags) == 0 {
		return nil
	}
	return &tagListXML{tagsXML(tags)}
}

// FormTags reads Tags.member.N.Key and .Value of a validated request. Keys that differ in
// case only are the same key, as for users, roles and sessions.
func FormTags(form url.Values) ([]kernel.Tag, error) {
	return readTags(form, strings.ToLower, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}

// formExactTags is FormTags for entities whose tag keys are case-sensitive.
func formExactTags(form url.Values) ([]kernel.Tag, error) {
	return readTags(form, itself, "Duplicate tag keys found.")
}

func readTags(form url.Values, same func(string) string, duplicate string) ([]kernel.Tag, error) {
	var tags []kernel.Tag
	seen := map[string]bool{}
	for i := 1; form.Has(tagField("Tags", i, "Key")); i++ {
		t := kernel.Tag{Key: form.Get(tagField("Tags", i, "Key")), Value: form.Get(tagField("Tags", i, "Value"))}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalidInput("aws: prefixed tag key names are not allowed for external use.")
		}
		if seen[same(t.Key)] {
			return nil, invalidInput("%s", duplicate)
		}
		seen[same(t.Key)] = true
		tags = append(tags, t)
	}
	return tags, nil
}
