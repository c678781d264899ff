package s3

import (
	"slices"
	"strings"
)

// The S3 actions and condition keys that a bucket policy may name (Service
// Authorization Reference, Amazon S3).

// objectActions take an object as their resource.
var objectActions = strings.Fields(`
	AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging
	GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion
	GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent
	InitiateReplication ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectLegalHold
	PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateTags
	RestoreObject UpdateObjectEncryption`)

// bucketActions take a bucket as their resource.
var bucketActions = strings.Fields(`
	CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket DeleteBucketMetadataTableConfiguration DeleteBucketPolicy
	DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS GetBucketLocation
	GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls
	GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning
	GetBucketWebsite GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration
	GetMetricsConfiguration GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions ListTagsForResource
	PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification
	PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment
	PutBucketTagging PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration
	PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration PutReplicationConfiguration TagResource UntagResource
	UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration`)

// otherActions exist and take neither a bucket nor an object.
var otherActions = strings.Fields(`
	CreateAccessGrant CreateAccessGrantsInstance CreateAccessGrantsLocation CreateAccessPoint CreateAccessPointForObjectLambda CreateJob
	CreateMultiRegionAccessPoint CreateStorageLensGroup DeleteAccessGrant DeleteAccessPoint DeleteAccessPointPolicy DeleteJobTagging
	DeleteMultiRegionAccessPoint DescribeJob GetAccessPoint GetAccessPointPolicy GetAccountPublicAccessBlock GetDataAccess GetJobTagging
	ListAccessPoints ListAllMyBuckets ListJobs ListMultiRegionAccessPoints ListStorageLensConfigurations PutAccessPointPolicy
	PutAccountPublicAccessBlock PutJobTagging PutStorageLensConfiguration UpdateJobPriority UpdateJobStatus`)

// actionReach reports which kinds of resources a policy's action, with its wildcards, may have.
func actionReach(action string) (known, object, bucket bool) {
	if action == "*" {
		return true, true, true
	}
	service, name, _ := strings.Cut(action, ":")
	if !strings.EqualFold(service, "s3") || name == "" {
		return false, false, false
	}
	matches := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool { return wildcards(strings.ToLower(name), strings.ToLower(a)) })
	}
	object, bucket = matches(objectActions), matches(bucketActions)
	return object || bucket || matches(otherActions), object, bucket
}

