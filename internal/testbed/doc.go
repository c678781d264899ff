// Package testbed fills a sandbox with what a delivery across two accounts
// needs: in A the application's own identity and the role, in B the key and the
// bucket, and the policies that setup derives from the configuration. It uses
// the public APIs of AWS only, as an operator would.
//
// The demonstration and the tests share it. It is not for real accounts.
package testbed
