// Package interop delivers to real S3 servers with the real binaries: MinIO
// (AssumeRole and SSE-KMS) and versitygw (neither). The suite has the build tag
// "interop"; it runs the servers on loopback, from $MINIO and $VERSITYGW or PATH:
//
//	go test -tags interop ./test/interop/...
package interop
