package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Many clients use the same few objects at once. Every read returns one whole object
// that was put, and a restart finds the last state, without orphaned bodies.
func TestManyClientsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "accounts")
	w := worldIn(t, openIn(t, dir))
	ctx, bucket := t.Context(), aws.String(bucketB)
	must[*s3.PutBucketVersioningOutput](t)(
		w.rootB.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"},
		}),
	)
	// A body says how long it is in its first byte: one that was mixed up is found.
	body := func(n int) []byte { return bytes.Repeat([]byte{byte(n)}, 1+n*9000) }
	whole := func(data []byte) bool { return len(data) > 0 && bytes.Equal(data, body(int(data[0]))) }
	expected := map[string]bool{"": true, "NoSuchKey": true, "NoSuchVersion": true, "MethodNotAllowed": true, "PreconditionFailed": true,
		"NoSuchUpload": true, "InvalidPart": true, "EntityAlreadyExists": true, "NoSuchEntity": true, "404": true, "NotFound": true}
	var group sync.WaitGroup
	for c := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), 1))
			for range 60 {
				key := aws.String(fmt.Sprintf("logs/%d", rng.IntN(4)))
				err := anOperation(ctx, w, rng, bucket, key, body, whole)
				if !expected[code(err)] {
					t.Errorf("%s: %v", *key, err)
					return
				}
			}
		})
	}
	group.Wait()

	list := func(api *clients) []string {
		var out []string
		pages := s3.NewListObjectVersionsPaginator(api.s3, &s3.ListObjectVersionsInput{Bucket: bucket})
		for pages.HasMorePages() {
			page := must[*s3.ListObjectVersionsOutput](t)(pages.NextPage(ctx))
			for _, v := range page.Versions {
				got := must[*s3.GetObjectOutput](t)(api.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: v.Key, VersionId: v.VersionId}))
				if data := readAll(t, got.Body); !whole(data) {
					t.Errorf("%s %s is not what anybody put there: %d bytes", *v.Key, *v.VersionId, len(data))
				}
				out = append(out, *v.Key+" "+*v.VersionId+" "+*v.ETag)
			}
		}
		return out
	}
	before := list(w.rootB)
	sb := reopen(t, w, dir)
	after := list(as(t, sb, sb.RootKeys(accountB)))
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("after the restart there are %d versions, before there were %d", len(after), len(before))
	}
	bodies, err := os.ReadDir(filepath.Join(dir, "bodies"))
	if err != nil {
		t.Fatal(err)
	}
	if len(bodies) > len(after) {
		t.Errorf("%d bodies for %d versions", len(bodies), len(after))
	}
}

// anOperation does one thing of many to an object.
func anOperation(ctx context.Context, w *world, rng *rand.Rand, bucket, key *string, body func(int) []byte, whole func([]byte) bool) error {
	api := w.rootB.s3
	n := 1 + rng.IntN(200)
	switch rng.IntN(8) {
	case 0, 1:
		in := w.put(*key, body(n))
		if rng.IntN(3) == 0 {
			in.IfNoneMatch = aws.String("*")
		}
		_, err := w.uploader.s3.PutObject(ctx, in)
		return err
	case 2:
		out, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
		if err != nil {
			return err
		}
		var data bytes.Buffer
		_, err = data.ReadFrom(out.Body)
		_ = out.Body.Close()
		if err == nil && !whole(data.Bytes()) {
			return fmt.Errorf("%d bytes that no client put", data.Len())
		}
		return err
	case 3:
		_, err := api.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: bucket, Key: aws.String(fmt.Sprintf("logs/%d", rng.IntN(4))), CopySource: aws.String(*bucket + "/" + *key),
			MetadataDirective: "REPLACE",
		})
		return err
	case 4:
		_, err := api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
		return err
	case 5:
		list, err := api.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: key})
		if err != nil || len(list.Versions) == 0 {
			return err
		}
		v := list.Versions[rng.IntN(len(list.Versions))]
		_, err = api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: v.VersionId})
		return err
	case 6:
		made, err := api.CreateMultipartUpload(ctx, w.create(*key))
		if err != nil {
			return err
		}
		part, err := api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(body(n)), ChecksumAlgorithm: "CRC32C",
		})
		if err != nil {
			return err
		}
		if rng.IntN(3) == 0 {
			_, err = api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: made.UploadId})
			return err
		}
		_, err = api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: made.UploadId,
			MultipartUpload: &s3types.CompletedMultipartUpload{
				Parts: []s3types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32C: part.ChecksumCRC32C}},
			}})
		return err
	default:
		// Roles come and go while policies are decided.
		name := aws.String(fmt.Sprintf("other-%d", rng.IntN(3)))
		if rng.IntN(2) == 0 {
			_, err := w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: name, AssumeRolePolicyDocument: aws.String(trustPolicy("arn:aws:iam::" + accountA + ":root")),
			})
			return err
		}
		_, err := w.rootA.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
		return err
	}
}
