package awsaccounts

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// roleWait bounds how long a new role may take to be seen by IAM itself.
const roleWait = time.Minute

// put makes one change.
func (r *applying) put(ctx context.Context, c *setup.Change) error {
	acc, err := r.account(c.Account)
	if err != nil {
		return err
	}
	switch c.Kind {
	case setup.KindTrust, setup.KindRole, setup.KindIdentity, setup.KindBoundary, setup.KindMaxSession:
		arn, err := awsarn.Parse(c.ARN)
		if err != nil {
			return err
		}
		w := iamWriter{api: r.iam(acc), name: arn.Name(), user: arn.Is("iam", "user")}
		return w.put(ctx, c)
	case setup.KindKey:
		key, err := awsarn.Parse(c.ARN)
		if err != nil {
			return err
		}
		_, err = r.kms(acc, key.Region).
			PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(c.ARN), PolicyName: aws.String(keyPolicyName), Policy: aws.String(c.After)})
		return err
	case setup.KindTrail:
		return r.putTrail(ctx, acc, c)
	}
	if c.Bucket() == nil {
		return fmt.Errorf("do not know how to write a %s", c.Kind)
	}
	b := c.Bucket()
	return bucketWriter{r.s3(acc, b.Region), aws.String(b.Name), aws.String(b.Account)}.put(ctx, c)
}

type iamWriter struct {
	api  *iam.Client
	name string
	user bool
}

func (w iamWriter) put(ctx context.Context, c *setup.Change) (err error) {
	name, policy := aws.String(w.name), aws.String(setup.InlineName)
	switch {
	case c.Kind == setup.KindTrust && c.Op == setup.OpCreate:
		return w.create(ctx, c)
	case c.Kind == setup.KindTrust:
		_, err = w.api.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(c.After)})
	case c.Kind == setup.KindRole:
		_, err = w.api.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	case c.Kind == setup.KindBoundary:
		_, err = w.api.PutRolePermissionsBoundary(
			ctx,
			&iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: aws.String(c.After)},
		)
	case c.Kind == setup.KindMaxSession:
		var seconds int64
		if seconds, err = strconv.ParseInt(c.After, 10, 32); err == nil {
			_, err = w.api.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(int32(seconds))})
		}
	case w.user && c.Op == setup.OpDelete:
		_, err = w.api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: policy})
	case w.user:
		_, err = w.api.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: policy, PolicyDocument: aws.String(c.After)})
	case c.Op == setup.OpDelete:
		_, err = w.api.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: policy})
	default:
		_, err = w.api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: policy, PolicyDocument: aws.String(c.After)})
	}
	return err
}

// create makes a role and waits until IAM shows it. The policies of the other
// account may still not know it; they are tried again.
func (w iamWriter) create(ctx context.Context, c *setup.Change) error {
	role := c.Role()
	in := &iam.CreateRoleInput{
		RoleName: aws.String(role.Name), Path: aws.String(role.Path), AssumeRolePolicyDocument: aws.String(c.After),
		Description: aws.String("brokerd delivers under this role: " + strings.Join(role.Destinations, ", ")),
		Tags:        []types.Tag{{Key: aws.String(setup.MadeTag), Value: aws.String(setup.MadeValue)}},
	}
	if len(aws.ToString(in.Description)) > 1000 {
		in.Description = aws.String("brokerd delivers under this role")
	}
	if role.MaxSession > time.Hour {
		in.MaxSessionDuration = aws.Int32(int32(role.MaxSession / time.Second))
	}
	if role.Boundary != "" {
		in.PermissionsBoundary = aws.String(role.Boundary)
	}
	if _, err := w.api.CreateRole(ctx, in); err != nil {
		return err
	}
	if err := iam.NewRoleExistsWaiter(w.api).Wait(ctx, &iam.GetRoleInput{RoleName: in.RoleName}, roleWait); err != nil {
		return fmt.Errorf("the role was made, but IAM does not show it: %w", err)
	}
	return nil
}
