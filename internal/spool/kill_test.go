package spool_test

// victim is the process that is killed; see TestKill.
func victim(string) {}
