package s3

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Object lock: retention, legal holds, and the bucket's default.

const (
	lockGovernance = "GOVERNANCE"
	lockCompliance = "COMPLIANCE"
)

// bucketLock is the object lock of a bucket. Mode is empty without a default retention.
type bucketLock struct {
	Mode        string
	Days, Years int
}

// objectLock is the retention and legal hold of one version.
type objectLock struct {
	Mode  string // empty: no retention
	Until time.Time
	Hold  bool
	// Told reports whether a hold was ever set or cleared: otherwise it reads as absent.
	Told bool
}

func (l objectLock) set() bool { return l.Mode != "" || l.Told }

func (l objectLock) writeHeaders(h http.Header) {
	if l.Mode != "" {
		h.Set("x-amz-object-lock-mode", l.Mode)
		h.Set("x-amz-object-lock-retain-until-date", kernel.ISOTime(l.Until))
	}
	if l.Told {
		h.Set("x-amz-object-lock-legal-hold", holdText(l.Hold))
	}
}

func holdText(on bool) string {
	if on {
		return "ON"
	}
	return "OFF"
}

func parseRetainUntil(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, kernel.InvalidArgument("The retain until date must be provided in ISO 8601 format").
			With("ArgumentName", "x-amz-object-lock-retain-until-date").
			With("ArgumentValue", text)
	}
	return t, nil
}

func missingLockConfiguration() *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Bucket is missing Object Lock Configuration")
}

// headerLock reads the lock headers of a new object, applies the bucket's default, and
// decides the actions that the headers need. The caller holds mu.
func (c *call) headerLock(b *bucket) (objectLock, error) {
	h := c.HTTP.Header
	var l objectLock
	mode, until, hold := h.Get(
		"X-Amz-Object-Lock-Mode",
	), h.Get(
		"X-Amz-Object-Lock-Retain-Until-Date",
	), h.Get(
		"X-Amz-Object-Lock-Legal-Hold",
	)
	if (mode == "") != (until == "") {
		missing := "x-amz-object-lock-retain-until-date"
		if mode == "" {
			missing = "x-amz-object-lock-mode"
		}
		return l, kernel.InvalidArgument("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied").
			With("ArgumentName", missing)
	}
	if (mode != "" || hold != "") && b.lock == nil {
		return l, missingLockConfiguration()
	}
	if mode != "" {
		if mode != lockGovernance && mode != lockCompliance {
			return l, kernel.InvalidArgument("Unknown wormMode directive.").
				With("ArgumentName", "x-amz-object-lock-mode").
				With("ArgumentValue", mode)
		}
		t, err := parseRetainUntil(until)
		if err != nil {
			return l, err
		}
		if !t.After(c.Now) {
			return l, kernel.InvalidArgument("The retain until date must be in the future!").
				With("ArgumentName", "x-amz-object-lock-retain-until-date").
				With("ArgumentValue", until)
		}
		if err := c.allow(b, "s3:PutObjectRetention", c.resource()); err != nil {
			return l, err
		}
		l.Mode, l.Until = mode, t
	} else if b.lock != nil && b.lock.Mode != "" {
		l.Mode, l.Until = b.lock.Mode, c.Now.AddDate(b.lock.Years, 0, b.lock.Days)
	}
	if hold != "" {
		if hold != "ON" && hold != "OFF" {
			return l, kernel.InvalidArgument("Legal Hold must be either of 'ON' or 'OFF'").
				With("ArgumentName", "x-amz-object-lock-legal-hold").
				With("ArgumentValue", hold)
		}
		if err := c.allow(b, "s3:PutObjectLegalHold", c.resource()); err != nil {
			return l, err
		}
		l.Hold, l.Told = hold == "ON", true
	}
	return l, nil
}

func lockedObject() *kernel.Error {
	e := accessDenied()
	e.Message = "Access Denied because object protected by object lock."
	return e
}

