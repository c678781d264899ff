package awsaccounts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/brokerd/brokerd/internal/setup"
)

// Audit is what CloudTrail shows around a delivery. Setup makes nothing of it.
type Audit struct {
	// Selectors are the event selectors of all trails of the bucket's account that
	// the Region shows, by ARN, as GetEventSelectors answers them.
	Selectors setup.Part[map[string]string]
	// Events are the newest events of the role's session, as CloudTrail keeps
	// them. Calls to S3 objects are never among them: they are data events.
	Events setup.Part[[]string]
}

// maxEvents bounds the events that are read of a session.
const maxEvents = 10

// ReadAudit reads the trails of the account owner, and the events of a session in
// the account caller. What may not be read is unread, with AWS's reason.
func (a *Accounts) ReadAudit(ctx context.Context, caller, owner, region, session string) Audit {
	out := Audit{}
	if acc, err := a.account(owner); err != nil {
		out.Selectors = setup.UnreadPart[map[string]string](err.Error())
	} else {
		out.Selectors = ask(func() (map[string]string, error) { return a.selectors(ctx, acc, region) })
	}
	if acc, err := a.account(caller); err != nil {
		out.Events = setup.UnreadPart[[]string](err.Error())
	} else {
		out.Events = ask(func() ([]string, error) { return a.sessionEvents(ctx, acc, region, session) })
	}
	return out
}

func (a *Accounts) selectors(ctx context.Context, acc account, region string) (map[string]string, error) {
	api := a.trail(acc, region)
	list, err := api.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(list.TrailList))
	for _, t := range list.TrailList {
		arn := aws.ToString(t.TrailARN)
		s, err := api.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: aws.String(arn)})
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(map[string]any{"EventSelectors": s.EventSelectors, "AdvancedEventSelectors": s.AdvancedEventSelectors})
		if err != nil {
			return nil, fmt.Errorf("keeping the selectors of trail %s: %w", arn, err)
		}
		out[arn] = string(text)
	}
	return out, nil
}

func (a *Accounts) sessionEvents(ctx context.Context, acc account, region, session string) ([]string, error) {
	found, err := a.trail(acc, region).LookupEvents(ctx, &cloudtrail.LookupEventsInput{
		LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyUsername, AttributeValue: aws.String(session)}},
		MaxResults:       aws.Int32(maxEvents),
	})
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(found.Events))
	for _, e := range found.Events {
		out = append(out, aws.ToString(e.CloudTrailEvent))
	}
	return out, nil
}
