package s3

import (
	"encoding/xml"
	"net/http"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Request payment.

type paymentXML struct {
	XMLName xml.Name `xml:"RequestPaymentConfiguration"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Payer   string
}

const (
	payerOwner     = "BucketOwner"
	payerRequester = "Requester"
)

func getRequestPayment(c *call, b *bucket) error {
	out := paymentXML{Xmlns: namespace, Payer: payerOwner}
	if b.conf.RequesterPays {
		out.Payer = payerRequester
	}
	return c.writeXML(out)
}

func putRequestPayment(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in paymentXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if in.Payer != payerOwner && in.Payer != payerRequester {
			return malformedXML()
		}
		b.conf.RequesterPays = in.Payer == payerRequester
		return c.done(http.StatusOK)
	})
}

// checkPayer refuses callers of other accounts that do not state that they pay, and anonymous
// callers. The caller holds mu.
func (c *call) checkPayer(b *bucket) error {
	if !b.conf.RequesterPays || c.Caller.Account == b.account {
		return nil
	}
	told := c.HTTP.Header.Get("X-Amz-Request-Payer") == "requester" || c.HTTP.URL.Query().Get("x-amz-request-payer") == "requester"
	if !told || c.Caller.Kind == kernel.Anonymous {
		return accessDenied()
	}
	c.Out.Header().Set("x-amz-request-charged", "requester")
	return nil
}
