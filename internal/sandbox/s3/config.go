package s3

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The bucket's configuration: policy, ownership, public access, versioning.

func getBucketPolicy(c *call, b *bucket) error {
	if c.Caller.Account != b.account {
		return methodNotAllowed()
	}
	if b.policy == nil {
		return noBucketPolicy(b)
	}
	text, _ := c.s.iam.PolicyNow(b.policy)
	c.Out.Header().Set("Content-Type", "application/json")
	c.Reply(http.StatusOK)
	_, err := c.Out.Write([]byte(text))
	return err
}

func noBucketPolicy(b *bucket) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist").With("BucketName", b.name)
}

// methodNotAllowed is also the answer to policy calls of other accounts, even of allowed ones.
func methodNotAllowed() *kernel.Error {
	return kernel.Fail(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
}

func malformedPolicy(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "MalformedPolicy", format, args...)
}

func putBucketPolicy(c *call) error {
	check := func(b *bucket) error {
		if c.Caller.Account != b.account {
			return methodNotAllowed()
		}
		return nil
	}
	return c.configureMaybe(maxConfigBody, check, func(b *bucket, data []byte) error {
		if len(data) > maxPolicyText {
			return kernel.Fail(http.StatusBadRequest, "PolicyTooLarge", "Policy exceeds the maximum allowed document size.")
		}
		if err := checkBucketPolicy(data, b.arn()); err != nil {
			return err
		}
		if err := lintBucketPolicy(data); err != nil {
			return err
		}
		p, err := c.s.iam.StorePolicy(string(data))
		if errors.Is(err, iam.ErrInvalidPrincipal) {
			_, what, _ := strings.Cut(err.Error(), ": ")
			return invalidPrincipal(what)
		}
		if err != nil {
			return malformedPolicy("%v", err)
		}
		if block := b.blocked(); block != nil && block.BlockPublicPolicy && p.Doc.Public() {
			e := accessDenied()
			e.Message = "User: " + c.Caller.ARN + " is not authorized to perform: s3:PutBucketPolicy on resource: \"" +
				b.arn() + "\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
			return e
		}
		b.policy = p
		return c.done(http.StatusNoContent)
	})
}

func deleteBucketPolicy(c *call, b *bucket) error {
	if c.Caller.Account != b.account {
		return methodNotAllowed()
	}
	b.policy = nil
	return c.done(http.StatusNoContent)
}

const ownerEnforced = "BucketOwnerEnforced"

func validOwnership(v string) bool {
	return v == ownerEnforced || v == "BucketOwnerPreferred" || v == "ObjectWriter"
}

func aclWithEnforcedOwnership() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"InvalidBucketAclWithObjectOwnership",
		"Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
	)
}

type ownershipXML struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Rules   []struct {
		ObjectOwnership string
	} `xml:"Rule"`
}

func getOwnershipControls(c *call, b *bucket) error {
	if b.ownership == "" {
		return kernel.Fail(http.StatusNotFound, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found").
			With("BucketName", b.name)
	}
	out := ownershipXML{Xmlns: namespace}
	out.Rules = append(out.Rules, struct{ ObjectOwnership string }{b.ownership})
	return c.writeXML(out)
}

func putOwnershipControls(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in ownershipXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if len(in.Rules) != 1 || !validOwnership(in.Rules[0].ObjectOwnership) {
			return malformedXML()
		}
		if in.Rules[0].ObjectOwnership == ownerEnforced && !b.conf.ACL.ownerOnly(b.account) {
			return aclWithEnforcedOwnership()
		}
		b.ownership = in.Rules[0].ObjectOwnership
		return c.done(http.StatusOK)
	})
}

func deleteOwnershipControls(c *call, b *bucket) error {
	b.ownership = ""
	return c.done(http.StatusNoContent)
}

type publicAccessXML struct {
	XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
	Xmlns                 string   `xml:"xmlns,attr,omitempty"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func getPublicAccessBlock(c *call, b *bucket) error {
	if b.block == nil {
		return kernel.Fail(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found").
			With("BucketName", b.name)
	}
	return c.writeXML(publicAccessXML{
		Xmlns: namespace, BlockPublicAcls: b.block.BlockPublicAcls, IgnorePublicAcls: b.block.IgnorePublicAcls,
		BlockPublicPolicy: b.block.BlockPublicPolicy, RestrictPublicBuckets: b.block.RestrictPublicBuckets,
	})
}

func putPublicAccessBlock(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in publicAccessXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		b.block = &iampolicy.PublicAccessBlock{
			BlockPublicAcls: in.BlockPublicAcls, IgnorePublicAcls: in.IgnorePublicAcls,
			BlockPublicPolicy: in.BlockPublicPolicy, RestrictPublicBuckets: in.RestrictPublicBuckets,
		}
		return c.done(http.StatusOK)
	})
}

func deletePublicAccessBlock(c *call, b *bucket) error {
	b.block = nil
	return c.done(http.StatusNoContent)
}

type versioningXML struct {
	XMLName   xml.Name `xml:"VersioningConfiguration"`
	Xmlns     string   `xml:"xmlns,attr,omitempty"`
	Status    string   `xml:",omitempty"`
	MfaDelete string   `xml:",omitempty"`
}

func getVersioning(c *call, b *bucket) error {
	return c.writeXML(versioningXML{Xmlns: namespace, Status: b.versioning})
}

func putVersioning(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in versioningXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if in.MfaDelete == "Enabled" {
			return kernel.NotImplemented("MFA delete")
		}
		if in.Status == "" {
			return kernel.Fail(http.StatusBadRequest, "IllegalVersioningConfigurationException", "The Versioning element must be specified")
		}
		if b.lock != nil && in.Status != "Enabled" {
			return kernel.Fail(
				http.StatusConflict,
				"InvalidBucketState",
				"An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
			)
		}
		if in.Status != "Enabled" && in.Status != "Suspended" {
			return malformedXML()
		}
		b.versioning = in.Status
		return c.done(http.StatusOK)
	})
}
