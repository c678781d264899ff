// Package hosts tests the real brokerd and brokerctl under the conditions of real
// hosts: a log whose reader stands still or goes away, a restart as another user, few
// descriptors, a frozen process. Each test stands for a kind of public bug report of
// other uploaders and agents.
//
// The AWS accounts are those of the sandbox.
package hosts
