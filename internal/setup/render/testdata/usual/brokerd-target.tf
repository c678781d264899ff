# Account B: the policies of the key and the bucket. Written by `brokerctl setup
# render` from the configuration of brokerd; change that, and render again.

# The policy of each key as it is now, by the key's ARN. Others' statements are kept:
# aws kms get-key-policy --policy-name default --query Policy --output text --key-id ARN
variable "existing_key_policies" {
  description = "JSON text of the policies as they are; an empty text where there is none"
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["arn:aws:kms:eu-west-1:444455556666:key/1234abcd"] : contains(keys(var.existing_key_policies), name)])
    error_message = "Give the current document of each of: arn:aws:kms:eu-west-1:444455556666:key/1234abcd."
  }
}

# The policy of each bucket as it is now, by the bucket's name. Others' statements are kept:
# aws s3api get-bucket-policy --query Policy --output text --bucket NAME
variable "existing_bucket_policies" {
  description = "JSON text of the policies as they are; an empty text where there is none"
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["tenant-bucket"] : contains(keys(var.existing_bucket_policies), name)])
    error_message = "Give the current document of each of: tenant-bucket."
  }
}

# What to set on buckets that exist. `encryption`, `lifecycle` and `access_logs`
# replace the existing value as a whole: add them when no value of others is lost.
variable "bucket_settings" {
  description = "Of ownership, public_access, encryption, lifecycle, access_logs: what to set on buckets that exist"
  type        = set(string)
  default     = ["ownership", "public_access"]
}

data "aws_iam_policy_document" "key_1234abcd" {
  provider = aws.target

  source_policy_documents = compact([var.existing_key_policies["arn:aws:kms:eu-west-1:444455556666:key/1234abcd"]])

  statement {
    sid       = "BrokerdKeepAccountAdmin"
    effect    = "Allow"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::444455556666:root"]
    }
  }

  statement {
    sid       = "BrokerdAllowUseThroughS3AuditLogs9f8a43"
    effect    = "Allow"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.up.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = ["arn:aws:s3:::tenant-bucket"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.eu-west-1.amazonaws.com"]
    }
  }
}

# Destroying this would take the statements of others along.
resource "aws_kms_key_policy" "key_1234abcd" {
  provider = aws.target

  key_id = "1234abcd"
  policy = data.aws_iam_policy_document.key_1234abcd.json

  depends_on = [aws_iam_role.up]

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "tenant_bucket" {
  provider = aws.target
  count    = contains(var.bucket_settings, "ownership") ? 1 : 0

  bucket = "tenant-bucket"

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "tenant_bucket" {
  provider = aws.target
  count    = contains(var.bucket_settings, "public_access") ? 1 : 0

  bucket                  = "tenant-bucket"
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "tenant_bucket" {
  provider = aws.target
  count    = contains(var.bucket_settings, "encryption") ? 1 : 0

  bucket = "tenant-bucket"

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "tenant_bucket" {
  provider = aws.target
  count    = contains(var.bucket_settings, "lifecycle") ? 1 : 0

  bucket = "tenant-bucket"

  rule {
    id     = "brokerd-abort-incomplete-uploads-audit-logs-9f8a43"
    status = "Enabled"

    filter {
      prefix = "logs/"
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "tenant_bucket" {
  provider = aws.target

  source_policy_documents = compact([var.existing_bucket_policies["tenant-bucket"]])

  statement {
    sid       = "BrokerdAllowWriteAuditLogs9f8a43"
    effect    = "Allow"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["arn:aws:s3:::tenant-bucket/logs/*"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.up.arn]
    }
  }

  statement {
    sid       = "BrokerdDenyInsecureTransport"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["arn:aws:s3:::tenant-bucket", "arn:aws:s3:::tenant-bucket/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "BrokerdDenyOtherEncryptionAuditLogs9f8a43"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::tenant-bucket/logs/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption"
      values   = ["false"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "s3:x-amz-server-side-encryption"
      values   = ["aws:kms"]
    }
  }

  statement {
    sid       = "BrokerdDenyOtherKeyAuditLogs9f8a43"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::tenant-bucket/logs/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
      values   = ["false"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
      values   = ["arn:aws:kms:eu-west-1:444455556666:key/1234abcd"]
    }
  }
}

# Destroying this would take the statements of others along.
resource "aws_s3_bucket_policy" "tenant_bucket" {
  provider = aws.target

  bucket = "tenant-bucket"
  policy = data.aws_iam_policy_document.tenant_bucket.json

  depends_on = [aws_s3_bucket_public_access_block.tenant_bucket, aws_iam_role.up]

  lifecycle {
    prevent_destroy = true
  }
}
