// Package spool keeps accepted objects on disk until they are delivered.
//
// Guarantees:
//
//   - When [Spool.Accept] returns without an error, the object survives kill -9
//     and power loss: data and name are on the medium. The object stays until it
//     is delivered or an operator drops it. Neither time nor a quota removes
//     accepted data.
//   - An Accept that fails leaves no object: not for a body that ends early, a
//     caller that gives up, a checksum that differs, or a full disk.
//   - An object is delivered whole. A retry delivers to the header that was
//     accepted: the same time, name and key. The receipt of a delivery is durable
//     before the data is unlinked, so a crash in between causes at most one more
//     delivery, to the same key.
//   - A damaged file harms no other object. Recovery moves it to quarantine,
//     reports it, and goes on. When a delivery finds damage, it moves the object
//     to dead/; a segment whose checksum differs is never handed out whole.
//   - An object whose file cannot be read (wrong owner, I/O error, no descriptor
//     left) stays in place, is counted in [Usage] and listed as [Unreadable], and
//     is read again every ten minutes and at every Retry.
//   - Refused access parks a destination: its objects stay, one object at a time
//     probes, and the first success resumes all.
//   - Memory holds a small record of each object, whatever its size. An idle
//     object needs no goroutine.
//
// The data file of an object is a regular file of the daemon's user or of root. Any
// other file in its place (a link, a named pipe, a file of another user) is unreadable:
// it stays, and is never delivered.
//
// The spool refuses file systems that lose data when the machine stops or that
// do not keep the promises of fsync and rename ([UnsafeError]), a directory that
// others may read, and a directory that another daemon uses.
//
// The spool does not know S3. It is given a Deliver function, whose errors say by
// [Failure] how to go on.
//
// # On disk
//
//	DIR/lock         flock'ed by the daemon that uses DIR
//	DIR/version      the format; any other format is refused
//	DIR/queue/       ULID.tmp   being written, not acknowledged; recovery deletes it
//	                 ULID.obj   accepted: data, then the footer
//	                 ULID.mpu   journal of its multipart upload
//	DIR/receipts/    N.log      one line for each delivery, pruned by age and count
//	DIR/dead/        ULID.obj   dead letter, waits for an operator
//	                 ULID.why   its reason
//	DIR/quarantine/  NAME, NAME.why   damaged files that recovery found
//
// The data begins at offset 0, so that a part is sent from where it is read. The
// footer follows: header (JSON), a CRC32C for each segment, and a trailer of
// fixed length with the sizes, the CRC32C of all data and that of the footer.
// A torn file has no valid footer, or another length than its footer says.
//
// Receipts are lines of a log instead of a file each: many deliveries share one
// fdatasync, and a receipt takes its own length and not a block. Each line carries
// its own CRC32C, so that a torn line harms no other. A log is never appended to
// after a restart.
//
// # States
//
//	           write, footer, fdatasync     rename, fsync queue/
//	ULID.tmp ---------------------------> ------------------------> QUEUED  (acknowledged)
//	                                                                 |   ^
//	                                                          picked |   | Retry, Park, end of Run
//	                                                                 v   |
//	                  link, fsync dead/, unlink                    DELIVERING
//	         DEAD <-------------------------------------------------|
//	          |   ------------> QUEUED (retry by an operator)       | receipt written, fdatasync
//	          |                                                     v
//	          +-> dropped by an operator             unlink <-- DELIVERED (receipt, 24 h)
//
// A queued object is PARKED while its destination is parked. Recovery settles a
// crash between two steps: a receipt wins over the data file, a dead file with its
// reason wins over a queued one, and every other half-done step is undone. A
// rename happens within one directory only; a move between two directories is a
// link, an fsync and an unlink.
//
// # Parts
//
//	directory      the files: paths, group syncs, moves, pending removals
//	writer         one body to one durable file
//	receiptLog     the receipts, on disk
//	index          the records in memory, and the queue of each destination
//	ledger         the bytes that are held, next to the quotas
//	scheduler      the next delivery; retries, parking and pauses
//	claims         at most one call at a time for an id or an idempotency key
//	changes        the calls that wait, and the wake-up of the scheduler
//	unusableFiles  unreadable and quarantined files
//	recoverer      the directory of an earlier process into an empty index
//	events         the calls of the Observer
package spool
