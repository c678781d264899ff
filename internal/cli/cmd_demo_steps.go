package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/testbed"
)

const readyTimeout = 20 * time.Second

func (d *demo) twoAccounts(ctx context.Context) (err error) {
	d.say.heading("Two AWS accounts on this machine")
	if d.world, err = testbed.Prepare(ctx, d.sb, d.dir, os.Getuid()); err != nil {
		return err
	}
	d.say.fact("account A", "%s, with the application, %s", d.sb.AccountA(), d.world.UserARN)
	d.say.fact("account B", "%s, with the bucket and the KMS key", d.sb.AccountB())
	d.say.fact("endpoint", "%s: STS, IAM, S3 and KMS of the sandbox", d.sb.Endpoint())
	return nil
}

func (d *demo) policies(ctx context.Context) error {
	d.say.heading("One destination in the configuration, four policies")
	text, err := os.ReadFile(d.world.ConfigPath)
	if err != nil {
		return err
	}
	_, stanza, _ := strings.Cut(string(text), "\ndestinations:\n")
	stanza, _, _ = strings.Cut(stanza, "\naccess:")
	d.say.text(d.say.p.Dim("destinations:\n" + stanza))
	if err := d.world.Apply(ctx); err != nil {
		return err
	}
	d.say.good("in A: role %s, which trusts %s only; it may write below the prefix, and use the key through S3 only", testbed.RoleName,
		testbed.UserName)
	d.say.good("in B: the key policy, the bucket %s (private, encrypted by default) and its policy", testbed.Bucket)
	return nil
}

func (d *demo) daemonReady(ctx context.Context, child *daemon) error {
	d.say.heading("brokerd assumes the role")
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	child.onExit(cancel)
	for _, service := range []string{"", testbed.Destination} {
		if err := waitServing(ctx, d.client, service); err != nil {
			return fmt.Errorf("brokerd did not become ready: %w", err)
		}
	}
	d.say.good("brokerd (pid %d) listens on %s", child.pid(), d.world.SocketPath)
	d.say.good("it has a session of the role; the application never holds an AWS key")
	return nil
}

func (d *demo) deliver(ctx context.Context) error {
	d.say.heading("The application uploads a real file")
	source, err := d.pickFile()
	if err != nil {
		return err
	}
	d.say.fact("file", "%s, %s", source, console.BytesText(d.size))
	started := time.Now()
	res, err := d.client.UploadFile(ctx, testbed.Destination, d.name, d.file)
	if err != nil {
		return fmt.Errorf("uploading %s: %w", source, err)
	}
	d.say.command("upload", "-d", testbed.Destination, source)
	d.say.good("stored in %s as s3://%s/%s", time.Since(started).Round(time.Millisecond), res.Bucket, res.Key)
	d.say.line("It names a destination and a file. The daemon adds bucket, role and key.")
	return nil
}

func (d *demo) asAccountB(ctx context.Context) error {
	d.say.heading("Account B reads the object")
	list, err := d.world.S3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(testbed.Bucket)})
	if err != nil {
		return fmt.Errorf("listing the bucket as account B: %w", err)
	}
	if len(list.Contents) != 1 {
		return fmt.Errorf("the bucket holds %d objects instead of one", len(list.Contents))
	}
	out, err := d.world.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(testbed.Bucket), Key: list.Contents[0].Key,
		ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return fmt.Errorf("reading the object as account B: %w", err)
	}
	sum := newCRC()
	n, err := io.Copy(sum, out.Body)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return fmt.Errorf("reading the object as account B: %w", err)
	}
	d.say.fact("key", "%s", aws.ToString(list.Contents[0].Key))
	d.say.fact("encryption", "%s", out.ServerSideEncryption)
	d.say.fact("KMS key", "%s", aws.ToString(out.SSEKMSKeyId))
	d.say.fact("size", "%d bytes, CRC32C %s", n, crcText(sum))
	if n != d.size || crcText(sum) != d.crc || aws.ToString(out.SSEKMSKeyId) != d.world.KeyARN {
		return fmt.Errorf("the object differs from the file: %d bytes with %s, want %d with %s", n, crcText(sum), d.size, d.crc)
	}
	d.say.good("byte for byte the local file, encrypted with account B's KMS key")
	return nil
}

func (d *demo) next(context.Context) error {
	d.say.heading("On real AWS")
	d.say.text(`The sandbox stands in for AWS. For your own two accounts:
  brokerctl init --config FILE                    writes the file
  brokerctl setup plan --config FILE              shows what to change
  brokerctl setup apply --config FILE             changes it
  brokerctl verify --standalone --config FILE     proves it
  brokerd serve --config FILE                     delivers
Read README.md for the options of each.`)
	return nil
}

func (d *demo) environment(program string) {
	keysA, keysB := d.sb.RootKeys(d.sb.AccountA()), d.sb.RootKeys(d.sb.AccountB())
	d.say.heading("The demonstration runs until Ctrl-C. In another shell:")
	d.say.text(fmt.Sprintf(`export BROKERD_SOCKET=%s
export AWS_ENDPOINT_URL=%s
export AWS_CA_BUNDLE=%s
export AWS_REGION=%s
# root of account B, which owns bucket and key
export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s
# root of account A: AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s

brokerctl status
echo hello | brokerctl upload -d %s --name hello.txt -
aws s3 ls --recursive s3://%s

# brokerd: %s serve --config %s`,
		d.world.SocketPath, d.sb.Endpoint(), d.world.CAPath, d.sb.Region(), keysB.AccessKeyID, keysB.SecretAccessKey,
		keysA.AccessKeyID, keysA.SecretAccessKey, testbed.Destination, testbed.Bucket, program, d.world.ConfigPath))
}
