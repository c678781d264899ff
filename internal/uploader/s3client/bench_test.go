package s3client

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
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
	"golang.org/x/sys/unix"
)

// sink is a store that discards bodies at the lowest possible cost, so that the
// benchmark measures the client.
func sink(b *testing.B) (endpoint string, pool *x509.CertPool) {
	b.Helper()
	srv := httptest.NewTLSServer(nil) // for its certificate
	b.Cleanup(srv.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, DynamicRecordSizingDisabled: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReaderSize(c, 64<<10)
				for swallow(r, c) {
				}
			}()
		}
	}()
	return "https://" + l.Addr().String(), roots(srv)
}

func swallow(r *bufio.Reader, w io.Writer) bool {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, d := range bytes.TrimSpace(v) {
				length = length*10 + int(d-'0')
			}
		}
		if bytes.HasPrefix(line, []byte("Expect:")) {
			if _, err := io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return false
			}
		}
	}
	if _, err := r.Discard(length); err != nil {
		return false
	}
	_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nEtag: \"x\"\r\nContent-Length: 0\r\n\r\n")
	return err == nil
}

// BenchmarkPutObject writes one object at a time to a local TLS sink: with this
// package, and with the SDK under the uploader's settings. It counts the sink's time
// too, which is one side of TLS.
func BenchmarkPutObject(b *testing.B) {
	keys := credentials.NewStaticCredentialsProvider("AK", "SK", "TOK")
	for _, size := range []int{16 << 10, 8 << 20} {
		data, meta := random(size), map[string]string{"brokerd-id": "01JDK2Z6Q9M8C4N1H7T5V3W0XY"}
		const key, arn = "logs/host/2026/11/25/name-01JDK2Z6Q9M8C4N1H7T5V3W0XY", "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
		b.Run("s3client/"+strconv.Itoa(size), func(b *testing.B) {
			endpoint, pool := sink(b)
			tr := NewTransport(TransportOptions{RootCAs: pool})
			defer tr.CloseIdleConnections()
			c, err := New(Options{Endpoint: endpoint, Region: "eu-west-1", Bucket: "bucket", PathStyle: true, Transport: tr, Credentials: keys})
			if err != nil {
				b.Fatal(err)
			}
			p := Payload{Open: func() (io.Reader, error) { return bytes.NewReader(data), nil }, Size: int64(size)}
			o := Object{Key: key, ContentType: "text/plain", Metadata: meta, Encryption: "aws:kms", KMSKey: arn, IfNoneMatch: "*"}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				if _, err := c.PutObject(b.Context(), o, p); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("sdk/"+strconv.Itoa(size), func(b *testing.B) {
			endpoint, pool := sink(b)
			client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig.RootCAs = pool })
			c := s3.NewFromConfig(aws.Config{
				Region: "eu-west-1", HTTPClient: client, Credentials: keys,
				RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
				ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
			}, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(endpoint), true })
			b.SetBytes(int64(size))
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				_, err := c.PutObject(b.Context(), &s3.PutObjectInput{
					Bucket: aws.String("bucket"), Key: aws.String(key), Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(size)),
					ContentType: aws.String("text/plain"), Metadata: meta, ServerSideEncryption: types.ServerSideEncryptionAwsKms,
					SSEKMSKeyId: aws.String(arn), IfNoneMatch: aws.String("*"), ChecksumCRC32C: aws.String("AAAAAA=="),
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// cpu reports the processor time of an operation, for client and sink.
func cpu(b *testing.B) func() {
	used := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}
