package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/watch"
)

func TestEveryFailureHasItsScope(t *testing.T) {
	aws := func(class awserr.Class, r reason.Reason, code string) error {
		return &uploader.Error{Op: "s3:PutObject", Reason: r, Info: awserr.Info{Class: class, Code: code}, Err: errors.New("x")}
	}
	for name, tc := range map[string]struct {
		err  error
		want watch.Kind
	}{
		"no memory":                              {uploader.ErrBusy, watch.Busy},
		"a drain":                                {reason.New(reason.Draining, "x"), watch.Busy},
		"a full spool":                           {reason.New(reason.SpoolFull, "x").After(time.Second), watch.Busy},
		"larger than the spool":                  {reason.New(reason.SpoolFull, "x"), watch.RetryFile},
		"the file changed":                       {fmt.Errorf("reading: %w", reason.New(reason.FileChanged, "x")), watch.Changed},
		"the file shrank":                        {reason.New(reason.SizeMismatch, "x"), watch.Changed},
		"an unreadable file":                     {reason.New(reason.FileUnreadable, "x"), watch.RetryFile},
		"a bad name":                             {reason.New(reason.InvalidName, "x"), watch.Dead},
		"a file that is too large, by the limit": {reason.New(reason.ObjectTooLarge, "x"), watch.Dead},
		"a file that is too large, by S3":        {aws(awserr.Invalid, reason.AWSRefused, "EntityTooLarge"), watch.Dead},
		"refused access":                         {aws(awserr.AccessDenied, reason.AccessDenied, "AccessDenied"), watch.Pause},
		"throttling":                             {aws(awserr.Throttle, reason.Throttled, "SlowDown"), watch.Pause},
		"no network":                             {aws(awserr.Network, reason.Network, ""), watch.Pause},
		"an unknown refusal":                     {aws(awserr.Invalid, reason.AWSRefused, "Unheard"), watch.Pause},
		"no session":                             {&broker.Error{Destination: "logs", Denied: true, Err: errors.New("x")}, watch.Pause},
		"a destination that is gone":             {fmt.Errorf("x: %w", broker.ErrUnknownDestination), watch.Pause},
		"a fault of the daemon":                  {errors.New("x"), watch.RetryFile},
	} {
		var f *watch.Failure
		if err := failureOf(t.Context(), tc.err); !errors.As(err, &f) || f.Kind != tc.want || f.Reason == "" {
			t.Errorf("%s: got %+v, want kind %d", name, f, tc.want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := failureOf(ended, uploader.ErrBusy); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: got %v", err)
	}
}
