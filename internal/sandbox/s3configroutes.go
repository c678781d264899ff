package sandbox

// configurationRoutes are the operations on a bucket's configuration, by
// method and selector.
var configurationRoutes = map[string]s3Route{
	"GET acl":                       {"GetBucketAcl", "", getBucketACL},
	"PUT acl":                       {"PutBucketAcl", "", putBucketACL},
	"GET tagging":                   {"GetBucketTagging", "", getBucketTagging},
	"PUT tagging":                   {"PutBucketTagging", "", putBucketTagging},
	"DELETE tagging":                {"DeleteBucketTagging", "s3:PutBucketTagging", deleteBucketTagging},
	"GET lifecycle":                 {"GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", getLifecycle},
	"PUT lifecycle":                 {"PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", putLifecycle},
	"DELETE lifecycle":              {"DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", deleteLifecycle},
	"GET logging":                   {"GetBucketLogging", "", getBucketLogging},
	"PUT logging":                   {"PutBucketLogging", "", putBucketLogging},
	"GET cors":                      {"GetBucketCors", "s3:GetBucketCORS", getBucketCORS},
	"PUT cors":                      {"PutBucketCors", "s3:PutBucketCORS", putBucketCORS},
	"DELETE cors":                   {"DeleteBucketCors", "s3:PutBucketCORS", deleteBucketCORS},
	"GET requestPayment":            {"GetBucketRequestPayment", "", getRequestPayment},
	"PUT requestPayment":            {"PutBucketRequestPayment", "", putRequestPayment},
	"GET policyStatus":              {"GetBucketPolicyStatus", "", getPolicyStatus},
	"GET abac":                      {"GetBucketAbac", "s3:GetBucketAbac", getABAC},
	"GET notification":              {"GetBucketNotificationConfiguration", "s3:GetBucketNotification", emptyDocument("NotificationConfiguration")},
	"PUT notification":              {"PutBucketNotificationConfiguration", "s3:PutBucketNotification", putNotification},
	"GET accelerate":                {"GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", emptyDocument("AccelerateConfiguration")},
	"PUT accelerate":                {"PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", unmodelled("transfer acceleration")},
	"GET website":                   {"GetBucketWebsite", "", absent("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")},
	"PUT website":                   {"PutBucketWebsite", "", unmodelled("website hosting")},
	"DELETE website":                {"DeleteBucketWebsite", "", nothingToDelete},
	"GET replication":               {"GetBucketReplication", "s3:GetReplicationConfiguration", absent("ReplicationConfigurationNotFoundError", "The replication configuration was not found")},
	"PUT replication":               {"PutBucketReplication", "s3:PutReplicationConfiguration", unmodelled("replication")},
	"DELETE replication":            {"DeleteBucketReplication", "s3:PutReplicationConfiguration", nothingToDelete},
	"GET inventory":                 {"ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", emptyList("ListInventoryConfigurationsResult")},
	"GET id&inventory":              {"GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration", noSuchConfiguration},
	"PUT id&inventory":              {"PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration", unmodelled("inventories")},
	"DELETE id&inventory":           {"DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration", noSuchConfiguration},
	"GET analytics":                 {"ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", emptyList("ListBucketAnalyticsConfigurationResult")},
	"GET analytics&id":              {"GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration", noSuchConfiguration},
	"PUT analytics&id":              {"PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", unmodelled("storage class analysis")},
	"DELETE analytics&id":           {"DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", noSuchConfiguration},
	"GET metrics":                   {"ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", emptyList("ListMetricsConfigurationsResult")},
	"GET id&metrics":                {"GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration", noSuchConfiguration},
	"PUT id&metrics":                {"PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration", unmodelled("request metrics")},
	"DELETE id&metrics":             {"DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration", noSuchConfiguration},
	"GET intelligent-tiering":       {"ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration", emptyList("ListBucketIntelligentTieringConfigurationsOutput")},
	"GET id&intelligent-tiering":    {"GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration", noSuchConfiguration},
	"PUT id&intelligent-tiering":    {"PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", unmodelled("intelligent tiering")},
	"DELETE id&intelligent-tiering": {"DeleteBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", noSuchConfiguration},
}

// objectACLRoutes are the operations on an object's access control list.
var objectACLRoutes = map[string]s3Route{
	"GET acl": {"GetObjectAcl", "", getObjectACL},
	"PUT acl": {"PutObjectAcl", "", putObjectACL},
}

func noSuchConfiguration(c *s3Call, b *bucket) error {
	return absent("NoSuchConfiguration", "The specified configuration does not exist.")(c, b)
}
