terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
data "aws_caller_identity" "a" {}
data "aws_caller_identity" "b" { provider = aws.b }
resource "aws_iam_policy" "boundary" {
  name   = "boundary"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:*", "kms:*", "sts:*"], Resource = "*" }] })
  tags   = { a = "b" }
}
resource "aws_iam_user" "app" {
  name = "app"
  tags = { team = "logs" }
}
resource "aws_iam_access_key" "app" { user = aws_iam_user.app.name }
resource "aws_iam_user_policy" "app" {
  user   = aws_iam_user.app.name
  name   = "assume"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Resource = aws_iam_role.up.arn }] })
}
resource "aws_iam_role" "up" {
  name                 = "up"
  path                 = "/apps/"
  max_session_duration = 7200
  description          = "uploads"
  permissions_boundary = aws_iam_policy.boundary.arn
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { AWS = aws_iam_user.app.arn }, Action = "sts:AssumeRole", Condition = { StringEquals = { "sts:ExternalId" = "x1" } } }] })
  tags                 = { team = "logs" }
}
resource "aws_iam_role_policy" "up" {
  role   = aws_iam_role.up.id
  name   = "up"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = "arn:aws:s3:::tenant-logs/logs/*" }, { Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = aws_kms_key.k.arn }] })
}
resource "aws_iam_role_policy_attachment" "ro" {
  role       = aws_iam_role.up.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
}
resource "aws_iam_instance_profile" "p" {
  name = "p"
  role = aws_iam_role.up.name
}
resource "aws_iam_openid_connect_provider" "o" {
  url             = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
}
resource "aws_iam_role" "irsa" {
  name               = "irsa"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Federated = aws_iam_openid_connect_provider.o.arn }, Action = "sts:AssumeRoleWithWebIdentity", Condition = { StringEquals = { "oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub" = "system:serviceaccount:logs:up" } } }] })
}
resource "aws_kms_key" "k" {
  provider                = aws.b
  description             = "k"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "Admin", Effect = "Allow", Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.b.account_id}:root" }, Action = "kms:*", Resource = "*" }] })
  lifecycle { ignore_changes = [policy] }
}
resource "aws_kms_key_policy" "k" {
  provider = aws.b
  key_id   = aws_kms_key.k.id
  policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "Admin", Effect = "Allow", Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.b.account_id}:root" }, Action = "kms:*", Resource = "*" }, { Sid = "Use", Effect = "Allow", Principal = { AWS = aws_iam_role.up.arn }, Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = "*" }] })
}
resource "aws_kms_alias" "k" {
  provider      = aws.b
  name          = "alias/tenant"
  target_key_id = aws_kms_key.k.id
}
resource "aws_s3_bucket" "b" {
  provider      = aws.b
  bucket        = "tenant-logs"
  force_destroy = true
  tags          = { a = "b" }
}
resource "aws_s3_bucket_ownership_controls" "b" {
  provider = aws.b
  bucket   = aws_s3_bucket.b.id
  rule { object_ownership = "BucketOwnerEnforced" }
}
resource "aws_s3_bucket_public_access_block" "b" {
  provider                = aws.b
  bucket                  = aws_s3_bucket.b.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_s3_bucket_server_side_encryption_configuration" "b" {
  provider = aws.b
  bucket   = aws_s3_bucket.b.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.k.arn
    }
  }
}
resource "aws_s3_bucket_versioning" "b" {
  provider = aws.b
  bucket   = aws_s3_bucket.b.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_lifecycle_configuration" "b" {
  provider = aws.b
  bucket   = aws_s3_bucket.b.id
  rule {
    id     = "abort"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload { days_after_initiation = 3 }
  }
}
resource "aws_s3_bucket_policy" "b" {
  provider = aws.b
  bucket   = aws_s3_bucket.b.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Sid = "Put", Effect = "Allow", Principal = { AWS = aws_iam_role.up.arn }, Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = "arn:aws:s3:::tenant-logs/logs/*" },
  { Sid = "Tls", Effect = "Deny", Principal = "*", Action = "s3:*", Resource = ["arn:aws:s3:::tenant-logs", "arn:aws:s3:::tenant-logs/*"], Condition = { Bool = { "aws:SecureTransport" = "false" } } }] })
}
resource "aws_s3_object" "o" {
  provider   = aws.b
  bucket     = aws_s3_bucket.b.id
  key        = "logs/x"
  content    = "hello"
  tags       = { a = "b" }
  depends_on = [aws_s3_bucket_versioning.b]
}
