// Package hostile attacks the real brokerd as other users, containers and networks, and
// checks that no attack gets in.
//
// The package needs root: it starts the daemon as a user of its own, and each attack as a
// process of another user, with real groups, namespaces and sockets. Without root it
// skips, and says so.
//
//	go test ./test/hostile -v                       every attack that takes seconds
//	BROKERD_HOSTILE=all go test ./test/hostile -v   the slow ones as well
//	go test ./test/hostile -v -run TestHostile/identity
//	BROKERD_SOAK=1h go test ./test/hostile -v -timeout 2h -run TestAllAtOnce
//
// The users are: the daemon's; alice and bob, who have a rule and a destination each
// (audit-logs and dumps); mallory, who may connect but has no rule; and eve, who may not
// connect. While an attack stands, alice uploads without a pause, and the table shows how
// long she waited.
//
// An attack gets in when it passes a refusal that its user should meet, when an upload of alice
// fails or takes longer than 10 s, or when the daemon ends. Each attack is a row of a
// table in a file of its area. The table in docs/threat-model.md counts the same rows.
//
// To add an area: write areaname_test.go with a function that returns a []Attack, and add
// it to areas in areas_test.go. The Try function runs in a process of the attacker: it
// sees a Target, and nothing of the test's memory.
package hostile
