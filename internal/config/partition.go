package config

// PartitionOf derives the partition from a Region's name, as AWS SDKs do:
// "aws" for "eu-west-1", "aws-cn" for "cn-north-1".
func PartitionOf(region string) string { return partitionOf(region) }
