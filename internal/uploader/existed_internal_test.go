package uploader

import (
	"testing"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
)

// A key that is taken is an earlier success of the same upload, but never where
// the key is fixed: there it is somebody else's object.
func TestATakenKeyIsSuccessOnlyWhereItIsOurs(t *testing.T) {
	taken := &Error{Info: awserr.Info{Class: awserr.Precondition, Code: "PreconditionFailed", HTTPStatus: 412}}
	for name, row := range map[string]struct {
		dest  config.Destination
		blind bool
		err   error
		want  bool
	}{
		"our own key":                        {config.Destination{}, false, taken, true},
		"a fixed key":                        {config.Destination{FixedKey: true}, false, taken, false},
		"another refusal":                    {config.Destination{}, false, &Error{Info: awserr.Info{Class: awserr.AccessDenied}}, false},
		"the lane became blind meanwhile":    {config.Destination{Compatible: true}, true, taken, true},
		"a fixed key of a store that is one": {config.Destination{Compatible: true, FixedKey: true}, true, taken, false},
	} {
		l := &lane{dest: &row.dest}
		l.blind.Store(row.blind)
		d := &delivery{lane: l}
		if got, s := d.existed(row.err, 7, 1); got != row.want || got && (!s.Existed || s.Size != 7) {
			t.Errorf("%s: %v, %+v", name, got, s)
		}
	}
}
