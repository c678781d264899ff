// Package policycmd is `brokerctl policy`: decide, lint and explain policies
// without a network.
package policycmd
