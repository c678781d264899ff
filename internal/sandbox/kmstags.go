package sandbox

import (
	"cmp"
	"slices"
	"strings"
)

type kmsTag struct{ TagKey, TagValue string }

const maxKeyTags = 50

// kmsCheckTags refuses tags that KMS does not take.
func kmsCheckTags(tags []kmsTag) ([]tag, error) {
	var out []tag
	for i, t := range tags {
		switch {
		case t.TagKey == "":
			return nil, kmsInvalid("Value '' at 'tags.%d.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1", i+1)
		case len(t.TagKey) > 128:
			return nil, kmsInvalid("Value '%s' at 'tags.%d.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128", t.TagKey, i+1)
		case len(t.TagValue) > 256:
			return nil, kmsInvalid("Value '%s' at 'tags.%d.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256", t.TagValue, i+1)
		case strings.HasPrefix(strings.ToLower(t.TagKey), "aws:"):
			return nil, jsonFail("TagException", "Tags beginning with aws: are reserved")
		case slices.ContainsFunc(out, func(o tag) bool { return o.Key == t.TagKey }):
			return nil, jsonFail("TagException", "Duplicate tag keys")
		}
		out = append(out, tag{t.TagKey, t.TagValue})
	}
	if len(out) > maxKeyTags {
		return nil, kmsTooManyTags()
	}
	return out, nil
}

func kmsTooManyTags() *apiError {
	return jsonFail("LimitExceededException", "A key can have %d tags at most.", maxKeyTags) // [unverified] wording
}

// kmsTagContext holds the condition keys of tags that a request brings or removes.
func kmsTagContext(tags []kmsTag, removed []string) map[string][]string {
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

func kmsTagResource(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if in.Tags == nil {
		return nil, kmsMissing("tags")
	}
	tags, err := kmsCheckTags(in.Tags)
	if err != nil {
		return nil, err
	}
	k, err := s.kmsCall(cl, in, kmsTagContext(in.Tags, nil))
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	now := slices.Clone(k.tags)
	for _, t := range tags {
		if i := slices.IndexFunc(now, func(o tag) bool { return o.Key == t.Key }); i >= 0 {
			now[i].Value = t.Value
			continue
		}
		now = append(now, t)
	}
	if len(now) > maxKeyTags {
		return nil, kmsTooManyTags()
	}
	k.tags = now
	return nil, nil
}

func kmsUntagResource(s *kmsService, cl *call, in *kmsInput) (any, error) {
	if in.TagKeys == nil {
		return nil, kmsMissing("tagKeys")
	}
	k, err := s.kmsCall(cl, in, kmsTagContext(nil, in.TagKeys))
	if err != nil {
		return nil, err
	}
	if e := k.notLeaving(); e != nil {
		return nil, e
	}
	k.tags = slices.DeleteFunc(slices.Clone(k.tags), func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return nil, nil
}

func listResourceTags(s *kmsService, cl *call, in *kmsInput) (any, error) {
	k, err := s.kmsCall(cl, in, nil)
	if err != nil {
		return nil, err
	}
	var out []kmsTag
	for _, t := range k.tags {
		out = append(out, kmsTag{t.Key, t.Value})
	}
	slices.SortFunc(out, func(a, b kmsTag) int { return cmp.Compare(a.TagKey, b.TagKey) })
	page, end, err := kmsPage(in, out, func(t kmsTag) string { return t.TagKey }, 50, 50)
	if err != nil {
		return nil, err
	}
	end["Tags"] = page
	return end, nil
}