// wildcards matches text with a pattern of * and ?.
func wildcards(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// conditionKeys are S3's own, in lower case.
var conditionKeys = strings.Fields(`
	s3:accessgrantsinstancearn s3:accesspointnetworkorigin s3:accesspointtag s3:authtype s3:buckettag s3:dataaccesspointaccount
	s3:dataaccesspointarn s3:delimiter s3:existingobjecttag s3:existingjoboperation s3:existingjobpriority s3:if-match s3:if-none-match
	s3:inventoryaccessibleoptionalfields s3:jobsuspendedcause s3:locationconstraint s3:max-keys s3:object-lock-legal-hold
	s3:object-lock-mode s3:object-lock-remaining-retention-days s3:object-lock-retain-until-date s3:objectcreationoperation s3:prefix
	s3:requestjoboperation s3:requestjobpriority s3:requestobjecttag s3:requestobjecttagkeys s3:resourceaccount s3:signatureage
	s3:signatureversion s3:tlsversion s3:versionid s3:x-amz-acl s3:x-amz-bucket-namespace s3:x-amz-content-sha256 s3:x-amz-copy-source
	s3:x-amz-grant-full-control s3:x-amz-grant-read s3:x-amz-grant-read-acp s3:x-amz-grant-write s3:x-amz-grant-write-acp
	s3:x-amz-metadata-directive s3:x-amz-object-ownership s3:x-amz-server-side-encryption
	s3:x-amz-server-side-encryption-aws-kms-key-id s3:x-amz-server-side-encryption-customer-algorithm s3:x-amz-storage-class
	s3:x-amz-website-redirect-location`)

// keyActions are the actions that a condition key is about, for the keys that
// are about few (in lower case; keys that end in a slash take a tag key).
var keyActions = map[string][]string{
	"s3:prefix":    {"ListBucket", "ListBucketVersions"},
	"s3:delimiter": {"ListBucket", "ListBucketVersions"},
	"s3:max-keys":  {"ListBucket", "ListBucketVersions"},

	"s3:x-amz-acl":                aclActions,
	"s3:x-amz-grant-full-control": aclActions,
	"s3:x-amz-grant-read":         aclActions,
	"s3:x-amz-grant-read-acp":     aclActions,
	"s3:x-amz-grant-write":        aclActions,
	"s3:x-amz-grant-write-acp":    aclActions,

	"s3:versionid": {
		"DeleteObjectVersion", "DeleteObjectVersionTagging", "GetObjectVersion", "GetObjectVersionAcl", "GetObjectVersionAttributes",
		"GetObjectVersionTagging", "GetObjectVersionTorrent", "PutObjectVersionAcl", "PutObjectVersionTagging",
	},

	"s3:x-amz-server-side-encryption":                    {"PutObject", "ReplicateObject"},
	"s3:x-amz-server-side-encryption-aws-kms-key-id":     {"PutObject", "ReplicateObject"},
	"s3:x-amz-server-side-encryption-customer-algorithm": {"PutObject", "ReplicateObject"},
	"s3:x-amz-copy-source":                               {"PutObject"},
	"s3:x-amz-metadata-directive":                        {"PutObject"},
	"s3:x-amz-website-redirect-location":                 {"PutObject"},
	"s3:locationconstraint":                              {"CreateBucket"},
}

var aclActions = []string{"CreateBucket", "PutBucketAcl", "PutObject", "PutObjectAcl", "PutObjectVersionAcl"}

// keyApplies reports whether a condition key can be present when an action is decided.
func keyApplies(key, action string) bool {
	actions, ok := keyActions[strings.ToLower(key)]
	if !ok || action == "*" {
		return true
	}
	_, name, _ := strings.Cut(action, ":")
	return slices.ContainsFunc(actions, func(a string) bool { return wildcards(strings.ToLower(name), strings.ToLower(a)) })
}

// globalConditionKeys are those of every service, in lower case (IAM User
// Guide, reference_policies_condition-keys.html).
var globalConditionKeys = strings.Fields(`
	aws:assumedroot aws:calledvia aws:calledviafirst aws:calledvialast aws:chatbotsourcearn aws:currenttime aws:ec2instancesourceprivateipv4
	aws:ec2instancesourcevpc aws:epochtime aws:federatedprovider aws:isservice aws:multifactorauthage aws:multifactorauthpresent
	aws:principalaccount aws:principalarn aws:principalisawsservice aws:principalorgid aws:principalorgpaths aws:principalservicename
	aws:principalservicenameslist aws:principaltag aws:principaltype aws:referer aws:requestedregion aws:requesttag aws:resourceaccount
	aws:resourceorgid aws:resourceorgpaths aws:resourcetag aws:rolesessionname aws:securetransport aws:sourceaccount aws:sourcearn
	aws:sourceidentity aws:sourceip aws:sourceorgid aws:sourceorgpaths aws:sourceowner aws:sourcevpc aws:sourcevpcarn aws:sourcevpce
	aws:tagkeys aws:tokenissuetime aws:useragent aws:userid aws:username aws:viaawsservice aws:vpceaccount aws:vpceorgid aws:vpceorgpaths
	aws:vpcsourceip aws:signinsessionarn`)

// knownConditionKey reports whether a condition key exists. It checks keys of S3 and of every
// service, and accepts keys of other services: several are set on S3's requests, too.
func knownConditionKey(key string) bool {
	name, _, _ := strings.Cut(strings.ToLower(key), "/")
	switch {
	case strings.HasPrefix(name, "s3:"):
		return slices.Contains(conditionKeys, name)
	case strings.HasPrefix(name, "aws:"):
		return slices.Contains(globalConditionKeys, name)
	}
	return strings.Contains(name, ":")
}
