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

resource "aws_s3_bucket" "tenant_bucket" {
  provider = aws.target

  bucket = "tenant-bucket"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "tenant_bucket" {
  provider = aws.target

  bucket = aws_s3_bucket.tenant_bucket.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "tenant_bucket" {
  provider = aws.target

  bucket                  = aws_s3_bucket.tenant_bucket.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "tenant_bucket" {
  provider = aws.target

  bucket = aws_s3_bucket.tenant_bucket.id

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

  bucket = aws_s3_bucket.tenant_bucket.id

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

resource "aws_s3_bucket_logging" "tenant_bucket" {
  provider = aws.target

  bucket        = aws_s3_bucket.tenant_bucket.id
  target_bucket = "our-logs"
  target_prefix = "s3/"
}

data "aws_iam_policy_document" "tenant_bucket" {
  provider = aws.target

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

  bucket = aws_s3_bucket.tenant_bucket.id
  policy = data.aws_iam_policy_document.tenant_bucket.json

  depends_on = [aws_s3_bucket_public_access_block.tenant_bucket, aws_iam_role.up]

  lifecycle {
    prevent_destroy = true
  }
}

# Trail arn:aws:cloudtrail:eu-west-1:444455556666:trail/all is to record writes to
# arn:aws:s3:::tenant-bucket/logs/.
# Terraform cannot add a selector to a trail that it does not own: add it where the
# trail is managed, or with `brokerctl setup render -o cli`.
