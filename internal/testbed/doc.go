// Package testbed makes, in a sandbox, the arrangement of a delivery across two
// accounts: in A the application's identity and the role, in B the key and the bucket,
// with the policies that setup derives from the configuration. It uses the public APIs
// of AWS only, as an operator would.
//
// `brokerctl demo` and the tests share it. Do not use it for real accounts.
package testbed
