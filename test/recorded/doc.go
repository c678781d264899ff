// Package recorded is a table of answers that AWS gives: for each row the state
// before the request, the request, and the status, code, text, fields and headers
// of the answer. Every row names its source.
//
// # Guarantees
//
//   - A request goes through the AWS SDK, to the host names that the SDK's own
//     resolver chooses. Only the connection is redirected (Target.Dial). Requests
//     that the SDK cannot express are built by hand and signed with its signer.
//   - The answer is read from the wire: status, headers in the case that was sent,
//     and the elements of the body. The SDK's own view of it is not asked.
//   - A row runs against any Target: a sandbox, or two real accounts. Each row has
//     buckets, users and keys of its own, so that rows are independent.
//   - A row compares only facts that its source states. A field that no row names
//     is not compared.
//   - Rows that the sandbox does not pass are listed in known.txt. The test fails
//     when a listed row passes, and when another row fails.
//
// # Refusals
//
//   - A row without a source, or with a name that another row of its operation has.
//   - An answer that came from the SDK alone: a request that was never sent fails its row.
//
// # Limits
//
//   - The answers are facts from AWS's documentation, from public suites that were
//     verified on AWS, and from public reports. This project has not compared them
//     with AWS: test/aws does that.
//   - Rows with the source Promise state answers of the sandbox, not of AWS. They
//     run against sandboxes only. Rows with the source Assumption have no source:
//     they exist to be asked of AWS.
//   - On real accounts a change of IAM takes effect after seconds. Target.Settle says
//     how long a request is repeated while its answer differs.
package recorded
