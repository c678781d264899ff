// Package misconfig is the table of what goes wrong between two accounts: how
// each mistake is made in the sandbox, what request meets it, and the error
// that AWS gives for it, by its documentation and by public reports.
//
// The table has two readers. The tests of this package prove that the sandbox
// reproduces every row; the tests of verify prove that each row that a
// destination can suffer from is found. The numbers are those of the project's
// list of failure modes; what happens outside of AWS (no credentials, no
// network, a proxy, propagation) has no row here.
package misconfig
