// Package render shows what verify found: as text, in short, as JSON, JUnit,
// SARIF and as one page of HTML.
//
// Guarantees:
//
//   - All forms are made of verify's record and of nothing else: none knows more,
//     or something else, than the others.
//   - What is unknown or was not run never looks like what passed. No meaning
//     hangs on colour alone.
//   - The page is one file that asks for nothing: no request leaves the browser,
//     and no script runs. Whatever AWS or a document says is shown as text.
//   - A writer's error is returned, and nothing is written after it.
//
// It decides nothing, and makes no call.
package render
