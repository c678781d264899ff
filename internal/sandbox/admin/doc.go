// Package admin is the admin API of the sandbox: faults, the clock, organizations, VPC
// endpoints, identity providers and the audit trail as JSON over HTTP. It is not part
// of AWS.
//
// # Guarantees
//
//   - A request needs the admin token as a bearer token, so that neither a web page
//     nor another user of the machine can use the API.
//   - A change is in the data directory, if there is one, before it is answered.
//   - Unknown fields and bodies above 1 MiB are refused.
//
// It holds no state: every request acts on the Sandbox that it is given.
package admin
