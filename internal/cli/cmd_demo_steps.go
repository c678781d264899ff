package cli

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const readyTimeout = 20 * time.Second

func (d *demo) twoAccounts(ctx context.Context) (err error) {
	d.say.heading("Two AWS accounts, on this machine")
	if d.world, err = testbed.Prepare(ctx, d.sb, d.dir, os.Getuid()); err != nil {
		return err
	}
	d.say.fact("account A", "%s: the application's; its identity is %s", d.sb.AccountA(), d.world.UserARN)
	d.say.fact("account B", "%s: the bucket's and the key's", d.sb.AccountB())
	d.say.fact("endpoint", "%s (STS, IAM, S3 and KMS of the sandbox, over TLS)", d.sb.Endpoint())
	return nil
}

func (d *demo) policies(ctx context.Context) error {
	d.say.heading("One stanza of configuration, four policies")
	text, err := os.ReadFile(d.world.ConfigPath)
	if err != nil {
		return err
	}
	_, stanza, _ := strings.Cut(string(text), "\ndestinations:\n")
	stanza, _, _ = strings.Cut(stanza, "\naccess:")
	d.say.text(d.say.p.dim("destinations:\n" + stanza))
	if err := d.world.Apply(ctx); err != nil {
		return err
	}
	d.say.good("in A: role %s, trusted by %s only, may write below the prefix and use the key through S3", testbed.RoleName, testbed.UserName)
	d.say.good("in B: key policy, then bucket %s (private, bucket owner enforced, encrypted by default) and its policy", testbed.Bucket)
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
	d.say.good("it has a session of the role; the application never holds a key")
	return nil
}

func (d *demo) deliver(ctx context.Context) error {
	d.say.heading("A real file goes over")
	source, err := d.pickFile()
	if err != nil {
		return err
	}
	d.say.fact("file", "%s, %s", source, bytesText(d.size))
	started := time.Now()
	res, err := d.client.UploadFile(ctx, testbed.Destination, d.name, d.file)
	if err != nil {
		return fmt.Errorf("uploading %s: %w", source, err)
	}
	d.say.line("%s", d.say.p.dim("$ brokerctl upload -d "+testbed.Destination+" "+source))
	d.say.good("stored in %s as s3://%s/%s", time.Since(started).Round(time.Millisecond), res.Bucket, res.Key)
	d.say.line("The application named a destination and a file. Bucket, key prefix, role and encryption are the daemon's business.")
	return nil
}

// pickFile copies a system log, which may grow while it is read, or makes a file.
func (d *demo) pickFile() (source string, err error) {
	const limit = 64 << 20
	d.name = "generated.log"
	var size int64
	paths, _ := filepath.Glob("/var/log/*")
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() || info.Size() <= size || info.Size() > limit {
			continue
		}
		if f, err := os.Open(p); err == nil {
			_ = f.Close()
			source, size = p, info.Size()
		}
	}
	in := io.LimitReader(lineReader{}, 12<<20)
	if source == "" {
		source = "a generated log"
	} else {
		f, err := os.Open(source)
		if err != nil {
			return "", fmt.Errorf("opening %s: %w", source, err)
		}
		defer func() { _ = f.Close() }() // only read from
		in, d.name = io.LimitReader(f, limit), filepath.Base(source)
	}
	d.file = filepath.Join(d.dir, "upload")
	out, err := os.OpenFile(d.file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("copying %s: %w", source, err)
	}
	sum := newCRC()
	d.size, err = io.Copy(io.MultiWriter(out, sum), in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", fmt.Errorf("copying %s: %w", source, err)
	}
	d.crc = crcText(sum)
	return source, nil
}

// lineReader is an endless log.
type lineReader struct{}

func (lineReader) Read(p []byte) (int, error) {
	const line = "2026-01-01T00:00:00Z app[42]: a line of a log that nobody wrote\n"
	for i := range p {
		p[i] = line[i%len(line)]
	}
	return len(p), nil
}

func newCRC() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

func crcText(h hash.Hash32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, h.Sum32()))
}

func (d *demo) asAccountB(ctx context.Context) error {
	d.say.heading("The object, as account B sees it")
	list, err := d.world.S3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(testbed.Bucket)})
	if err != nil {
		return fmt.Errorf("listing the bucket as account B: %w", err)
	}
	if len(list.Contents) != 1 {
		return fmt.Errorf("the bucket holds %d objects instead of one", len(list.Contents))
	}
	out, err := d.world.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(testbed.Bucket), Key: list.Contents[0].Key, ChecksumMode: types.ChecksumModeEnabled})
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
	d.say.fact("size", "%d bytes", n)
	d.say.fact("CRC32C", "%s", crcText(sum))
	if n != d.size || crcText(sum) != d.crc || aws.ToString(out.SSEKMSKeyId) != d.world.KeyARN {
		return fmt.Errorf("the object differs from the file: %d bytes with %s, want %d with %s", n, crcText(sum), d.size, d.crc)
	}
	d.say.good("byte for byte the local file, encrypted with account B's own key")
	return nil
}

