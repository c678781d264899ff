package s3client

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// seen is a request as the store and the conditions of a policy see it.
type seen struct {
	Method, Path, Query string
	Header              http.Header
	Body                string
}

// look removes headers of the SDK and headers that always differ.
func look(t *testing.T, r *http.Request) seen {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	h := r.Header.Clone()
	for _, name := range []string{
		"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "User-Agent", "X-Amz-Date", "Authorization",
		"Accept-Encoding", // the SDK signs it, and stores behind proxies that change it fail
	} {
		h.Del(name)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		t.Error(err)
	}
	q.Del("x-id") // names the operation for logs of the SDK's servers
	return seen{Method: r.Method, Path: r.URL.EscapedPath(), Query: q.Encode(), Header: h, Body: canonicalXML(string(body))}
}

// canonicalXML makes two spellings of one completion equal.
func canonicalXML(text string) string {
	var doc struct {
		XMLName xml.Name
		Parts   []listedPart `xml:"Part"`
	}
	if !strings.HasPrefix(text, "<") || xml.Unmarshal([]byte(text), &doc) != nil {
		return text
	}
	out, _ := xml.Marshal(doc)
	return string(out)
}

func TestRequestsAreWhatTheSDKSends(t *testing.T) {
	var requests []seen
	h := func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, look(t, r))
		w.Header().Set("Etag", `"e"`)
		switch {
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", "5")
		case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
			_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult/>")
		case r.Method == http.MethodGet:
			_, _ = io.WriteString(w, "<ListPartsResult/>")
		}
	}
	ours, srv := store(t, h, TransportOptions{})
	ours.opts.Owner = "444455556666"
	theirs := s3.NewFromConfig(aws.Config{
		Region: "eu-west-1", HTTPClient: srv.Client(),
		Credentials:                credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE"),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(srv.URL), true })

	const key = "logs//a b+ü/../%41/"
	bucket, owner, octets := aws.String("bucket"), aws.String("444455556666"), "application/octet-stream"
	body := func() io.Reader { return bytes.NewReader([]byte("hello")) }
	p := Payload{Open: func() (io.Reader, error) { return body(), nil }, Size: 5, CRC32C: 0x9a71bb4c}
	crc := aws.String(base64CRC(p.CRC32C))
	object := Object{
		Key: key, ContentType: "text/plain", ContentEncoding: "gzip", StorageClass: "STANDARD_IA", ACL: "bucket-owner-full-control",
		Tagging: "a=b&c=d%20e", Metadata: map[string]string{"App": "x y", "brokerd-id": "1"}, Encryption: "aws:kms",
		KMSKey: "arn:aws:kms:eu-west-1:444455556666:key/1", EncryptionContext: "e30=", BucketKey: aws.Bool(true), IfNoneMatch: "*",
	}
	ctx := t.Context()
	for name, c := range map[string]struct{ we, they func() error }{
		"PutObject": {
			func() error { _, err := ours.PutObject(ctx, object, p); return err },
			func() error {
				_, err := theirs.PutObject(ctx, &s3.PutObjectInput{
					Bucket: bucket, Key: aws.String(key), Body: body(), ContentLength: aws.Int64(5), ChecksumCRC32C: crc, ExpectedBucketOwner: owner,
					ContentType: &object.ContentType, ContentEncoding: &object.ContentEncoding, StorageClass: types.StorageClass(object.StorageClass),
					ACL: types.ObjectCannedACL(object.ACL), Tagging: &object.Tagging, Metadata: object.Metadata,
					ServerSideEncryption: types.ServerSideEncryption(object.Encryption), SSEKMSKeyId: &object.KMSKey,
					SSEKMSEncryptionContext: &object.EncryptionContext, BucketKeyEnabled: object.BucketKey, IfNoneMatch: &object.IfNoneMatch,
				})
				return err
			},
		},
		"PutObject of nothing, with nothing said": {
			// The SDK invents a content type; this package sends none by itself.
			func() error {
				_, err := ours.PutObject(ctx, Object{Key: key, ContentType: octets}, Payload{})
				return err
			},
			func() error {
				_, err := theirs.PutObject(ctx, &s3.PutObjectInput{
					Bucket: bucket, Key: aws.String(key), Body: bytes.NewReader(nil), ChecksumCRC32C: aws.String("AAAAAA=="), ExpectedBucketOwner: owner,
				})
				return err
			},
		},
		"CreateMultipartUpload": {
			func() error { _, err := ours.CreateMultipartUpload(ctx, object); return err },
			func() error {
				_, err := theirs.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
					Bucket: bucket, Key: aws.String(key), ExpectedBucketOwner: owner, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
					ChecksumType: types.ChecksumTypeFullObject, ContentType: &object.ContentType, ContentEncoding: &object.ContentEncoding,
					StorageClass: types.StorageClass(object.StorageClass), ACL: types.ObjectCannedACL(object.ACL), Tagging: &object.Tagging,
					Metadata: object.Metadata, ServerSideEncryption: types.ServerSideEncryption(object.Encryption),
					SSEKMSKeyId: &object.KMSKey, SSEKMSEncryptionContext: &object.EncryptionContext, BucketKeyEnabled: object.BucketKey,
				})
				return err
			},
		},
		"UploadPart": {
			func() error { _, err := ours.UploadPart(ctx, key, "u/+ =", 7, p); return err },
			func() error {
				_, err := theirs.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: bucket, Key: aws.String(key), UploadId: aws.String("u/+ ="), PartNumber: aws.Int32(7), Body: body(),
					ContentLength: aws.Int64(5), ChecksumCRC32C: crc, ExpectedBucketOwner: owner,
				})
				requests[len(requests)-1].Header.Del("Content-Type") // a part has none
				return err
			},
		},
		"CompleteMultipartUpload": {
			func() error {
				_, err := ours.CompleteMultipartUpload(ctx, Completion{
					Key: key, UploadID: "u", Parts: []Part{{1, "a<&>", 1}, {2, "b", 2}}, Size: 9, CRC32C: p.CRC32C, IfNoneMatch: "*",
				})
				return err
			},
			func() error {
				part := func(n int32, etag string) types.CompletedPart {
					return types.CompletedPart{PartNumber: &n, ETag: aws.String(`"` + etag + `"`), ChecksumCRC32C: aws.String(base64CRC(uint32(n)))}
				}
				_, err := theirs.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
					Bucket: bucket, Key: aws.String(key), UploadId: aws.String("u"), ExpectedBucketOwner: owner, IfNoneMatch: aws.String("*"),
					ChecksumCRC32C: crc, ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: aws.Int64(9),
					MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part(1, "a<&>"), part(2, "b")}},
				})
				return err
			},
		},
		"AbortMultipartUpload": {
			func() error { return ours.AbortMultipartUpload(ctx, key, "u") },
			func() error {
				_, err := theirs.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
					Bucket: bucket, Key: aws.String(key), UploadId: aws.String("u"), ExpectedBucketOwner: owner,
				})
				return err
			},
		},
		"ListParts": {
			func() error { _, err := ours.ListParts(ctx, key, "u"); return err },
			func() error {
				_, err := theirs.ListParts(ctx, &s3.ListPartsInput{
					Bucket: bucket, Key: aws.String(key), UploadId: aws.String("u"), ExpectedBucketOwner: owner,
				})
				return err
			},
		},
		"HeadObject": {
			func() error { _, err := ours.HeadObject(ctx, key); return err },
			func() error {
				_, err := theirs.HeadObject(ctx, &s3.HeadObjectInput{
					Bucket: bucket, Key: aws.String(key), ChecksumMode: types.ChecksumModeEnabled, ExpectedBucketOwner: owner,
				})
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			requests = nil
			if err := c.they(); err != nil {
				t.Fatal(err)
			}
			if err := c.we(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(requests[0], requests[1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
