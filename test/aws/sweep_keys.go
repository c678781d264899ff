package kit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/brokerd/brokerd/test/recorded"
)

// waitDays is the shortest time that KMS keeps a key which is to be deleted.
const waitDays = 7

// sweepKeys deletes the aliases whose names begin with prefix, and schedules the
// deletion of the keys whose tag does.
func (a *Accounts) sweepKeys(ctx context.Context, prefix string) error {
	var errs []error
	for _, account := range []recorded.Account{a.A, a.B} {
		api := kms.NewFromConfig(a.Config(account, Region))
		errs = append(errs, sweepAliases(ctx, api, prefix))
		pages := kms.NewListKeysPaginator(api, &kms.ListKeysInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				errs = append(errs, fmt.Errorf("listing the keys of %s: %w", account.ID, err))
				break
			}
			for _, k := range page.Keys {
				if err := sweepKey(ctx, api, k.KeyId, prefix); err != nil {
					errs = append(errs, fmt.Errorf("key %s: %w", aws.ToString(k.KeyId), err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func sweepAliases(ctx context.Context, api *kms.Client, prefix string) error {
	var errs []error
	pages := kms.NewListAliasesPaginator(api, &kms.ListAliasesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing aliases: %w", err))...)
		}
		for _, alias := range page.Aliases {
			if !strings.HasPrefix(aws.ToString(alias.AliasName), "alias/"+prefix) {
				continue
			}
			if _, err := api.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: alias.AliasName}); err != nil {
				errs = append(errs, fmt.Errorf("alias %s: %w", aws.ToString(alias.AliasName), err))
			}
		}
	}
	return errors.Join(errs...)
}

func sweepKey(ctx context.Context, api *kms.Client, id *string, prefix string) error {
	tags, err := api.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: id})
	if code(err) == "AccessDeniedException" {
		return nil // a key of others, whose policy leaves the account's administrators out
	}
	if err != nil {
		return fmt.Errorf("reading its tags: %w", err)
	}
	ours := false
	for _, t := range tags.Tags {
		ours = ours || aws.ToString(t.TagKey) == recorded.Tag && strings.HasPrefix(aws.ToString(t.TagValue), prefix)
	}
	if !ours {
		return nil
	}
	key, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})
	if err != nil {
		return err
	}
	if key.KeyMetadata.KeyState == types.KeyStatePendingDeletion {
		return nil
	}
	_, err = api.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(waitDays)})
	return err
}
