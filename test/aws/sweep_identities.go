package kit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/brokerd/brokerd/test/recorded"
)

// sweepIdentities deletes the users, roles, groups and policies whose names begin
// with prefix.
func (a *Accounts) sweepIdentities(ctx context.Context, prefix string) error {
	var errs []error
	for _, account := range []recorded.Account{a.A, a.B} {
		s := &identities{api: iam.NewFromConfig(a.Config(account, Region)), prefix: prefix}
		// Policies last: they go when nothing has them any more.
		for _, step := range []func(context.Context) error{s.users, s.groups, s.roles, s.policies} {
			if err := step(ctx); err != nil {
				errs = append(errs, fmt.Errorf("account %s: %w", account.ID, err))
			}
		}
	}
	return errors.Join(errs...)
}

type identities struct {
	api    *iam.Client
	prefix string
}

func (s *identities) ours(name *string) bool { return strings.HasPrefix(aws.ToString(name), s.prefix) }

func (s *identities) users(ctx context.Context) error {
	var errs []error
	pages := iam.NewListUsersPaginator(s.api, &iam.ListUsersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing users: %w", err))...)
		}
		for _, u := range page.Users {
			if s.ours(u.UserName) {
				errs = append(errs, s.user(ctx, u.UserName))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *identities) user(ctx context.Context, name *string) error {
	keys, err := s.api.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: name})
	if err != nil {
		return fmt.Errorf("user %s: %w", *name, err)
	}
	for _, k := range keys.AccessKeyMetadata {
		if _, err := s.api.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: k.AccessKeyId}); err != nil {
			return fmt.Errorf("user %s: %w", *name, err)
		}
	}
	inline, err := s.api.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: name})
	if err != nil {
		return fmt.Errorf("user %s: %w", *name, err)
	}
	for _, p := range inline.PolicyNames {
		if _, err := s.api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String(p)}); err != nil {
			return fmt.Errorf("user %s: %w", *name, err)
		}
	}
	attached, err := s.api.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: name})
	if err != nil {
		return fmt.Errorf("user %s: %w", *name, err)
	}
	for _, p := range attached.AttachedPolicies {
		if _, err := s.api.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: name, PolicyArn: p.PolicyArn}); err != nil {
			return fmt.Errorf("user %s: %w", *name, err)
		}
	}
	groups, err := s.api.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: name})
	if err != nil {
		return fmt.Errorf("user %s: %w", *name, err)
	}
	for _, g := range groups.Groups {
		if _, err := s.api.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: name, GroupName: g.GroupName}); err != nil {
			return fmt.Errorf("user %s: %w", *name, err)
		}
	}
	if _, err := s.api.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name}); err != nil {
		return fmt.Errorf("user %s: %w", *name, err)
	}
	return nil
}

func (s *identities) groups(ctx context.Context) error {
	var errs []error
	pages := iam.NewListGroupsPaginator(s.api, &iam.ListGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing groups: %w", err))...)
		}
		for _, g := range page.Groups {
			if s.ours(g.GroupName) {
				errs = append(errs, s.group(ctx, g.GroupName))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *identities) group(ctx context.Context, name *string) error {
	inline, err := s.api.ListGroupPolicies(ctx, &iam.ListGroupPoliciesInput{GroupName: name})
	if err != nil {
		return fmt.Errorf("group %s: %w", *name, err)
	}
	for _, p := range inline.PolicyNames {
		if _, err := s.api.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: name, PolicyName: aws.String(p)}); err != nil {
			return fmt.Errorf("group %s: %w", *name, err)
		}
	}
	if _, err := s.api.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: name}); err != nil {
		return fmt.Errorf("group %s: %w", *name, err)
	}
	return nil
}

func (s *identities) roles(ctx context.Context) error {
	var errs []error
	pages := iam.NewListRolesPaginator(s.api, &iam.ListRolesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing roles: %w", err))...)
		}
		for _, r := range page.Roles {
			if s.ours(r.RoleName) {
				errs = append(errs, s.role(ctx, r.RoleName))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *identities) role(ctx context.Context, name *string) error {
	inline, err := s.api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil {
		return fmt.Errorf("role %s: %w", *name, err)
	}
	for _, p := range inline.PolicyNames {
		if _, err := s.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String(p)}); err != nil {
			return fmt.Errorf("role %s: %w", *name, err)
		}
	}
	attached, err := s.api.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil {
		return fmt.Errorf("role %s: %w", *name, err)
	}
	for _, p := range attached.AttachedPolicies {
		if _, err := s.api.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: p.PolicyArn}); err != nil {
			return fmt.Errorf("role %s: %w", *name, err)
		}
	}
	if _, err := s.api.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}); err != nil {
		return fmt.Errorf("role %s: %w", *name, err)
	}
	return nil
}

func (s *identities) policies(ctx context.Context) error {
	var errs []error
	pages := iam.NewListPoliciesPaginator(s.api, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing policies: %w", err))...)
		}
		for _, p := range page.Policies {
			if s.ours(p.PolicyName) {
				errs = append(errs, s.policy(ctx, p.Arn))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *identities) policy(ctx context.Context, arn *string) error {
	versions, err := s.api.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})
	if err != nil {
		return fmt.Errorf("policy %s: %w", *arn, err)
	}
	for _, v := range versions.Versions {
		if v.IsDefaultVersion {
			continue
		}
		if _, err := s.api.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: v.VersionId}); err != nil {
			return fmt.Errorf("policy %s: %w", *arn, err)
		}
	}
	if _, err := s.api.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn}); err != nil {
		return fmt.Errorf("policy %s: %w", *arn, err)
	}
	return nil
}