// checkBypassHeader refuses to bypass a retention that the bucket cannot have.
func (c *call) checkBypassHeader(b *bucket) error {
	const header = "x-amz-bypass-governance-retention"
	if b.lock == nil && c.HTTP.Header.Get(header) != "" {
		return kernel.InvalidArgument("%s is only applicable to Object Lock enabled buckets.", header).With("ArgumentName", header)
	}
	return nil
}

// bypass reports whether the caller asks to pass governance retention, and may.
func (c *call) bypass(b *bucket) bool {
	return strings.EqualFold(c.HTTP.Header.Get("X-Amz-Bypass-Governance-Retention"), "true") &&
		c.may(b, "s3:BypassGovernanceRetention", c.resource())
}

// checkLocked refuses to remove a version that is protected. The caller holds mu.
func (c *call) checkLocked(b *bucket, o *object) error {
	switch {
	case o.lock.Hold:
		return lockedObject()
	case o.lock.Mode == "" || !c.Now.Before(o.lock.Until):
		return nil
	case o.lock.Mode == lockGovernance && c.bypass(b):
		return nil
	}
	return lockedObject()
}

type lockRuleXML struct {
	DefaultRetention *struct {
		Mode  string
		Days  *int `xml:",omitempty"`
		Years *int `xml:",omitempty"`
	}
}

type lockConfigXML struct {
	XMLName           xml.Name     `xml:"ObjectLockConfiguration"`
	Xmlns             string       `xml:"xmlns,attr,omitempty"`
	ObjectLockEnabled string       `xml:",omitempty"`
	Rule              *lockRuleXML `xml:",omitempty"`
}

func getLockConfiguration(c *call, b *bucket) error {
	if b.lock == nil {
		return kernel.Fail(http.StatusNotFound, "ObjectLockConfigurationNotFoundError",
			"Object Lock configuration does not exist for this bucket").
			With("BucketName", b.name)
	}
	out := lockConfigXML{Xmlns: namespace, ObjectLockEnabled: "Enabled"}
	if b.lock.Mode != "" {
		out.Rule = &lockRuleXML{}
		out.Rule.DefaultRetention = &struct {
			Mode  string
			Days  *int `xml:",omitempty"`
			Years *int `xml:",omitempty"`
		}{Mode: b.lock.Mode}
		if b.lock.Days > 0 {
			out.Rule.DefaultRetention.Days = &b.lock.Days
		} else {
			out.Rule.DefaultRetention.Years = &b.lock.Years
		}
	}
	return c.writeXML(out)
}

func putLockConfiguration(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in lockConfigXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if in.ObjectLockEnabled != "Enabled" {
			return malformedXML()
		}
		lock := &bucketLock{}
		if in.Rule != nil {
			r := in.Rule.DefaultRetention
			if r == nil || (r.Days == nil) == (r.Years == nil) || r.Mode != lockGovernance && r.Mode != lockCompliance {
				return malformedXML()
			}
			lock.Mode = r.Mode
			if r.Days != nil {
				lock.Days = *r.Days
			} else {
				lock.Years = *r.Years
			}
			if lock.Days <= 0 && lock.Years <= 0 {
				return kernel.InvalidArgument("Default retention period must be a positive integer value.")
			}
			if lock.Days > 36500 || lock.Years > 100 {
				return kernel.InvalidArgument("Default retention period too large.")
			}
		}
		if b.versioning != "Enabled" {
			return kernel.Fail(
				http.StatusConflict,
				"InvalidBucketState",
				"Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
			)
		}
		b.lock = lock
		return c.done(http.StatusOK)
	})
}

type retentionXML struct {
	XMLName         xml.Name `xml:"Retention"`
	Xmlns           string   `xml:"xmlns,attr,omitempty"`
	Mode            string   `xml:",omitempty"`
	RetainUntilDate string   `xml:",omitempty"`
}

