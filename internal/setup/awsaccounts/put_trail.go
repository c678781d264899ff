package awsaccounts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// putTrail replaces our selector and keeps the others. A trail with basic
// selectors keeps its kind: CloudTrail has one kind a trail.
func (r *applying) putTrail(ctx context.Context, acc account, c *setup.Change) error {
	var want []string
	if c.After != "" {
		if err := json.Unmarshal([]byte(c.After), &want); err != nil {
			return fmt.Errorf("reading the planned objects: %w", err)
		}
	}
	at := r.readTrail(ctx, c.ARN)
	if !at.Objects.Is() {
		return fmt.Errorf("reading the trail's selectors: %s", at.Objects.Reason)
	}
	var s selectors
	if err := json.Unmarshal(at.Selectors, &s); err != nil {
		return fmt.Errorf("reading the trail's selectors: %w", err)
	}
	in := &cloudtrail.PutEventSelectorsInput{TrailName: aws.String(c.ARN)}
	if len(s.Advanced) > 0 {
		for _, e := range s.Advanced {
			if aws.ToString(e.Name) != selectorName {
				in.AdvancedEventSelectors = append(in.AdvancedEventSelectors, e)
			}
		}
		if len(want) > 0 {
			in.AdvancedEventSelectors = append(
				in.AdvancedEventSelectors,
				types.AdvancedEventSelector{Name: aws.String(selectorName), FieldSelectors: []types.AdvancedFieldSelector{
					{Field: aws.String("eventCategory"), Equals: []string{"Data"}},
					{Field: aws.String("resources.type"), Equals: []string{s3Objects}},
					{Field: aws.String("readOnly"), Equals: []string{"false"}},
					{Field: aws.String("resources.ARN"), StartsWith: want},
				}},
			)
		}
	} else {
		for _, e := range s.Basic {
			if !ownBasic(e) {
				in.EventSelectors = append(in.EventSelectors, e)
			}
		}
		if len(want) > 0 {
			in.EventSelectors = append(in.EventSelectors, types.EventSelector{
				ReadWriteType: types.ReadWriteTypeWriteOnly, IncludeManagementEvents: aws.Bool(false),
				DataResources: []types.DataResource{{Type: aws.String(s3Objects), Values: want}},
			})
		}
	}
	trail, err := awsarn.Parse(c.ARN)
	if err != nil {
		return err
	}
	_, err = r.trail(acc, trail.Region).PutEventSelectors(ctx, in)
	return err
}
