package sandbox

import (
	"encoding/xml"
	"net/http"
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

func getRequestPayment(c *s3Call, b *bucket) error {
	out := paymentXML{Xmlns: s3Namespace, Payer: payerOwner}
	if b.conf.RequesterPays {
		out.Payer = payerRequester
	}
	return c.writeXML(out)
}

func putRequestPayment(c *s3Call) error {
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

// checkPayer refuses callers from outside who do not say that they pay; nobody
// can be charged for an anonymous call. The caller holds mu.
func (c *s3Call) checkPayer(b *bucket) error {
	if !b.conf.RequesterPays || c.caller.account == b.account {
		return nil
	}
	told := c.r.Header.Get("X-Amz-Request-Payer") == "requester" || c.r.URL.Query().Get("x-amz-request-payer") == "requester"
	if !told || c.caller.kind == anonymous {
		return accessDenied()
	}
	c.w.Header().Set("x-amz-request-charged", "requester")
	return nil
}
