# Account A: the roles that brokerd assumes. Written by `brokerctl setup render`
# from the configuration of brokerd; change that, and render again.

data "aws_iam_policy_document" "up_trust" {
  provider = aws.source

  statement {
    sid     = "BrokerdAssumeRoleAuditLogs986133"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws-cn:iam::111122223333:role/app-host"]
    }
  }
}

resource "aws_iam_role" "up" {
  provider = aws.source

  name                 = "Up"
  path                 = "/apps/"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.up_trust.json
}

data "aws_iam_policy_document" "up" {
  provider = aws.source

  statement {
    sid       = "BrokerdWriteObjectsAuditLogs986133"
    effect    = "Allow"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["arn:aws-cn:s3:::tenant-bucket/logs/*"]
  }

  statement {
    sid       = "BrokerdUseKeyThroughS3AuditLogs986133"
    effect    = "Allow"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = ["arn:aws-cn:kms:cn-north-1:444455556666:key/1234abcd"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.cn-north-1.amazonaws.com.cn"]
    }
  }
}

resource "aws_iam_role_policy" "up" {
  provider = aws.source

  name   = "brokerd"
  role   = aws_iam_role.up.name
  policy = data.aws_iam_policy_document.up.json
}

output "brokerd_roles" {
  description = "The roles that the policies of the other account name"
  value       = [aws_iam_role.up.arn]
}
