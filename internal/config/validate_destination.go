package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

var (
	destinationName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	accountID       = regexp.MustCompile(`^[0-9]{12}$`)
	regionName      = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$`)
	anyRegion       = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	roleResource    = entity{regexp.MustCompile(`^role/([\x21-\x7e]+/)?[A-Za-z0-9_+=,.@-]{1,64}$`)}
	keyResource     = regexp.MustCompile(`^key/[0-9A-Za-z][0-9A-Za-z-]{0,127}$`)
	bucketName      = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	externalID      = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]+$`)
	sessionName     = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)
	tagText         = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)
)

func (v *validator) destination(d *Destination) {
	path := "destinations." + d.Name
	if !destinationName.MatchString(d.Name) {
		v.fail(path, "this is not a destination name", "1 to 64 characters of a-z 0-9 . _ -, beginning with a letter or digit")
	}
	if v.faulty[path] {
		return
	}
	region := v.region(path+".region", d)
	v.bucket(path+".bucket", d.Bucket)
	if !accountID.MatchString(d.Owner) && (d.Owner != "" || !d.Compatible) {
		v.fail(
			path+".owner",
			fmt.Sprintf("%q is not an account", d.Owner),
			"write the 12 digits of the bucket owner's account, in quotes: \"444455556666\"",
		)
	}
	if d.Compatible {
		v.compatibleRole(path+".role", d)
	} else {
		v.role(path+".role", d.Role, region)
	}
	v.chain(path+".chain", d, region)
	v.kmsKey(path+".kms_key", d, region)
	v.key(path+".key", d)
	if all := []string{DurabilityDirect, DurabilitySpool, DurabilitySpoolWait}; !slices.Contains(all, d.Durability) {
		v.fail(path+".durability", fmt.Sprintf("unknown durability %q", d.Durability), didYouMean(d.Durability, "durabilities", all))
	}
	v.sizeWithin(path+".part_size", d.PartSize, 5*MiB, 64*MiB)
	if d.PartSize <= 64*MiB && v.cfg.Memory.Max >= leastMemory && 2*d.PartSize > v.cfg.Memory.Max {
		v.fail(path+".part_size", fmt.Sprintf("two parts of %v do not fit into memory.max of %v", d.PartSize, v.cfg.Memory.Max),
			fmt.Sprintf("make part_size at most %v, or memory.max at least %v", v.cfg.Memory.Max/2, 2*d.PartSize))
	}
	if d.Concurrency < 1 || d.Concurrency > 64 {
		v.fail(path+".concurrency", fmt.Sprintf("%d is out of range", d.Concurrency), "from 1 to 64")
	}
	v.session(path+".session", d.Session)
	v.sourceFits(path, d)
	v.endpoints(path+".endpoints", d.Endpoints)
	v.profile(path+".profile", d.Profile)
	v.reach(path, d)
	v.objects(path, d)
}

// region returns the Region when it is well-formed, else "".
func (v *validator) region(path string, d *Destination) string {
	if regionName.MatchString(d.Region) || (d.Compatible && anyRegion.MatchString(d.Region)) {
		return d.Region
	}
	message := fmt.Sprintf("%q is not a Region", d.Region)
	if d.Region == "" {
		message = "the Region of the bucket is missing"
	}
	v.fail(path, message, "for example eu-west-1")
	return ""
}

