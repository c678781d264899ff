// Package spoolcmd is `brokerctl spool`: list, show, retry, export and drop the
// objects that wait on the daemon's disk.
package spoolcmd
