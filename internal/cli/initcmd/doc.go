// Package initcmd is `brokerctl init`: the dialogue, the file that it writes, and
// the look at AWS afterwards. It changes nothing on AWS; in a sandbox it makes
// the key and the user that the answers name.
package initcmd
