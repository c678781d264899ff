// Package render prints a report of verify as text, short text, JSON, JUnit, SARIF
// or one HTML page.
//
// Guarantees:
//
//   - Every form is made from the report alone, so that all forms agree.
//   - An undecided check, or a check that was not run, never looks like a passed
//     check. No meaning depends on colour alone.
//   - The text form prints each fix once, and at most ten lines for a destination
//     without a problem. The messages for other administrators are in the text on
//     request only; HTML and JSON always hold them.
//   - The HTML page is one file. The browser sends no request and runs no script,
//     and text from AWS or from a document is escaped.
//   - A writer's error is returned, and no more is written after it.
//
// It makes no decision and no call.
package render
