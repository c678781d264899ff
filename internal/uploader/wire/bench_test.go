package wire

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// BenchmarkPutObject puts one object at a time into a local TLS sink: through
// this package, and through the SDK as the uploader sets it. Both sides' time is counted.
func BenchmarkPutObject(b *testing.B) {
	for _, size := range []int{16 << 10, 8 << 20} {
		data, meta := random(size), map[string]string{"brokerd-id": "01JDK2Z6Q9M8C4N1H7T5V3W0XY"}
		sink := func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Etag", `"x"`)
		}
		const key, arn = "logs/host/2026/11/25/name-01JDK2Z6Q9M8C4N1H7T5V3W0XY", "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
		b.Run("wire/"+strconv.Itoa(size), func(b *testing.B) {
			c, _ := store(b, sink, TransportOptions{})
			p := Payload{Open: func() (io.Reader, error) { return bytes.NewReader(data), nil }, Size: int64(size)}
			o := Object{Key: key, ContentType: "text/plain", Metadata: meta, Encryption: "aws:kms", KMSKey: arn, IfNoneMatch: "*"}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.PutObject(b.Context(), o, p); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("sdk/"+strconv.Itoa(size), func(b *testing.B) {
			srv := httptest.NewTLSServer(http.HandlerFunc(sink))
			defer srv.Close()
			client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig.RootCAs = roots(srv) })
			c := s3.NewFromConfig(aws.Config{
				Region: "eu-west-1", HTTPClient: client, Credentials: credentials.NewStaticCredentialsProvider("AK", "SK", "TOK"),
				RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
			}, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(srv.URL), true })
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				_, err := c.PutObject(b.Context(), &s3.PutObjectInput{
					Bucket: aws.String("bucket"), Key: aws.String(key), Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(size)), ContentType: aws.String("text/plain"),
					Metadata: meta, ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(arn), IfNoneMatch: aws.String("*"), ChecksumCRC32C: aws.String("AAAAAA=="),
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
