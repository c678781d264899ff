package s3

import (
	"encoding/xml"
	"net/http"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Server access logging: the target of the logs, which are not written.

// loggingTarget is the stored configuration.
type loggingTarget struct {
	Bucket    string
	Prefix    string
	Grants    []grant `json:",omitempty"`
	KeyFormat string  `json:",omitempty"` // SimplePrefix, EventTime or DeliveryTime; empty: not told
}

const simplePrefix = "SimplePrefix"

type loggingXML struct {
	XMLName xml.Name           `xml:"BucketLoggingStatus"`
	Xmlns   string             `xml:"xmlns,attr,omitempty"`
	Enabled *loggingEnabledXML `xml:"LoggingEnabled"`
}

type loggingEnabledXML struct {
	TargetBucket string
	TargetPrefix *string
	Grants       *logGrantsXML  `xml:"TargetGrants"`
	Format       *logKeyFormats `xml:"TargetObjectKeyFormat"`
}

type logGrantsXML struct {
	Grants []grantXML `xml:"Grant"`
}

type logKeyFormats struct {
	Simple      *struct{}           `xml:"SimplePrefix"`
	Partitioned *partitionedLogKeys `xml:"PartitionedPrefix"`
}

type partitionedLogKeys struct{ PartitionDateSource string }

func getBucketLogging(c *call, b *bucket) error {
	out := loggingXML{Xmlns: namespace}
	if l := b.conf.Logging; l != nil {
		out.Enabled = &loggingEnabledXML{TargetBucket: l.Bucket, TargetPrefix: &l.Prefix}
		if len(l.Grants) > 0 {
			out.Enabled.Grants = &logGrantsXML{grantsXML(l.Grants)}
		}
		switch l.KeyFormat {
		case "":
		case simplePrefix:
			out.Enabled.Format = &logKeyFormats{Simple: &struct{}{}}
		default:
			out.Enabled.Format = &logKeyFormats{Partitioned: &partitionedLogKeys{l.KeyFormat}}
		}
	}
	return c.writeXML(out)
}

func putBucketLogging(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in loggingXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if in.Enabled == nil {
			b.conf.Logging = nil
			return c.done(http.StatusOK)
		}
		// The type of a grantee is in an attribute, for which reading needs another type.
		var read struct {
			Grants []granteeReadXML `xml:"LoggingEnabled>TargetGrants>Grant"`
		}
		if err := parseXML(data, &read); err != nil {
			return err
		}
		l, err := c.loggingTo(b, in.Enabled, read.Grants)
		if err != nil {
			return err
		}
		b.conf.Logging = l
		return c.done(http.StatusOK)
	})
}

func badLoggingTarget(text, target string) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidTargetBucketForLogging", "%s", text).With("TargetBucket", target)
}

// loggingTo checks a target. The caller holds mu.
func (c *call) loggingTo(b *bucket, in *loggingEnabledXML, grants []granteeReadXML) (*loggingTarget, error) {
	if in.TargetBucket == "" || in.TargetPrefix == nil {
		return nil, malformedXML()
	}
	target := c.s.buckets[in.TargetBucket]
	switch {
	case target == nil:
		return nil, badLoggingTarget("The target bucket for logging does not exist", in.TargetBucket)
	case target.account != b.account:
		return nil, badLoggingTarget("The owner for the bucket to be logged and the target bucket must be the same.", in.TargetBucket)
	case target.region != b.region:
		// The spelling is S3's.
		return nil, kernel.Fail(http.StatusForbidden, "CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ").
			With("TargetBucketLocation", target.region).With("SourceBucketLocation", b.region)
	}
	l := &loggingTarget{Bucket: in.TargetBucket, Prefix: *in.TargetPrefix}
	for _, g := range grants {
		one, err := c.readGrant(g)
		if err != nil {
			return nil, err
		}
		l.Grants = append(l.Grants, one)
	}
	if len(l.Grants) > 0 && target.ownership == ownerEnforced {
		return nil, aclNotSupported()
	}
	if f := in.Format; f != nil {
		switch {
		case (f.Simple == nil) == (f.Partitioned == nil):
			return nil, malformedXML()
		case f.Simple != nil:
			l.KeyFormat = simplePrefix
		case f.Partitioned.PartitionDateSource != "EventTime" && f.Partitioned.PartitionDateSource != "DeliveryTime":
			return nil, malformedXML()
		default:
			l.KeyFormat = f.Partitioned.PartitionDateSource
		}
	}
	return l, nil
}
