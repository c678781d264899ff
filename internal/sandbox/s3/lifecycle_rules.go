package s3

import (
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The checks of lifecycle configurations, with S3's errors.

// transitionClasses are where transitions may go.
var transitionClasses = []string{"GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"}

// check validates a configuration and names the rules that have no id.
func (l *lifecycleConfig) check() error {
	if len(l.Rules) == 0 {
		return malformedXML()
	}
	if len(l.Rules) > maxLifecycleRules {
		return invalidRequest("The number of lifecycle rules must not exceed the allowed limit of %d rules", maxLifecycleRules)
	}
	ids := map[string]bool{}
	for i := range l.Rules {
		r := &l.Rules[i]
		if r.ID == "" {
			r.ID = kernel.NewHex(24)
		}
		if len(r.ID) > 255 {
			return kernel.InvalidArgument("ID length should not exceed allowed limit of 255")
		}
		if ids[r.ID] {
			return kernel.InvalidArgument("Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.ID] = true
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *lifecycleRule) check() error {
	if r.Status != "Enabled" && r.Status != "Disabled" || (r.Filter == nil) == (r.Prefix == nil) {
		return malformedXML()
	}
	if r.Expiration == nil && r.Transitions == nil && r.NoncurrentExpiration == nil && r.NoncurrentMoves == nil && r.Abort == nil {
		return invalidRequest("At least one action needs to be specified in a rule")
	}
	for _, check := range []func() error{r.checkFilter, r.checkExpiration, r.checkTransitions, r.checkNoncurrent, r.checkAbort} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// count returns the number of true values.
func count(present ...bool) int {
	n := 0
	for _, p := range present {
		if p {
			n++
		}
	}
	return n
}

func (r *lifecycleRule) checkFilter() error {
	s := r.scope()
	if f := r.Filter; f != nil {
		if count(f.Prefix != nil, f.Tag != nil, f.SizeOver != nil, f.SizeLess != nil, f.And != nil) > 1 {
			return malformedXML()
		}
		if f.And != nil && count(s.Prefix != nil, s.SizeOver != nil, s.SizeLess != nil)+len(s.Tags) < 2 {
			return malformedXML()
		}
	}
	if len(s.prefix()) > maxKeyLength {
		return invalidRequest("The maximum size of a prefix is %d", maxKeyLength)
	}
	if s.SizeOver != nil && *s.SizeOver < 0 || s.SizeLess != nil && *s.SizeLess < 1 {
		return invalidRequest("Object size filters must be positive integers")
	}
	if s.SizeOver != nil && s.SizeLess != nil && *s.SizeLess <= *s.SizeOver {
		return invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	var tags []kernel.Tag
	for _, t := range s.Tags {
		if slices.ContainsFunc(tags, func(o kernel.Tag) bool { return o.Key == t.Key }) {
			return invalidRequest("Duplicate Tag Keys are not allowed.")
		}
		if t.Key == "" || len([]rune(t.Key)) > kernel.MaxTagKey {
			return kernel.InvalidArgument("The TagKey you have provided is invalid")
		}
		if len([]rune(t.Value)) > kernel.MaxTagValue {
			return kernel.InvalidArgument("The TagValue you have provided is invalid")
		}
		tags = append(tags, kernel.Tag(t))
	}
	return nil
}

// text is how S3 names a rule's filter in its answers.
func (s *lifecycleAnd) text() string {
	parts := []string{"prefix=" + s.prefix()}
	for _, t := range s.Tags {
		parts = append(parts, "tag="+t.Key+"="+t.Value)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// checkDate refuses a time that is not midnight UTC.
func checkDate(text string) error {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		if t, err = time.Parse("2006-01-02", text); err != nil {
			return malformedXML()
		}
	}
	if !t.Equal(t.UTC().Truncate(24 * time.Hour)) {
		return kernel.InvalidArgument("'Date' must be at midnight GMT")
	}
	return nil
}

func (r *lifecycleRule) checkExpiration() error {
	e := r.Expiration
	if e == nil {
		return nil
	}
	s := r.scope()
	switch {
	case count(e.Date != nil, e.Days != nil, e.DeleteMarker != nil) != 1:
		return malformedXML()
	case e.Days != nil && *e.Days <= 0:
		return kernel.InvalidArgument("'Days' for Expiration action must be a positive integer")
	case e.DeleteMarker != nil && len(s.Tags) > 0:
		return invalidRequest("ExpiredObjectDeleteMarker cannot be specified with Tags.")
	case e.Date != nil:
		return checkDate(*e.Date)
	}
	return nil
}

func (r *lifecycleRule) checkTransitions() error {
	s := r.scope()
	seen := map[string]bool{}
	for _, t := range r.Transitions {
		if (t.Date == nil) == (t.Days == nil) || !slices.Contains(transitionClasses, t.StorageClass) {
			return malformedXML()
		}
		if seen[t.StorageClass] {
			return invalidRequest("'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter '%s'", s.text())
		}
		seen[t.StorageClass] = true
		e := r.Expiration
		if e != nil && (e.Days != nil && t.Date != nil || e.Date != nil && t.Days != nil) {
			return invalidRequest(
				"Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter '%s'",
				s.text(),
			)
		}
		if t.Date != nil {
			if err := checkDate(*t.Date); err != nil {
				return err
			}
			if e != nil && e.Date != nil && *e.Date <= *t.Date {
				return kernel.InvalidArgument(
					"'Date' in the Expiration action for filter '%s' must be later than 'Date' in the Transition action",
					s.text(),
				)
			}
			continue
		}
		switch {
		case *t.Days < 0:
			return kernel.InvalidArgument("'Days' in Transition action must be nonnegative")
		case *t.Days < 30 && strings.HasSuffix(t.StorageClass, "_IA"):
			return kernel.InvalidArgument(
				"'Days' in Transition action must be greater than or equal to 30 for storageClass '%s'",
				t.StorageClass,
			)
		case e != nil && e.Days != nil && *e.Days <= *t.Days:
			return kernel.InvalidArgument(
				"'Days' in the Expiration action for filter '%s' must be greater than 'Days' in the Transition action",
				s.text(),
			)
		}
	}
	return nil
}

func (r *lifecycleRule) checkNoncurrent() error {
	newer := func(n *int) error {
		if n != nil && (*n < 1 || *n > 100) {
			return kernel.InvalidArgument("'NewerNoncurrentVersions' must be an integer between 1 and 100")
		}
		if n != nil && r.Filter == nil {
			return malformedXML()
		}
		return nil
	}
	e := r.NoncurrentExpiration
	if e != nil {
		if e.Days == nil {
			return malformedXML()
		}
		if *e.Days <= 0 {
			return kernel.InvalidArgument("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
		}
		if err := newer(e.Newer); err != nil {
			return err
		}
	}
	s := r.scope()
	for _, m := range r.NoncurrentMoves {
		if m.Days == nil || !slices.Contains(transitionClasses, m.StorageClass) {
			return malformedXML()
		}
		switch {
		case *m.Days < 0:
			return kernel.InvalidArgument("'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative")
		case *m.Days < 30 && strings.HasSuffix(m.StorageClass, "_IA"):
			return kernel.InvalidArgument(
				"'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to 30 for storageClass '%s'",
				m.StorageClass,
			)
		case e != nil && *e.Days <= *m.Days:
			return kernel.InvalidArgument(
				"'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '%s' must be greater than 'NoncurrentDays' in the "+
					"NoncurrentVersionTransition action",
				s.text(),
			)
		}
		if err := newer(m.Newer); err != nil {
			return err
		}
	}
	return nil
}

func (r *lifecycleRule) checkAbort() error {
	if r.Abort == nil {
		return nil
	}
	s := r.scope()
	switch {
	case r.Abort.Days == nil:
		return malformedXML()
	case *r.Abort.Days <= 0:
		return kernel.InvalidArgument("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
	case len(s.Tags) > 0:
		return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Tags.")
	case s.SizeOver != nil || s.SizeLess != nil:
		return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Object Size.")
	}
	return nil
}
