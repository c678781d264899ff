package awsaccounts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/brokerd/brokerd/internal/setup"
)

// selectors are all event selectors of a trail. A trail has basic or advanced
// ones, never both.
type selectors struct {
	Basic    []types.EventSelector
	Advanced []types.AdvancedEventSelector
}

func (a *Accounts) readTrail(ctx context.Context, arn string) *setup.TrailAt {
	t := &setup.TrailAt{ARN: arn}
	acc, parts, err := a.of(arn)
	if err != nil {
		t.Objects = setup.UnreadPart[[]string](err.Error())
		return t
	}
	t.Objects = ask(func() ([]string, error) {
		out, err := a.trail(acc, parts.Region).GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: aws.String(arn)})
		if err != nil {
			return nil, err
		}
		s := selectors{out.EventSelectors, out.AdvancedEventSelectors}
		if t.Selectors, err = json.Marshal(s); err != nil {
			return nil, fmt.Errorf("keeping the selectors of trail %s: %w", arn, err)
		}
		t.Ours = s.ours()
		return s.objects(), nil
	}, "TrailNotFoundException")
	return t
}

const s3Objects = "AWS::S3::Object"

// objects are the ARN prefixes whose writes are recorded.
func (s selectors) objects() []string {
	out := []string{}
	for _, e := range s.Basic {
		if e.ReadWriteType == types.ReadWriteTypeReadOnly {
			continue
		}
		for _, r := range e.DataResources {
			if aws.ToString(r.Type) == s3Objects {
				out = append(out, r.Values...)
			}
		}
	}
	for _, e := range s.Advanced {
		out = append(out, advancedObjects(e)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ours are the prefixes of our own selector.
func (s selectors) ours() []string {
	var out []string
	for _, e := range s.Advanced {
		if aws.ToString(e.Name) == selectorName {
			out = append(out, advancedObjects(e)...)
		}
	}
	for _, e := range s.Basic {
		if ownBasic(e) {
			out = append(out, e.DataResources[0].Values...)
		}
	}
	slices.Sort(out)
	return out
}

// ownBasic reports whether a basic selector has the form of ours: they have no
// names. What stands in it beside our prefixes is kept.
func ownBasic(e types.EventSelector) bool {
	return e.ReadWriteType == types.ReadWriteTypeWriteOnly && !aws.ToBool(e.IncludeManagementEvents) && len(e.DataResources) == 1 &&
		aws.ToString(e.DataResources[0].Type) == s3Objects
}

// selectorName marks our selector.
const selectorName = "brokerd"

// advancedObjects reads the selectors of the form that is written here, and those
// without a limit on ARNs; what others limit in other ways counts as nothing.
func advancedObjects(e types.AdvancedEventSelector) []string {
	prefixes, all, writes := []string(nil), true, true
	objects := false
	for _, f := range e.FieldSelectors {
		switch aws.ToString(f.Field) {
		case "eventCategory":
		case "resources.type":
			objects = slices.Contains(f.Equals, s3Objects)
		case "readOnly":
			writes = slices.Contains(f.Equals, "false")
		case "resources.ARN":
			prefixes, all = f.StartsWith, false
		default:
			writes = false
		}
	}
	switch {
	case !objects || !writes:
		return nil
	case all:
		return []string{"arn:aws:s3"}
	}
	return prefixes
}