// verify runs verify through the daemon and prints it; it returns the first failed check.
func (d *demo) verify(ctx context.Context, brief bool) (seen report.Report, failed *report.Check, err error) {
	d.say.line("%s", d.say.p.dim("$ brokerctl verify "+testbed.Destination))
	backend, err := (&app{Streams: d.Streams, socket: d.world.SocketPath}).newVerifyBackend(false, "")
	if err != nil {
		return seen, nil, err
	}
	defer backend.close()
	text := &render.Text{W: d.Out, Paint: paintFor(d.Out), Margin: "   ", Brief: brief}
	if err := text.Begin(testbed.Destination); err != nil {
		return seen, nil, err
	}
	seen, err = backend.verify(ctx, testbed.Destination, report.RunOptions{}, func(c report.Check) error {
		if c.Result == report.Fail && c.Confirms == "" && failed == nil {
			failed = &c
		}
		return text.Check(c)
	})
	if err == nil {
		err = text.End(render.Result{Report: seen})
	}
	return seen, failed, err
}

func (d *demo) allWell(ctx context.Context) error {
	d.say.heading("verify proves the way, without leaving an object")
	seen, failed, err := d.verify(ctx, false)
	if err != nil {
		return err
	}
	if failed != nil || seen.Result() != report.Pass {
		return errors.New("verify does not pass although everything is in place")
	}
	return nil
}

func (d *demo) breakKey(ctx context.Context) error {
	d.say.heading("Somebody in account B tidies up the key policy")
	policy, err := d.world.KeyPolicy(ctx)
	if err != nil {
		return err
	}
	if policy, err = testbed.RemoveAllow(policy, testbed.RoleName); err != nil {
		return err
	}
	if err := d.world.PutKeyPolicy(ctx, policy); err != nil {
		return err
	}
	d.say.bad("the statement for the role is gone from the key policy")
	before := len(d.sb.Objects(testbed.Bucket))
	_, err = d.client.UploadFile(ctx, testbed.Destination, d.name, d.file)
	var refused *client.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("the upload should have been refused, but: %w", orNil(err))
	}
	d.say.line("%s", d.say.p.dim("$ brokerctl upload -d "+testbed.Destination+" "+d.name))
	d.say.bad("%s", strings.TrimSpace(render.Indent(render.Wrap(refused.Error(), render.Width), "     ")))
	if left := d.sb.MultipartUploads(testbed.Bucket); len(left) > 0 || len(d.sb.Objects(testbed.Bucket)) != before {
		return fmt.Errorf("the refused upload left something behind: %d multipart uploads", len(left))
	}
	d.say.good("no object and no unfinished upload was left behind")
	return nil
}

func orNil(err error) error {
	if err == nil {
		return errors.New("it was stored")
	}
	return err
}

func (d *demo) repair(ctx context.Context) error {
	d.say.heading("verify names the policy, the account and the statement")
	_, failed, err := d.verify(ctx, true)
	if err != nil {
		return err
	}
	switch {
	case failed == nil:
		return errors.New("verify passes although the key policy is broken")
	case failed.Artefact.Kind != report.ArtefactKeyPolicy || failed.Account.ID != d.sb.AccountB() || len(failed.Fix.Patch) == 0:
		return fmt.Errorf("verify blames %q of account %q instead of the key policy of account %s", failed.Artefact.Kind, failed.Account.ID, d.sb.AccountB())
	}
	d.say.heading("Account B applies the printed statement")
	policy, err := d.world.KeyPolicy(ctx)
	if err != nil {
		return err
	}
	if policy, err = testbed.AddStatement(policy, string(failed.Fix.Patch)); err != nil {
		return err
	}
	if err := d.world.PutKeyPolicy(ctx, policy); err != nil {
		return err
	}
	seen, failed, err := d.verify(ctx, true)
	if err != nil {
		return err
	}
	if failed != nil || seen.Result() != report.Pass {
		return errors.New("verify does not pass after the repair")
	}
	res, err := d.client.UploadFile(ctx, testbed.Destination, d.name, d.file)
	if err != nil {
		return fmt.Errorf("uploading after the repair: %w", err)
	}
	d.say.good("stored again: s3://%s/%s", res.Bucket, res.Key)
	return nil
}

func (d *demo) whoDidIt(context.Context) error {
	d.say.heading("Who did it: the calls of the role's session, as the sandbox recorded them")
	counts := make(map[string]int)
	var order []string
	who := ""
	for _, c := range d.sb.Calls() {
		if !strings.Contains(c.Principal, ":assumed-role/"+testbed.RoleName+"/") || c.Operation == "" {
			continue
		}
		who = c.Principal
		what := c.Service + ":" + c.Operation
		if c.Via != "" {
			what += " by way of " + c.Via
		}
		if c.ErrorCode != "" {
			what += " -> " + c.ErrorCode
		}
		if counts[what]++; counts[what] == 1 {
			order = append(order, what)
		}
	}
	if who == "" {
		return errors.New("the sandbox recorded no call of the role's session")
	}
	d.say.line("%s", who)
	slices.Sort(order)
	for _, what := range order {
		d.say.line("%5d × %s", counts[what], what)
	}
	return nil
}

func (d *demo) next(context.Context) error {
	d.say.heading("On real AWS")
	d.say.text(`This was a stand-in for AWS on your machine. For the real thing:
  - brokerctl init --config FILE asks for the two accounts and writes the stanza
  - brokerctl setup plan --config FILE --source-profile A --target-profile B shows the policies that are missing, setup apply writes them
  - brokerctl verify --standalone --config FILE names what is in the way, with the line to change
  - start brokerd (deploy/systemd), then brokerctl upload, or the Go package client
README.md and docs/ tell the rest.`)
	return nil
}

func (d *demo) environment(program string) {
	keysA, keysB := d.sb.RootKeys(d.sb.AccountA()), d.sb.RootKeys(d.sb.AccountB())
	d.say.heading("It runs on, until Ctrl-C. In another shell:")
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
