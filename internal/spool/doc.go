// Package spool keeps accepted objects on disk until they are delivered.
//
// Guarantees:
//
//   - When [Spool.Accept] has returned without an error, the object survives
//     kill -9 and power loss: data and name were on the medium before. It stays
//     until its delivery succeeded or an operator dropped it. Neither time nor a
//     quota ever removes accepted data.
//   - An Accept that fails leaves nothing that could be delivered: a body that
//     ends early, a caller that gives up, a checksum that differs, a full disk.
//   - An object is delivered whole, and delivered again only to the same header:
//     the time, name and key that were accepted, never those of the retry. The
//     receipt of a delivery is durable before the data is unlinked, so that a
//     crash in between repeats at most a delivery to the key that is its own.
//   - One bad file harms one object. What recovery cannot read is moved to
//     quarantine and reported; it never stops the start. Damage that is found
//     while an object is read for delivery buries that object, and nothing that
//     failed its checksum is handed out as a whole segment.
//   - Refused access parks a destination: its data is kept, one object at a time
//     probes, and its first success resumes all.
//   - Memory is a small record for each object, whatever its size; bodies take
//     one buffer each. An idle object costs no goroutine.
//
// It refuses file systems that lose data when the machine stops or that do not
// keep the promises of fsync and rename ([UnsafeError]), a directory that others
// may read, and a directory that another daemon uses.
//
// What it does not do: it knows nothing of S3. It is given a Deliver function,
// which says by [awserr.Failure] what an error means.
//
// # On disk
//
//	DIR/lock         flock'ed by the daemon that uses DIR
//	DIR/version      the format; another one is refused
//	DIR/queue/       ULID.tmp   being written; not acknowledged, deleted by recovery
//	                 ULID.obj   accepted: data, then the footer
//	                 ULID.mpu   journal of its multipart upload
//	DIR/receipts/    N.log      one line for each delivery, pruned by age and count
//	DIR/dead/        ULID.obj   waits for an operator, with the reason beside it
//	                 ULID.why
//	DIR/quarantine/  NAME, NAME.why   what recovery could not read
//
// The data begins at offset 0, so that a part is read where it is sent from. The
// footer follows it: header (JSON), a CRC32C for each segment, and a trailer of
// fixed length with the sizes, the CRC32C of the whole and that of the footer.
// A file that is torn anywhere has no valid footer, or not the length it names.
//
// Receipts are lines of a log instead of a file each: many deliveries share one
// fdatasync, and a receipt takes its length and not a block. Each line carries
// its own CRC32C, so that a torn one harms no other. A log is never appended to
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
// An object is PARKED while it is queued and its destination is parked. A crash
// between two steps is settled by recovery: a receipt wins over the data file,
// a dead file with its reason wins over a queued one, anything else is undone.
// Only renames within one directory are relied on; a move between two is a link,
// an fsync and an unlink.
package spool
