package uploader

import (
	"testing"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
)

// An existing key is an earlier success of the same upload. A fixed key is not: there
// the object is another one.
func TestATakenKeyIsSuccessOnlyWhereItIsOurs(t *testing.T) {
	taken := &Error{Info: awserr.Info{Class: awserr.Precondition, Code: "PreconditionFailed", HTTPStatus: 412}}
	for name, row := range map[string]struct {
		cfg         config.Destination
		unsupported bool // the destination has stopped sending the condition
		err         error
		want        bool
	}{
		"a key with the upload's id":          {config.Destination{}, false, taken, true},
		"a fixed key":                         {config.Destination{FixedKey: true}, false, taken, false},
		"another refusal":                     {config.Destination{}, false, &Error{Info: awserr.Info{Class: awserr.AccessDenied}}, false},
		"the condition was dropped meanwhile": {config.Destination{Compatible: true}, true, taken, true},
		"a fixed key, without conditions":     {config.Destination{Compatible: true, FixedKey: true}, true, taken, false},
	} {
		to := &destination{cfg: &row.cfg}
		to.noConditionalWrites.Store(row.unsupported)
		tr := &transfer{to: to}
		if got, s := tr.existed(row.err, 7, 1); got != row.want || got && (!s.Existed || s.Size != 7) {
			t.Errorf("%s: %v, %+v", name, got, s)
		}
	}
}
