// Package interop runs the product against programs of others, with the real
// binaries of both sides.
//
// brokerd delivers to real S3 servers: MinIO (AssumeRole and SSE-KMS) and
// versitygw (neither), from $MINIO and $VERSITYGW or PATH. Real clients use the
// sandbox: rclone (from $RCLONE or PATH), boto3, the AWS SDK for JavaScript, the
// AWS CLI, which runs every command of docs/sandbox.md, and Terraform. The
// examples of docs/guide-clients.md upload with grpcio and grpcurl (from $GRPCURL
// or PATH). The guides of the first hour and of account B's administrator are run as
// printed, with the AWS CLI, jq and tmux. The report of verify is looked at in a real browser, Chromium. A program
// that is not installed, and cannot be, is skipped with the reason.
//
// The suite has the build tag "interop":
//
//	go test -tags interop ./test/interop/...
package interop
