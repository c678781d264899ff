package kit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/test/misconfig"
)

// mistakes makes each mistake, meets it, lets verify look for it, and repairs it.
func (a *Accounts) mistakes(ctx context.Context, dir string, rows []misconfig.Mistake, tell func(Observation),
	skip func(name, why string)) error {
	var w *testbed.World
	var actor *misconfig.Actor
	for i, m := range rows {
		if m.Local != "" {
			skip("mistakes: "+m.String(), m.Local)
			continue
		}
		if w == nil {
			sub, err := os.MkdirTemp(dir, "m")
			if err != nil {
				return fmt.Errorf("making a directory: %w", err)
			}
			if w, err = a.arrange(ctx, sub, a.Prefix+"-m"+strconv.Itoa(i)); err != nil {
				return fmt.Errorf("mistake %q: %w", m.Name, err)
			}
			if actor, err = a.actor(ctx, w); err != nil {
				return fmt.Errorf("mistake %q: %w", m.Name, err)
			}
		}
		o, err := a.mistake(ctx, actor, m)
		if err != nil {
			return fmt.Errorf("mistake %q: %w", m.Name, err)
		}
		tell(o)
		if m.Spoils {
			if _, err := w.KMS.ScheduleKeyDeletion(ctx,
				&kms.ScheduleKeyDeletionInput{KeyId: aws.String(w.KeyARN), PendingWindowInDays: aws.Int32(waitDays)}); err != nil {
				return fmt.Errorf("after the mistake %q: deleting the key: %w", m.Name, err)
			}
			w = nil
			continue
		}
		if err := a.restore(ctx, actor); err != nil {
			return fmt.Errorf("after the mistake %q: %w", m.Name, err)
		}
	}
	return nil
}

func (a *Accounts) actor(ctx context.Context, w *testbed.World) (*misconfig.Actor, error) {
	actor, err := misconfig.NewActor(ctx, w)
	if err != nil {
		return nil, err
	}
	actor.Endpoint = a.Endpoint
	if err := a.eventually(ctx, func() error { return actor.Begin(ctx) }); err != nil {
		return nil, err
	}
	if err := a.eventually(ctx, func() error { return actor.Put(ctx, nil) }); err != nil {
		return nil, fmt.Errorf("before the mistake: %w", err)
	}
	return actor, misconfig.Empty(ctx, w)
}

func (a *Accounts) names(w *testbed.World) map[string]string {
	return map[string]string{"A": w.AccountA, "B": w.AccountB, "NAME": w.Bucket, "KEYID": w.KeyARN[strings.LastIndex(w.KeyARN, "/")+1:]}
}

func (a *Accounts) mistake(ctx context.Context, actor *misconfig.Actor, m misconfig.Mistake) (Observation, error) {
	names := a.names(actor.World)
	o := Observation{Part: "mistakes", Name: m.String()}
	if m.Make != nil {
		if err := m.Make(ctx, actor.World); err != nil && code(err) != m.Code {
			return o, fmt.Errorf("making it: %w", err)
		}
	}
	var met error
	_ = a.eventually(ctx, func() error { // the last answer is the observation, also when it stays another
		met = m.Meet(ctx, actor)
		if code(met) != m.Code {
			return errDiffers
		}
		return nil
	})
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	o.Facts = errorFacts(met, names)
	if text := wrong(m, actor, met); text != "" {
		o.Wrong = hidden(text, names)
	}
	if m.Delivery && m.Finding != nil && m.Finding.Stage == nil {
		found, err := a.verification(ctx, actor.World, names)
		if err != nil {
			return o, err
		}
		for k, v := range found {
			o.Facts["verify "+k] = v
		}
	}
	return o, nil
}

var errDiffers = errors.New("the answer differs")

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func errorFacts(err error, names map[string]string) map[string]string {
	if err == nil {
		return map[string]string{"status": "success"}
	}
	facts := map[string]string{}
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) {
		facts["status"] = strconv.Itoa(status.HTTPStatusCode())
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		facts["error"] = hidden(err.Error(), names)
		return facts
	}
	facts["code"], facts["message"] = api.ErrorCode(), hidden(api.ErrorMessage(), names)
	return facts
}

