// Package verifypb translates reports of verify to messages of the API and back.
//
// Guarantees: no field is lost, and a value that one end does not know never becomes
// a pass.
package verifypb
