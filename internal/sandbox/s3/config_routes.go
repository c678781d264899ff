package s3

// configurationRoutes are the operations on a bucket's configuration, by
// method and selector.
var configurationRoutes = map[string]route{
	"GET acl":            {"GetBucketAcl", "", locked(getBucketACL)},
	"PUT acl":            {"PutBucketAcl", "", putBucketACL},
	"GET tagging":        {"GetBucketTagging", "", locked(getBucketTagging)},
	"PUT tagging":        {"PutBucketTagging", "", putBucketTagging},
	"DELETE tagging":     {"DeleteBucketTagging", "s3:PutBucketTagging", locked(deleteBucketTagging)},
	"GET lifecycle":      {"GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", locked(getLifecycle)},
	"PUT lifecycle":      {"PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", putLifecycle},
	"DELETE lifecycle":   {"DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", locked(deleteLifecycle)},
	"GET logging":        {"GetBucketLogging", "", locked(getBucketLogging)},
	"PUT logging":        {"PutBucketLogging", "", putBucketLogging},
	"GET cors":           {"GetBucketCors", "s3:GetBucketCORS", locked(getBucketCORS)},
	"PUT cors":           {"PutBucketCors", "s3:PutBucketCORS", putBucketCORS},
	"DELETE cors":        {"DeleteBucketCors", "s3:PutBucketCORS", locked(deleteBucketCORS)},
	"GET requestPayment": {"GetBucketRequestPayment", "", locked(getRequestPayment)},
	"PUT requestPayment": {"PutBucketRequestPayment", "", putRequestPayment},
	"GET policyStatus":   {"GetBucketPolicyStatus", "", locked(getPolicyStatus)},
	"GET abac":           {"GetBucketAbac", "s3:GetBucketAbac", locked(getABAC)},
	"GET notification": {
		"GetBucketNotificationConfiguration",
		"s3:GetBucketNotification",
		locked(emptyDocument("NotificationConfiguration")),
	},
	"PUT notification": {"PutBucketNotificationConfiguration", "s3:PutBucketNotification", putNotification},
	"GET accelerate": {
		"GetBucketAccelerateConfiguration",
		"s3:GetAccelerateConfiguration",
		locked(emptyDocument("AccelerateConfiguration")),
	},
	"PUT accelerate": {
		"PutBucketAccelerateConfiguration",
		"s3:PutAccelerateConfiguration",
		locked(unmodelled("transfer acceleration")),
	},
	"GET website": {
		"GetBucketWebsite",
		"",
		locked(absent("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")),
	},
	"PUT website":    {"PutBucketWebsite", "", locked(unmodelled("website hosting"))},
	"DELETE website": {"DeleteBucketWebsite", "", locked(nothingToDelete)},
	"GET replication": {
		"GetBucketReplication",
		"s3:GetReplicationConfiguration",
		locked(absent("ReplicationConfigurationNotFoundError", "The replication configuration was not found")),
	},
	"PUT replication":    {"PutBucketReplication", "s3:PutReplicationConfiguration", locked(unmodelled("replication"))},
	"DELETE replication": {"DeleteBucketReplication", "s3:PutReplicationConfiguration", locked(nothingToDelete)},
	"GET inventory": {
		"ListBucketInventoryConfigurations",
		"s3:GetInventoryConfiguration",
		locked(emptyList("ListInventoryConfigurationsResult")),
	},
	"GET id&inventory":    {"GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration", locked(noSuchConfiguration)},
	"PUT id&inventory":    {"PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration", locked(unmodelled("inventories"))},
	"DELETE id&inventory": {"DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration", locked(noSuchConfiguration)},
	"GET analytics": {
		"ListBucketAnalyticsConfigurations",
		"s3:GetAnalyticsConfiguration",
		locked(emptyList("ListBucketAnalyticsConfigurationResult")),
	},
	"GET analytics&id": {"GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration", locked(noSuchConfiguration)},
	"PUT analytics&id": {
		"PutBucketAnalyticsConfiguration",
		"s3:PutAnalyticsConfiguration",
		locked(unmodelled("storage class analysis")),
	},
	"DELETE analytics&id": {"DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", locked(noSuchConfiguration)},
	"GET metrics": {
		"ListBucketMetricsConfigurations",
		"s3:GetMetricsConfiguration",
		locked(emptyList("ListMetricsConfigurationsResult")),
	},
	"GET id&metrics":    {"GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration", locked(noSuchConfiguration)},
	"PUT id&metrics":    {"PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration", locked(unmodelled("request metrics"))},
	"DELETE id&metrics": {"DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration", locked(noSuchConfiguration)},
	"GET intelligent-tiering": {
		"ListBucketIntelligentTieringConfigurations",
		"s3:GetIntelligentTieringConfiguration",
		locked(emptyList("ListBucketIntelligentTieringConfigurationsOutput")),
	},
	"GET id&intelligent-tiering": {
		"GetBucketIntelligentTieringConfiguration",
		"s3:GetIntelligentTieringConfiguration",
		locked(noSuchConfiguration),
	},
	"PUT id&intelligent-tiering": {
		"PutBucketIntelligentTieringConfiguration",
		"s3:PutIntelligentTieringConfiguration",
		locked(unmodelled("intelligent tiering")),
	},
	"DELETE id&intelligent-tiering": {
		"DeleteBucketIntelligentTieringConfiguration",
		"s3:PutIntelligentTieringConfiguration",
		locked(noSuchConfiguration),
	},
}

// objectACLRoutes are the operations on an object's access control list.
var objectACLRoutes = map[string]route{
	"GET acl": {"GetObjectAcl", "", locked(getObjectACL)},
	"PUT acl": {"PutObjectAcl", "", putObjectACL},
}

func noSuchConfiguration(c *call, b *bucket) error {
	return absent("NoSuchConfiguration", "The specified configuration does not exist.")(c, b)
}
