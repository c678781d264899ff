package sandbox_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// Ten thousand objects are listed whole, in order, page by page, however the pages are cut.
func TestTenThousandObjects(t *testing.T) {
	const total = 10_000
	sb := start(t, sandbox.Options{PlainHTTP: true})
	b := as(t, sb, sb.RootKeys(accountB))
	must[*s3.CreateBucketOutput](t)(b.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String(bucketB), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}))
	var want []string
	var group errgroup.Group
	group.SetLimit(8)
	for i := range total {
		key := fmt.Sprintf("%02d/%05d", i%100, i)
		want = append(want, key)
		group.Go(func() error {
			_, err := b.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucketB), Key: aws.String(key)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	for _, size := range []int32{1000, 333} {
		var got []string
		pages := s3.NewListObjectsV2Paginator(b.s3, &s3.ListObjectsV2Input{Bucket: aws.String(bucketB), MaxKeys: aws.Int32(size)})
		for pages.HasMorePages() {
			for _, o := range must[*s3.ListObjectsV2Output](t)(pages.NextPage(t.Context())).Contents {
				got = append(got, *o.Key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d objects are listed, or not in order", size, len(got))
		}
	}
	folders := must[*s3.ListObjectsV2Output](t)(
		b.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucketB), Delimiter: aws.String("/")}),
	)
	if len(folders.CommonPrefixes) != 100 || len(folders.Contents) != 0 || *folders.CommonPrefixes[99].Prefix != "99/" {
		t.Errorf("%d folders and %d objects", len(folders.CommonPrefixes), len(folders.Contents))
	}
}
