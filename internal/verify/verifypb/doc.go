// Package verifypb carries what verify found over the API, both ways: nothing is
// lost, and what one end does not know never becomes a pass.
package verifypb
