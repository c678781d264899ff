package s3

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Lifecycle configurations: their form, and the calls that set and return them.

const (
	maxLifecycleRules  = 1000
	minimumSizeHeader  = "x-amz-transition-default-minimum-object-size"
	minimumSizeDefault = "all_storage_classes_128K"
	minimumSizeVaries  = "varies_by_storage_class"
)

// lifecycleConfig is a configuration as it is stored and returned.
type lifecycleConfig struct {
	Rules       []lifecycleRule
	MinimumSize string // of objects that transitions move
}

type lifecycleRule struct {
	ID                   string                `xml:",omitempty"`
	Prefix               *string               `                                     json:",omitempty"` // the older form of Filter
	Filter               *lifecycleFilter      `                                     json:",omitempty"`
	Status               string                `xml:"Status"`
	Expiration           *lifecycleExpiration  `                                     json:",omitempty"`
	Transitions          []lifecycleTransition `xml:"Transition"                     json:",omitempty"`
	NoncurrentExpiration *noncurrentExpiration `xml:"NoncurrentVersionExpiration"    json:",omitempty"`
	NoncurrentMoves      []noncurrentMove      `xml:"NoncurrentVersionTransition"    json:",omitempty"`
	Abort                *abortIncomplete      `xml:"AbortIncompleteMultipartUpload" json:",omitempty"`
}

type lifecycleFilter struct {
	Prefix   *string        `json:",omitempty"`
	Tag      *kernel.TagXML `json:",omitempty"`
	SizeOver *int64         `json:",omitempty" xml:"ObjectSizeGreaterThan"`
	SizeLess *int64         `json:",omitempty" xml:"ObjectSizeLessThan"`
	And      *lifecycleAnd  `json:",omitempty"`
}

type lifecycleAnd struct {
	Prefix   *string         `json:",omitempty"`
	Tags     []kernel.TagXML `json:",omitempty" xml:"Tag"`
	SizeOver *int64          `json:",omitempty" xml:"ObjectSizeGreaterThan"`
	SizeLess *int64          `json:",omitempty" xml:"ObjectSizeLessThan"`
}

type lifecycleExpiration struct {
	Date         *string `json:",omitempty"`
	Days         *int    `json:",omitempty"`
	DeleteMarker *bool   `json:",omitempty" xml:"ExpiredObjectDeleteMarker"`
}

type lifecycleTransition struct {
	Date         *string `json:",omitempty"`
	Days         *int    `json:",omitempty"`
	StorageClass string
}

type noncurrentExpiration struct {
	Days  *int `xml:"NoncurrentDays"          json:",omitempty"`
	Newer *int `xml:"NewerNoncurrentVersions" json:",omitempty"`
}

type noncurrentMove struct {
	Days         *int `xml:"NoncurrentDays"          json:",omitempty"`
	Newer        *int `xml:"NewerNoncurrentVersions" json:",omitempty"`
	StorageClass string
}

type abortIncomplete struct {
	Days *int `xml:"DaysAfterInitiation"`
}

type lifecycleXML struct {
	XMLName xml.Name        `xml:"LifecycleConfiguration"`
	Xmlns   string          `xml:"xmlns,attr,omitempty"`
	Rules   []lifecycleRule `xml:"Rule"`
}

func getLifecycle(c *call, b *bucket) error {
	l := b.conf.Lifecycle
	if l == nil {
		return kernel.Fail(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist").
			With("BucketName", b.name)
	}
	c.Out.Header().Set(minimumSizeHeader, l.MinimumSize)
	return c.writeXML(lifecycleXML{Xmlns: namespace, Rules: l.Rules})
}

func putLifecycle(c *call) error {
	return c.configureDigested(func(b *bucket, data []byte) error {
		var in lifecycleXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		l := &lifecycleConfig{Rules: in.Rules, MinimumSize: c.HTTP.Header.Get(minimumSizeHeader)}
		switch l.MinimumSize {
		case "":
			l.MinimumSize = minimumSizeDefault
		case minimumSizeDefault, minimumSizeVaries:
		default:
			return invalidRequest(
				"TransitionDefaultMinimumObjectSize has invalid value %s. Valid values are %s and %s",
				l.MinimumSize,
				minimumSizeDefault,
				minimumSizeVaries,
			)
		}
		if err := l.check(); err != nil {
			return err
		}
		b.conf.Lifecycle = l
		c.Out.Header().Set(minimumSizeHeader, l.MinimumSize)
		return c.done(http.StatusOK)
	})
}

func deleteLifecycle(c *call, b *bucket) error {
	b.conf.Lifecycle = nil
	return c.done(http.StatusNoContent)
}

// scope is the filter of a rule, in either of its forms.
func (r *lifecycleRule) scope() lifecycleAnd {
	if r.Filter == nil {
		return lifecycleAnd{Prefix: r.Prefix}
	}
	if r.Filter.And != nil {
		return *r.Filter.And
	}
	s := lifecycleAnd{Prefix: r.Filter.Prefix, SizeOver: r.Filter.SizeOver, SizeLess: r.Filter.SizeLess}
	if r.Filter.Tag != nil {
		s.Tags = []kernel.TagXML{*r.Filter.Tag}
	}
	return s
}

func (s *lifecycleAnd) prefix() string {
	if s.Prefix == nil {
		return ""
	}
	return *s.Prefix
}

// covers reports whether an object is within the scope of a rule.
func (s *lifecycleAnd) covers(o *object) bool {
	if !strings.HasPrefix(o.key, s.prefix()) || s.SizeOver != nil && o.size <= *s.SizeOver || s.SizeLess != nil && o.size >= *s.SizeLess {
		return false
	}
	for _, t := range s.Tags {
		if !slices.Contains(o.tags, kernel.Tag(t)) {
			return false
		}
	}
	return true
}

// dueAfter adds days as S3 does: rounded up to the next midnight UTC.
func dueAfter(t time.Time, days int) time.Time {
	due := t.UTC().AddDate(0, 0, days)
	midnight := due.Truncate(24 * time.Hour)
	if midnight.Equal(due) {
		return due
	}
	return midnight.AddDate(0, 0, 1)
}

// abortRule is the rule that will abort an upload first; nil for none.
func (b *bucket) abortRule(u *multipart) (*lifecycleRule, time.Time) {
	var best *lifecycleRule
	var when time.Time
	if b.conf.Lifecycle == nil {
		return nil, when
	}
	for i := range b.conf.Lifecycle.Rules {
		r := &b.conf.Lifecycle.Rules[i]
		scope := r.scope()
		if r.Status != "Enabled" || r.Abort == nil || !strings.HasPrefix(u.key, scope.prefix()) {
			continue
		}
		if due := dueAfter(u.initiated, *r.Abort.Days); best == nil || due.Before(when) {
			best, when = r, due
		}
	}
	return best, when
}

// writeAbortHeaders writes the time at which a rule will abort the upload. The caller holds mu.
func (b *bucket) writeAbortHeaders(h http.Header, u *multipart) {
	if r, when := b.abortRule(u); r != nil {
		h.Set("x-amz-abort-date", kernel.HTTPTime(when))
		h.Set("x-amz-abort-rule-id", r.ID)
	}
}
