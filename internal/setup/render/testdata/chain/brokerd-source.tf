# Account A: the roles that brokerd assumes. Written by `brokerctl setup render`
# from the configuration of brokerd; change that, and render again.

data "aws_iam_policy_document" "first_trust" {
  provider = aws.source_111122223333

  statement {
    sid     = "BrokerdAssumeRoleAuditLogs9f8a43"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111122223333:role/app-host"]
    }
  }
}

resource "aws_iam_role" "first" {
  provider = aws.source_111122223333

  name                 = "first"
  path                 = "/"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.first_trust.json
}

data "aws_iam_policy_document" "first" {
  provider = aws.source_111122223333

  statement {
    sid       = "BrokerdAssumeNextRoleAuditLogs9f8a43"
    effect    = "Allow"
    actions   = ["sts:AssumeRole"]
    resources = ["arn:aws:iam::777788889999:role/hub"]
  }
}

resource "aws_iam_role_policy" "first" {
  provider = aws.source_111122223333

  name   = "brokerd"
  role   = aws_iam_role.first.name
  policy = data.aws_iam_policy_document.first.json
}

data "aws_iam_policy_document" "hub_trust" {
  provider = aws.source_777788889999

  statement {
    sid     = "BrokerdAssumeRoleAuditLogs9f8a43"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.first.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["hub-1"]
    }
  }
}

resource "aws_iam_role" "hub" {
  provider = aws.source_777788889999

  name                 = "hub"
  path                 = "/"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.hub_trust.json
}

data "aws_iam_policy_document" "hub" {
  provider = aws.source_777788889999

  statement {
    sid       = "BrokerdAssumeNextRoleAuditLogs9f8a43"
    effect    = "Allow"
    actions   = ["sts:AssumeRole"]
    resources = ["arn:aws:iam::111122223333:role/apps/Up"]
  }
}

resource "aws_iam_role_policy" "hub" {
  provider = aws.source_777788889999

  name   = "brokerd"
  role   = aws_iam_role.hub.name
  policy = data.aws_iam_policy_document.hub.json
}

data "aws_iam_policy_document" "up_trust" {
  provider = aws.source_111122223333

  statement {
    sid     = "BrokerdAssumeRoleAuditLogs9f8a43"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.hub.arn]
    }
  }
}

resource "aws_iam_role" "up" {
  provider = aws.source_111122223333

  name                 = "Up"
  path                 = "/apps/"
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.up_trust.json
}

data "aws_iam_policy_document" "up" {
  provider = aws.source_111122223333

  statement {
    sid       = "BrokerdWriteObjectsAuditLogs9f8a43"
    effect    = "Allow"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["arn:aws:s3:::tenant-bucket/logs/*"]
  }

  statement {
    sid       = "BrokerdUseKeyThroughS3AuditLogs9f8a43"
    effect    = "Allow"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = ["arn:aws:kms:eu-west-1:444455556666:key/1234abcd"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.eu-west-1.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "up" {
  provider = aws.source_111122223333

  name   = "brokerd"
  role   = aws_iam_role.up.name
  policy = data.aws_iam_policy_document.up.json
}

output "brokerd_roles" {
  description = "The roles that the policies of the other account name"
  value       = [aws_iam_role.first.arn, aws_iam_role.hub.arn, aws_iam_role.up.arn]
}
