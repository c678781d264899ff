package s3

import (
	"encoding/xml"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// CreateBucket: the name, the Region, and the settings that it takes.

var (
	bucketNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	// S3 keeps these for itself (S3 User Guide, bucketnamingrules.html).
	reservedPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	reservedSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

func validBucketName(name string) bool {
	return bucketNamePattern.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil &&
		!slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) &&
		!slices.ContainsFunc(reservedSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

type createBucketXML struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Location           *struct{}
	Bucket             *struct{}
	Tags               []kernel.TagXML `xml:"Tags>Tag"`
}

// place returns the Region of a new bucket.
func (c *call) place(constraint string) (string, error) {
	signed := c.Region()
	region := constraint
	if region == "EU" {
		region = "eu-west-1" // the constraint's name from before Regions had names
	}
	invalid := func() error {
		return kernel.Fail(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid").
			With("LocationConstraint", constraint)
	}
	switch {
	case region == "us-east-1":
		return "", invalid()
	case region == "" && signed == "us-east-1":
		return signed, nil
	case region == "":
		return "", kernel.Fail(
			http.StatusBadRequest,
			"IllegalLocationConstraintException",
			"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
		)
	case signed != "us-east-1" && signed != region:
		return "", kernel.Fail(
			http.StatusBadRequest,
			"IllegalLocationConstraintException",
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.",
			constraint,
		)
	}
	if !kernel.RegionPattern.MatchString(region) {
		return "", invalid()
	}
	return region, nil
}

func (c *call) readCreateBucket() (createBucketXML, error) {
	var conf createBucketXML
	data, err := c.control(maxConfigBody)
	if err != nil {
		return conf, err
	}
	if len(data) > 0 {
		if err := parseXML(data, &conf); err != nil {
			return conf, err
		}
	}
	if conf.Location != nil || conf.Bucket != nil {
		return conf, kernel.NotImplemented("directory buckets")
	}
	return conf, nil
}

func createBucket(c *call) error {
	conf, err := c.readCreateBucket()
	if err != nil {
		return err
	}
	if c.Caller.Kind == kernel.Anonymous {
		return accessDenied()
	}
	if !validBucketName(c.bucketName) {
		return kernel.Fail(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.").
			With("BucketName", c.bucketName)
	}
	region, err := c.place(conf.LocationConstraint)
	if err != nil {
		return err
	}
	w := c.s
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := c.newBucket(region, conf)
	if err != nil {
		return err
	}
	if err := c.allowCreateBucket(b, conf.LocationConstraint); err != nil {
		return err
	}
	location := "/" + c.bucketName
	if region != "us-east-1" {
		location = "http://" + c.bucketName + ".s3.amazonaws.com/"
	}
	c.Out.Header().Set("Location", location)
	c.Out.Header().Set("x-amz-bucket-arn", b.arn())
	if old := w.buckets[c.bucketName]; old != nil {
		switch {
		case old.account != c.Caller.Account:
			return kernel.Fail(http.StatusConflict, "BucketAlreadyExists",
				"The requested bucket name is not available. The bucket namespace is shared by all users of the system. "+
					"Please select a different name and try again.").
				With("BucketName", c.bucketName)
		case old.region != "us-east-1" || region != "us-east-1" || len(conf.Tags) > 0:
			return kernel.Fail(http.StatusConflict, "BucketAlreadyOwnedByYou",
				"Your previous request to create the named bucket succeeded and you already own it.").
				With("BucketName", c.bucketName)
		}
		// us-east-1 accepts a bucket that the caller has already, and resets its list.
		if old.ownership != ownerEnforced {
			old.conf.ACL = nil
		}
		return c.done(http.StatusOK)
	}
	w.buckets[c.bucketName] = b
	return c.done(http.StatusOK)
}

// newBucket makes the bucket that the request describes. The caller holds mu.
func (c *call) newBucket(region string, conf createBucketXML) (*bucket, error) {
	ownership := ownerEnforced
	if given, ok := c.HTTP.Header["X-Amz-Object-Ownership"]; ok {
		ownership = given[0]
	}
	if !validOwnership(ownership) {
		return nil, kernel.InvalidArgument("Invalid x-amz-object-ownership header: %s", ownership).
			With("ArgumentName", "x-amz-object-ownership")
	}
	b := &bucket{
		s: c.s, name: c.bucketName, region: region, account: c.Caller.Account, created: c.Now,
		encryption: bucketEncryption{algorithm: sseS3}, ownership: ownership,
		block: &iampolicy.PublicAccessBlock{
			BlockPublicAcls:       true,
			IgnorePublicAcls:      true,
			BlockPublicPolicy:     true,
			RestrictPublicBuckets: true,
		},
		versions: map[string][]*object{}, uploads: map[string]*multipart{},
	}
	if conf.LocationConstraint == "EU" {
		b.conf.Location = conf.LocationConstraint
	}
	for _, t := range conf.Tags {
		b.conf.Tags = append(b.conf.Tags, kernel.Tag(t))
	}
	if err := checkTags(b.conf.Tags, maxBucketTags); err != nil {
		return nil, err
	}
	l, err := c.headersACL(b.account, "")
	switch {
	case err != nil:
		return nil, err
	case ownership == ownerEnforced && !l.ownerOnly(b.account):
		return nil, aclWithEnforcedOwnership()
	case l.public():
		// New buckets block public lists from the start.
		return nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidBucketAclWithBlockPublicAccessError",
			"Bucket cannot have public ACLs set with BlockPublicAccess enabled",
		)
	}
	b.conf.ACL = l
	switch v := c.HTTP.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"); {
	case strings.EqualFold(v, "true"):
		b.lock, b.versioning = &bucketLock{}, "Enabled"
	case v != "" && !strings.EqualFold(v, "false"):
		return nil, kernel.InvalidArgument("Bucket Object Lock Enabled must be either of 'true' or 'false'").
			With("ArgumentName", "x-amz-bucket-object-lock-enabled").
			With("ArgumentValue", v)
	}
	return b, nil
}

// allowCreateBucket decides s3:CreateBucket and the actions that the request's settings
// need (API reference of CreateBucket, permissions). The caller holds mu.
func (c *call) allowCreateBucket(b *bucket, constraint string) error {
	ctx := c.conditionContext(b.account, b.region)
	if constraint != "" {
		ctx["s3:LocationConstraint"] = []string{constraint}
	}
	var keys []string
	for _, t := range b.conf.Tags {
		ctx["aws:RequestTag/"+t.Key] = []string{t.Value}
		keys = append(keys, t.Key)
	}
	if keys != nil {
		ctx["aws:TagKeys"] = keys
	}
	h := c.HTTP.Header
	actions := []string{"s3:CreateBucket"}
	if acl := h.Get("X-Amz-Acl"); hasGrantHeader(h) || acl != "" && acl != "private" {
		actions = append(actions, "s3:PutBucketAcl")
	}
	if h.Get("X-Amz-Object-Ownership") != "" {
		actions = append(actions, "s3:PutBucketOwnershipControls")
	}
	if b.lock != nil {
		actions = append(actions, "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
	}
	if keys != nil {
		actions = append(actions, "s3:TagResource")
	}
	for _, action := range actions {
		if e := c.s.k.Authorize(c.Request, kernel.Access{
			Caller: c.Caller, Action: action, Resource: c.resource(), Owner: c.Caller.Account, Context: ctx,
		}); e != nil {
			return e
		}
	}
	return nil
}
