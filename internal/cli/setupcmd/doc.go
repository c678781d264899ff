// Package setupcmd is `brokerctl setup`: it plans and makes the changes of both
// accounts, takes them out again, creates a key, writes the files for other tools and
// imports an existing arrangement. Apply and remove change an account only after a
// confirmation, on the terminal or by --yes.
//
// It does not verify: the caller of SetupCommand gives the function that does.
package setupcmd
