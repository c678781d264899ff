package kms

import (
	"cmp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

type tag struct{ TagKey, TagValue string }

const maxKeyTags = 50

// checkTags refuses tags that KMS does not take.
func checkTags(tags []tag) ([]kernel.Tag, error) {
	var out []kernel.Tag
	for i, t := range tags {
		switch {
		case t.TagKey == "":
			return nil, invalid(
				"Value '' at 'tags.%d.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
				i+1,
			)
		case len(t.TagKey) > 128:
			return nil, invalid(
				"Value '%s' at 'tags.%d.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128",
				t.TagKey,
				i+1,
			)
		case len(t.TagValue) > 256:
			return nil, invalid(
				"Value '%s' at 'tags.%d.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256",
				t.TagValue,
				i+1,
			)
		case strings.HasPrefix(strings.ToLower(t.TagKey), "aws:"):
			return nil, kernel.JSONFail("TagException", "Tags beginning with aws: are reserved")
		case slices.ContainsFunc(out, func(o kernel.Tag) bool { return o.Key == t.TagKey }):
			return nil, kernel.JSONFail("TagException", "Duplicate tag keys")
		}
		out = append(out, kernel.Tag{Key: t.TagKey, Value: t.TagValue})
	}
	if len(out) > maxKeyTags {
		return nil, tooManyTags()
	}
	return out, nil
}

func tooManyTags() *kernel.Error {
	return kernel.JSONFail("TagException", "Too many tags")
}

// tagContext holds the condition keys of tags that a request brings or removes.
func tagContext(tags []tag, removed []string) map[string][]string {
	ctx := map[string][]string{}
	var keys []string
	for _, t := range tags {
		ctx["aws:RequestTag/"+t.TagKey] = []string{t.TagValue}
		keys = append(keys, t.TagKey)
	}
	if keys = append(keys, removed...); keys != nil {
		ctx["aws:TagKeys"] = keys
	}
	return ctx
}

func tagResource(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.Tags == nil {
		return nil, missing("tags")
	}
	tags, err := checkTags(in.Tags)
	if err != nil {
		return nil, err
	}
	k, err := s.namedKey(cl, in, tagContext(in.Tags, nil))
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	now := slices.Clone(k.tags)
	for _, t := range tags {
		if i := slices.IndexFunc(now, func(o kernel.Tag) bool { return o.Key == t.Key }); i >= 0 {
			now[i].Value = t.Value
			continue
		}
		now = append(now, t)
	}
	if len(now) > maxKeyTags {
		return nil, tooManyTags()
	}
	k.tags = now
	return nil, nil
}

func untagResource(s *Service, cl *kernel.Request, in *input) (any, error) {
	if in.TagKeys == nil {
		return nil, missing("tagKeys")
	}
	k, err := s.namedKey(cl, in, tagContext(nil, in.TagKeys))
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	k.tags = slices.DeleteFunc(slices.Clone(k.tags), func(t kernel.Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return nil, nil
}

func listResourceTags(s *Service, cl *kernel.Request, in *input) (any, error) {
	k, err := s.namedKey(cl, in, nil)
	if err != nil {
		return nil, err
	}
	var out []tag
	for _, t := range k.tags {
		out = append(out, tag{t.Key, t.Value})
	}
	slices.SortFunc(out, func(a, b tag) int { return cmp.Compare(a.TagKey, b.TagKey) })
	page, end, err := page(in, out, func(t tag) string { return t.TagKey }, 50, 50)
	if err != nil {
		return nil, err
	}
	end["Tags"] = page
	return end, nil
}
