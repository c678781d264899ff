package awsaccounts

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/brokerd/brokerd/internal/setup"
)

const noSuchEntity = "NoSuchEntity"

func (a *Accounts) readIdentity(ctx context.Context, arn string) *setup.Identity {
	id := &setup.Identity{ARN: arn}
	acc, parts, err := a.of(arn)
	if err != nil {
		unreadIdentity(id, err.Error())
		return id
	}
	r := iamReader{a.iam(acc)}
	kind, _, _ := strings.Cut(parts.Resource, "/")
	name := parts.Resource[strings.LastIndexByte(parts.Resource, '/')+1:]
	var boundary *types.AttachedPermissionsBoundary
	switch kind {
	case "role":
		boundary, err = r.role(ctx, name, id)
	case "user":
		boundary, err = r.user(ctx, name, id)
	default:
		err = fmt.Errorf("%s is neither a role nor a user", arn)
	}
	switch {
	case codeOf(err) == noSuchEntity:
		absentIdentity(id)
	case err != nil:
		unreadIdentity(id, reasonOf(err))
	case boundary == nil:
		id.Boundary = setup.AbsentPart[setup.Document]()
	default:
		id.Boundary = partOf(r.managed(ctx, aws.ToString(boundary.PermissionsBoundaryArn)))
	}
	return id
}

type iamReader struct{ api *iam.Client }

func (r iamReader) role(ctx context.Context, name string, id *setup.Identity) (*types.AttachedPermissionsBoundary, error) {
	out, err := r.api.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
	if err != nil {
		return nil, err
	}
	role := out.Role
	if got := aws.ToString(role.Arn); got != id.ARN {
		return nil, otherPath(got)
	}
	id.Info = setup.KnownPart(setup.IdentityInfo{
		ID: aws.ToString(
			role.RoleId,
		), Path: aws.ToString(role.Path), Created: aws.ToTime(role.CreateDate),
		MaxSession: time.Duration(aws.ToInt32(role.MaxSessionDuration)) * time.Second,
		Made: slices.ContainsFunc(
			role.Tags,
			func(t types.Tag) bool {
				return aws.ToString(t.Key) == setup.MadeTag && aws.ToString(t.Value) == setup.MadeValue
			},
		),
	})
	id.Trust = partOf(decoded(role.AssumeRolePolicyDocument))
	id.Inline = partOf(r.inline(ctx, name))
	id.Attached = partOf(r.attached(ctx, name))
	return role.PermissionsBoundary, nil
}

// otherPath describes a role or user of the same name under another path: names
// are unique in an account, and IAM asks by the name alone.
func otherPath(arn string) error {
	return fmt.Errorf("the account has it under another path, as %s: correct the ARN in the configuration", arn)
}

// decoded undoes the percent-encoding in which IAM sends documents.
func decoded(doc *string) (string, error) {
	text, err := url.PathUnescape(aws.ToString(doc))
	if err != nil {
		return "", fmt.Errorf("reading a policy as IAM sent it: %w", err)
	}
	return text, nil
}

func (r iamReader) inline(ctx context.Context, role string) ([]setup.Document, error) {
	docs := []setup.Document{}
	pages := iam.NewListRolePoliciesPaginator(r.api, &iam.ListRolePoliciesInput{RoleName: aws.String(role)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range page.PolicyNames {
			out, err := r.api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(role), PolicyName: aws.String(name)})
			if err != nil {
				return nil, err
			}
			text, err := decoded(out.PolicyDocument)
			if err != nil {
				return nil, err
			}
			docs = append(docs, setup.Document{Name: name, Text: text})
		}
	}
	return docs, nil
}

func (r iamReader) attached(ctx context.Context, role string) ([]setup.Document, error) {
	var all []types.AttachedPolicy
	pages := iam.NewListAttachedRolePoliciesPaginator(r.api, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String(role)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.AttachedPolicies...)
	}
	return r.documents(ctx, all)
}

func (r iamReader) documents(ctx context.Context, all []types.AttachedPolicy) ([]setup.Document, error) {
	docs := []setup.Document{}
	for _, p := range all {
		doc, err := r.managed(ctx, aws.ToString(p.PolicyArn))
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// readPolicy reads a managed policy with the credentials of its account; AWS's
// own, which have none, with any.
func (a *Accounts) readPolicy(ctx context.Context, arn string) setup.Part[setup.Document] {
	acc, parts, err := a.of(arn)
	if parts.Account == "aws" {
		for _, acc = range a.byID {
			err = nil
		}
	}
	if err != nil {
		return setup.UnreadPart[setup.Document](err.Error())
	}
	doc, err := iamReader{a.iam(acc)}.managed(ctx, arn)
	return partOf(doc, err, noSuchEntity)
}

// managed reads a managed policy in its default version.
func (r iamReader) managed(ctx context.Context, arn string) (setup.Document, error) {
	p, err := r.api.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(arn)})
	if err != nil {
		return setup.Document{}, err
	}
	v, err := r.api.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: aws.String(arn), VersionId: p.Policy.DefaultVersionId})
	if err != nil {
		return setup.Document{}, err
	}
	text, err := decoded(v.PolicyVersion.Document)
	return setup.Document{Name: aws.ToString(p.Policy.PolicyName), ARN: arn, Text: text}, err
}

func unreadIdentity(id *setup.Identity, reason string) {
	id.Info = setup.UnreadPart[setup.IdentityInfo](reason)
	id.Trust = setup.UnreadPart[string](reason)
	id.Inline = setup.UnreadPart[[]setup.Document](reason)
	id.Attached = setup.UnreadPart[[]setup.Document](reason)
	id.Boundary = setup.UnreadPart[setup.Document](reason)
}

func absentIdentity(id *setup.Identity) {
	id.Info = setup.AbsentPart[setup.IdentityInfo]()
	id.Trust = setup.AbsentPart[string]()
	id.Inline = setup.AbsentPart[[]setup.Document]()
	id.Attached = setup.AbsentPart[[]setup.Document]()
	id.Boundary = setup.AbsentPart[setup.Document]()
}
