// Package journal remembers the files that a watch has handled.
//
// Guarantees:
//
//   - A record outlives kill -9 as soon as the call returns. A decision of a person
//     ([Log.Skip]) and the first start also outlive a power loss.
//   - A torn or damaged line harms no other line.
//   - One process uses a directory at a time; [ErrInUse] tells another one.
//
// A lost journal loses no file, and makes no second object of a file whose name stayed:
// the identity of a file, and with it its key in the bucket, comes from the file alone. A
// lost journal costs a new read of files that are kept, and forgets a skip, the first start
// of a watch, and the object name of a file that was renamed in the middle of its delivery.
//
// On disk: DIR/lock, flock'ed, and DIR/NAME.log for each watch. A line holds a CRC32C, an
// operation, the id of the file and the object name as JSON.
package journal
