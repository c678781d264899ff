package sandbox

import (
	"bytes"
	"encoding/xml"
	"net/http"
)

// Configurations that the sandbox does not model: they read as never set, and
// setting them is refused.

// emptyDocument answers with a document that has nothing in it.
func emptyDocument(name string) func(*s3Call, *bucket) error {
	return func(c *s3Call, _ *bucket) error {
		return c.writeXML(struct {
			XMLName xml.Name
			Xmlns   string `xml:"xmlns,attr"`
		}{XMLName: xml.Name{Local: name}, Xmlns: s3Namespace})
	}
}

// emptyList answers with the last page of a list that has no entries.
func emptyList(name string) func(*s3Call, *bucket) error {
	return func(c *s3Call, _ *bucket) error {
		return c.writeXML(struct {
			XMLName     xml.Name
			Xmlns       string `xml:"xmlns,attr"`
			IsTruncated bool
		}{XMLName: xml.Name{Local: name}, Xmlns: s3Namespace})
	}
}

// absent answers that there is none.
func absent(code, text string) func(*s3Call, *bucket) error {
	return func(c *s3Call, b *bucket) error {
		return fail(http.StatusNotFound, code, "%s", text).with("BucketName", b.name)
	}
}

// nothingToDelete answers as S3 does when there is nothing to remove.
func nothingToDelete(c *s3Call, _ *bucket) error {
	return c.done(http.StatusNoContent)
}

// unmodelled refuses to set what would have no effect.
func unmodelled(what string) func(*s3Call, *bucket) error {
	return func(c *s3Call, _ *bucket) error {
		return notImplemented(what)
	}
}

// putNotification accepts the document that switches notifications off.
func putNotification(c *s3Call) error {
	return c.configure(maxConfigBody, func(_ *bucket, data []byte) error {
		var in struct {
			XMLName xml.Name `xml:"NotificationConfiguration"`
			Inner   []byte   `xml:",innerxml"`
		}
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if len(bytes.TrimSpace(in.Inner)) > 0 {
			return notImplemented("event notifications")
		}
		return c.done(http.StatusOK)
	})
}

func getPolicyStatus(c *s3Call, b *bucket) error {
	if b.policy == nil {
		return noBucketPolicy(b)
	}
	_, doc := c.s.iam.policyNow(b.policy)
	return c.writeXML(struct {
		XMLName  xml.Name `xml:"PolicyStatus"`
		Xmlns    string   `xml:"xmlns,attr"`
		IsPublic bool
	}{Xmlns: s3Namespace, IsPublic: doc.Public()})
}

// getABAC tells that tags of the bucket do not take part in decisions.
func getABAC(c *s3Call, _ *bucket) error {
	return c.writeXML(struct {
		XMLName xml.Name `xml:"AbacStatus"`
		Xmlns   string   `xml:"xmlns,attr"`
		Status  string
	}{Xmlns: s3Namespace, Status: "Disabled"})
}