// partitionOf derives the partition from a Region's name, as AWS SDKs do.
func partitionOf(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-iso-", "aws-iso"},
		{"us-isob-", "aws-iso-b"}, {"eu-isoe-", "aws-iso-e"}, {"us-isof-", "aws-iso-f"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}

func (v *validator) bucket(path, bucket string) {
	const hint = "3 to 63 characters of a-z 0-9 . -, such as tenant-s3-test-bucket"
	if strings.HasPrefix(bucket, "arn:") || strings.HasPrefix(bucket, "s3://") {
		v.fail(path, fmt.Sprintf("%q is not a bucket name", bucket), "write the name alone, without arn:aws:s3::: or s3://")
		return
	}
	if !bucketName.MatchString(bucket) || strings.Contains(bucket, "..") || net.ParseIP(bucket) != nil {
		v.fail(path, fmt.Sprintf("%q is not a bucket name", bucket), hint)
		return
	}
	for _, p := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(bucket, p) {
			v.fail(path, fmt.Sprintf("%q: S3 reserves names that begin with %s", bucket, p), hint)
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(bucket, s) {
			v.fail(
				path,
				fmt.Sprintf("%q ends with %s: access points and directory buckets are not supported", bucket, s),
				"name a general purpose bucket",
			)
		}
	}
}

func (v *validator) compatibleRole(path string, d *Destination) {
	if d.Role != "" && (!strings.HasPrefix(d.Role, "arn:") || unprintable(d.Role)) {
		v.fail(
			path,
			fmt.Sprintf("%q is not an ARN", d.Role),
			"leave it out, or write what the store's AssumeRole takes, such as arn:minio:iam:::role/x",
		)
	}
}

func (v *validator) role(path, role, region string) {
	const hint = "write the full ARN: arn:aws:iam::111122223333:role/NAME"
	if role == "" {
		v.fail(path, "the role is missing", hint)
		return
	}
	a, err := awsarn.Parse(role)
	switch {
	case err != nil:
		v.fail(path, fmt.Sprintf("%q is not an ARN", role), hint)
		return
	case a.Is("sts", "assumed-role"):
		v.fail(path, "this is the ARN of a session, not of a role", fmt.Sprintf("did you mean %s?", awsarn.Role(role)))
		return
	case a.Service == "iam" && strings.HasPrefix(a.Resource, "user/"):
		v.fail(path, "this is the ARN of a user; a user cannot be assumed", hint)
		return
	case a.Service != "iam" || a.Region != "" || !accountID.MatchString(a.Account) || !roleResource.MatchString(a.Resource):
		v.fail(path, fmt.Sprintf("%q is not the ARN of a role", role), hint)
		return
	}
	if region != "" && a.Partition != partitionOf(region) {
		v.fail(
			path,
			fmt.Sprintf("the role is in partition %s, Region %s in %s", a.Partition, region, partitionOf(region)),
			"role, bucket and key must be in one partition: nothing is shared between partitions",
		)
	}
}

func (v *validator) kmsKey(path string, d *Destination, region string) {
	const hint = "write the full key ARN: arn:aws:kms:REGION:ACCOUNT:key/ID"
	if d.Compatible {
		if unprintable(d.KMSKey) {
			v.fail(path, "the key id has characters that are not printable", "write the id as the store shows it")
		}
		return
	}
	if d.KMSKey == "" {
		v.fail(path, "the KMS key is missing", hint)
		return
	}
	a, err := awsarn.Parse(d.KMSKey)
	switch {
	case strings.HasPrefix(d.KMSKey, "alias/") || (err == nil && strings.HasPrefix(a.Resource, "alias/")):
		v.fail(path, fmt.Sprintf("%q is an alias", d.KMSKey), "an alias is looked up in the caller's account, not the bucket's; "+hint)
		return
	case err != nil:
		v.fail(path, fmt.Sprintf("%q is not an ARN", d.KMSKey), "a bare key id is looked up in the caller's account, not the bucket's; "+hint)
		return
	case a.Service != "kms" || a.Region == "" || !accountID.MatchString(a.Account) || !keyResource.MatchString(a.Resource):
		v.fail(path, fmt.Sprintf("%q is not the ARN of a KMS key", d.KMSKey), hint)
		return
	}
	if region != "" && a.Region != region {
		v.fail(path, fmt.Sprintf("the key is in Region %s, the bucket in %s", a.Region, region), "S3 only uses keys of the bucket's own Region")
	}
	if region != "" && a.Partition != partitionOf(region) {
		v.fail(
			path,
			fmt.Sprintf("the key is in partition %s, Region %s in %s", a.Partition, region, partitionOf(region)),
			"role, bucket and key must be in one partition",
		)
	}
	if accountID.MatchString(d.Owner) && a.Account != d.Owner {
		v.fail(
			path,
			fmt.Sprintf("the key belongs to account %s, the bucket to %s", a.Account, d.Owner),
			"use a key of the bucket owner's account, or correct owner",
		)
	}
}

func (v *validator) key(path string, d *Destination) {
	t, hint, err := parseKeyTemplate(d.Key)
	if err != nil {
		v.fail(path, err.Error(), hint)
		return
	}
	switch {
	case !t.Unique() && !d.FixedKey:
		v.fail(
			path,
			errNoID.Error(),
			"end it with -{id}; without it one upload would overwrite another. If that is what you want, say fixed_key: true",
		)
	case t.Unique() && d.FixedKey:
		v.fail(path, "fixed_key is set and the key template has an {id}", "leave one of them out")
	}
	d.KeyTemplate = t
}

func unprintable(s string) bool {
	return len(s) > 2048 || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' })
}
