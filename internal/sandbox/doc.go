// Package sandbox is two AWS accounts in one process: STS, IAM, S3 and KMS on
// one loopback listener, with every call signed, authenticated and decided by
// the policies that are stored in it.
package sandbox