// wrong says how an answer differs from the row.
func wrong(m misconfig.Mistake, actor *misconfig.Actor, err error) string {
	status := http.StatusOK
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) {
		status = answered.HTTPStatusCode()
	}
	switch {
	case m.Code == "" && err == nil:
		return ""
	case code(err) != m.Code || status != m.Status:
		return fmt.Sprintf("%s (%d), want %s (%d)", code(err), status, m.Code, m.Status)
	}
	var api smithy.APIError
	_ = errors.As(err, &api)
	want := m.Message(actor)
	if part, ok := strings.CutPrefix(want, "~"); ok && strings.Contains(api.ErrorMessage(), part) || api.ErrorMessage() == want {
		return ""
	}
	return fmt.Sprintf("message %q, want %q", api.ErrorMessage(), want)
}

// restore brings the accounts back to their state before a mistake.
func (a *Accounts) restore(ctx context.Context, actor *misconfig.Actor) error {
	w := actor.World
	role, bucket, key := aws.String(w.RoleName), aws.String(w.Bucket), aws.String(w.KeyARN)
	state, err := w.KMS.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: key})
	if err != nil {
		return fmt.Errorf("reading the key's state: %w", err)
	}
	if state.KeyMetadata.KeyState == kmstypes.KeyStatePendingDeletion {
		_, err = w.KMS.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: key})
	}
	if err == nil && state.KeyMetadata.KeyState != kmstypes.KeyStateEnabled {
		_, err = w.KMS.EnableKey(ctx, &kms.EnableKeyInput{KeyId: key})
	}
	_, unbound := w.IAM.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: role})
	if code(unbound) == "NoSuchEntity" {
		unbound = nil
	} else if unbound == nil {
		_, unbound = w.IAM.DeletePolicy(ctx,
			&iam.DeletePolicyInput{PolicyArn: aws.String("arn:aws:iam::" + w.AccountA + ":policy/" + w.RoleName + "-boundary")})
	}
	unguarded := dropFurtherPolicies(ctx, w)
	_, trusted := w.IAM.UpdateAssumeRolePolicy(ctx,
		&iam.UpdateAssumeRolePolicyInput{RoleName: role, PolicyDocument: aws.String(string(w.Docs.Trust))})
	_, limited := w.IAM.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: role, MaxSessionDuration: aws.Int32(3600)})
	_, owned := w.S3.PutBucketOwnershipControls(ctx,
		&s3.PutBucketOwnershipControlsInput{Bucket: bucket, OwnershipControls: &types.OwnershipControls{
			Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}},
		}})
	err = errors.Join(err, unbound, unguarded, trusted, limited, owned,
		w.PutIdentity(ctx, string(w.Docs.Identity)), w.PutKeyPolicy(ctx, string(w.Docs.Key)), w.PutBucketPolicy(ctx, string(w.Docs.Bucket)),
		shield(ctx, w), seal(ctx, w), misconfig.Empty(ctx, w), a.reload(w))
	if err != nil {
		return fmt.Errorf("repairing: %w", err)
	}
	if err := a.eventually(ctx, func() error { return errors.Join(actor.Begin(ctx), actor.Put(ctx, nil), actor.Part(ctx)) }); err != nil {
		return fmt.Errorf("the repair did not work: %w", err)
	}
	return misconfig.Empty(ctx, w)
}

// dropFurtherPolicies removes the inline policies that setup did not write.
func dropFurtherPolicies(ctx context.Context, w *testbed.World) error {
	list, err := w.IAM.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String(w.RoleName)})
	if err != nil {
		return err
	}
	for _, name := range list.PolicyNames {
		if name == setup.InlineName {
			continue
		}
		if _, err := w.IAM.DeleteRolePolicy(ctx,
			&iam.DeleteRolePolicyInput{RoleName: aws.String(w.RoleName), PolicyName: aws.String(name)}); err != nil {
			return err
		}
	}
	return nil
}

func shield(ctx context.Context, w *testbed.World) error {
	yes := aws.Bool(true)
	_, err := w.S3.PutPublicAccessBlock(ctx,
		&s3.PutPublicAccessBlockInput{Bucket: aws.String(w.Bucket),
			PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
				BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes,
			}})
	return err
}

func seal(ctx context.Context, w *testbed.World) error {
	_, err := w.S3.PutBucketEncryption(ctx,
		&s3.PutBucketEncryptionInput{Bucket: aws.String(w.Bucket),
			ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
				Rules: []types.ServerSideEncryptionRule{{
					BucketKeyEnabled: aws.Bool(true),
					ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms,
						KMSMasterKeyID: aws.String(w.KeyARN)},
				}},
			}})
	return err
}