func noObjectLock() *kernel.Error {
	return kernel.Fail(
		http.StatusNotFound,
		"NoSuchObjectLockConfiguration",
		"The specified object does not have a ObjectLock configuration",
	)
}

func getObjectRetention(c *call, b *bucket) error {
	if b.lock == nil {
		return missingLockConfiguration()
	}
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	if o.lock.Mode == "" {
		return noObjectLock()
	}
	return c.writeXML(retentionXML{Xmlns: namespace, Mode: o.lock.Mode, RetainUntilDate: kernel.ISOTime(o.lock.Until)})
}

func putObjectRetention(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		mode, until, err := c.readRetention(data)
		if err != nil {
			return err
		}
		if b.lock == nil {
			return missingLockConfiguration()
		}
		o, err := c.findVersion(b)
		if err != nil {
			return err
		}
		next := o.lock
		next.Mode, next.Until = mode, until
		if weaker(o.lock, next, c.Now) && (o.lock.Mode == lockCompliance || !c.bypass(b)) {
			return lockedObject()
		}
		o.lock = next
		b.touch(o)
		return c.done(http.StatusOK)
	})
}

// readRetention reads a retention; an empty one removes the present one.
func (c *call) readRetention(data []byte) (mode string, until time.Time, err error) {
	var in retentionXML
	if err := parseXML(data, &in); err != nil {
		return "", until, err
	}
	if in.Mode == "" && in.RetainUntilDate == "" {
		return "", until, nil
	}
	if in.Mode != lockGovernance && in.Mode != lockCompliance {
		return "", until, malformedXML()
	}
	if until, err = time.Parse(time.RFC3339Nano, in.RetainUntilDate); err != nil {
		return "", until, malformedXML()
	}
	if !until.After(c.Now) {
		return "", until, kernel.InvalidArgument("The retain until date must be in the future!")
	}
	return in.Mode, until, nil
}

// weaker reports whether next protects for less time, or less strictly, than a
// retention that is still in force.
func weaker(now, next objectLock, at time.Time) bool {
	if now.Mode == "" || !at.Before(now.Until) {
		return false
	}
	return next.Mode == "" || next.Until.Before(now.Until) || now.Mode != next.Mode
}

type legalHoldXML struct {
	XMLName xml.Name `xml:"LegalHold"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Status  string
}

func getObjectLegalHold(c *call, b *bucket) error {
	if b.lock == nil {
		return missingLockConfiguration()
	}
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	if !o.lock.Told {
		return noObjectLock()
	}
	return c.writeXML(legalHoldXML{Xmlns: namespace, Status: holdText(o.lock.Hold)})
}

func putObjectLegalHold(c *call) error {
	return c.configureMaybe(maxConfigBody, nil, func(b *bucket, data []byte) error {
		var in legalHoldXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if in.Status != "ON" && in.Status != "OFF" {
			return malformedXML()
		}
		if b.lock == nil {
			return missingLockConfiguration()
		}
		o, err := c.findVersion(b)
		if err != nil {
			return err
		}
		o.lock.Hold, o.lock.Told = in.Status == "ON", true
		b.touch(o)
		return c.done(http.StatusOK)
	})
}

// lockContext are the condition keys of the lock headers.
func (c *call) lockContext(ctx map[string][]string) {
	h := c.HTTP.Header
	for header, key := range map[string]string{
		"X-Amz-Object-Lock-Mode": "s3:object-lock-mode", "X-Amz-Object-Lock-Legal-Hold": "s3:object-lock-legal-hold",
		"X-Amz-Object-Lock-Retain-Until-Date": "s3:object-lock-retain-until-date",
	} {
		if v := h.Get(header); v != "" {
			ctx[key] = []string{v}
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, h.Get("X-Amz-Object-Lock-Retain-Until-Date")); err == nil {
		ctx["s3:object-lock-remaining-retention-days"] = []string{strconv.Itoa(int(t.Sub(c.Now).Hours() / 24))}
	}
}
