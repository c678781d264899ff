package awsaccounts

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/brokerd/brokerd/internal/setup"
)

func (r iamReader) user(ctx context.Context, name string, id *setup.Identity) (*types.AttachedPermissionsBoundary, error) {
	out, err := r.api.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(name)})
	if err != nil {
		return nil, err
	}
	if got := aws.ToString(out.User.Arn); got != id.ARN {
		return nil, otherPath(got)
	}
	id.Info = setup.KnownPart(
		setup.IdentityInfo{ID: aws.ToString(out.User.UserId), Path: aws.ToString(out.User.Path), Created: aws.ToTime(out.User.CreateDate)},
	)
	id.Trust = setup.AbsentPart[string]()
	inline, attached, err := r.userPolicies(ctx, name)
	id.Inline, id.Attached = partOf(inline, err), partOf(attached, err)
	return out.User.PermissionsBoundary, nil
}

// userPolicies are the user's own and those of its groups.
func (r iamReader) userPolicies(ctx context.Context, user string) (inline, attached []setup.Document, err error) {
	inline = []setup.Document{}
	names := iam.NewListUserPoliciesPaginator(r.api, &iam.ListUserPoliciesInput{UserName: aws.String(user)})
	for names.HasMorePages() {
		page, err := names.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range page.PolicyNames {
			out, err := r.api.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: aws.String(user), PolicyName: aws.String(name)})
			if err != nil {
				return nil, nil, err
			}
			text, err := decoded(out.PolicyDocument)
			if err != nil {
				return nil, nil, err
			}
			inline = append(inline, setup.Document{Name: name, Text: text})
		}
	}
	var managed []types.AttachedPolicy
	own := iam.NewListAttachedUserPoliciesPaginator(r.api, &iam.ListAttachedUserPoliciesInput{UserName: aws.String(user)})
	for own.HasMorePages() {
		page, err := own.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		managed = append(managed, page.AttachedPolicies...)
	}
	groups := iam.NewListGroupsForUserPaginator(r.api, &iam.ListGroupsForUserInput{UserName: aws.String(user)})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, g := range page.Groups {
			docs, policies, err := r.group(ctx, aws.ToString(g.GroupName))
			if err != nil {
				return nil, nil, err
			}
			inline, managed = append(inline, docs...), append(managed, policies...)
		}
	}
	attached, err = r.documents(ctx, managed)
	return inline, attached, err
}

func (r iamReader) group(ctx context.Context, group string) ([]setup.Document, []types.AttachedPolicy, error) {
	var docs []setup.Document
	names := iam.NewListGroupPoliciesPaginator(r.api, &iam.ListGroupPoliciesInput{GroupName: aws.String(group)})
	for names.HasMorePages() {
		page, err := names.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range page.PolicyNames {
			out, err := r.api.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: aws.String(group), PolicyName: aws.String(name)})
			if err != nil {
				return nil, nil, err
			}
			text, err := decoded(out.PolicyDocument)
			if err != nil {
				return nil, nil, err
			}
			docs = append(docs, setup.Document{Name: "group " + group + ": " + name, Text: text})
		}
	}
	var managed []types.AttachedPolicy
	pages := iam.NewListAttachedGroupPoliciesPaginator(r.api, &iam.ListAttachedGroupPoliciesInput{GroupName: aws.String(group)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		managed = append(managed, page.AttachedPolicies...)
	}
	return docs, managed, nil
}
