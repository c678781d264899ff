package s3

import (
	"bytes"
	"encoding/xml"
	"net/http"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Configurations that the sandbox does not model: they read as never set, and
// setting them is refused.

// emptyDocument answers with a document that has nothing in it.
func emptyDocument(name string) func(*call, *bucket) error {
	return func(c *call, _ *bucket) error {
		return c.writeXML(struct {
			XMLName xml.Name
			Xmlns   string `xml:"xmlns,attr"`
		}{XMLName: xml.Name{Local: name}, Xmlns: namespace})
	}
}

// emptyList answers with the last page of a list that has no entries.
func emptyList(name string) func(*call, *bucket) error {
	return func(c *call, _ *bucket) error {
		return c.writeXML(struct {
			XMLName     xml.Name
			Xmlns       string `xml:"xmlns,attr"`
			IsTruncated bool
		}{XMLName: xml.Name{Local: name}, Xmlns: namespace})
	}
}

// absent answers that the configuration is not set.
func absent(code, text string) func(*call, *bucket) error {
	return func(c *call, b *bucket) error {
		return kernel.Fail(http.StatusNotFound, code, "%s", text).With("BucketName", b.name)
	}
}

// nothingToDelete answers the deletion of a configuration that is not set.
func nothingToDelete(c *call, _ *bucket) error {
	return c.done(http.StatusNoContent)
}

// unmodelled refuses to set a configuration that would have no effect.
func unmodelled(what string) func(*call, *bucket) error {
	return func(c *call, _ *bucket) error {
		return kernel.NotImplemented(what)
	}
}

// putNotification accepts the document that switches notifications off.
func putNotification(c *call) error {
	return c.configure(maxConfigBody, func(_ *bucket, data []byte) error {
		var in struct {
			XMLName xml.Name `xml:"NotificationConfiguration"`
			Inner   []byte   `xml:",innerxml"`
		}
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if len(bytes.TrimSpace(in.Inner)) > 0 {
			return kernel.NotImplemented("event notifications")
		}
		return c.done(http.StatusOK)
	})
}

func getPolicyStatus(c *call, b *bucket) error {
	if b.policy == nil {
		return noBucketPolicy(b)
	}
	_, doc := c.s.iam.PolicyNow(b.policy)
	return c.writeXML(struct {
		XMLName  xml.Name `xml:"PolicyStatus"`
		Xmlns    string   `xml:"xmlns,attr"`
		IsPublic bool
	}{Xmlns: namespace, IsPublic: doc.Public()})
}

// getABAC answers that tags of the bucket take no part in decisions.
func getABAC(c *call, _ *bucket) error {
	return c.writeXML(struct {
		XMLName xml.Name `xml:"AbacStatus"`
		Xmlns   string   `xml:"xmlns,attr"`
		Status  string
	}{Xmlns: namespace, Status: "Disabled"})
}
