// Package monitor verifies the daemon's destinations by itself: each one soon
// after the start, and again from time to time.
//
// Guarantees:
//
//   - An interval of 0 means never: nothing runs, no timer wakes the process.
//   - Times are spread by chance, by up to a tenth of the interval, so that neither
//     the destinations of one daemon nor many daemons ask AWS at the same moment.
//   - A destination is verified once at a time, and few of them at once.
//   - The observer hears of a change, and of the first result, once each; a result
//     that is like the one before is no event.
//   - What could not be verified is unknown. It is never what was found before.
//
// It decides nothing: what a result means for health, log and metrics is the
// observer's.
package monitor
