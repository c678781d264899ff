// Package watchcmd is `brokerctl watch`: plan, list, retry and skip the files that the
// daemon watches, and deliver them once without a daemon.
package watchcmd
