resource "aws_ecr_repository" "this" {
  name         = "${var.name}-task"
  force_delete = true
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "untagged images"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_days
}

# A bucket of its own: tasks may list the logs' bucket, and must not list payloads.
# Neither bucket is deleted while something is in it (force_destroy is false).
resource "aws_s3_bucket" "payloads" {
  bucket_prefix = "${local.short}-payloads-"
}

resource "aws_s3_bucket" "logs" {
  bucket_prefix = "${local.short}-logs-"
}

locals {
  buckets = {
    payloads = { id = aws_s3_bucket.payloads.id, arn = aws_s3_bucket.payloads.arn, days = 1 }
    logs     = { id = aws_s3_bucket.logs.id, arn = aws_s3_bucket.logs.arn, days = var.log_days }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = each.value.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets
  bucket   = each.value.id
  rule {
    id     = "old"
    status = "Enabled"
    filter {}
    expiration {
      days = each.value.days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets
  bucket   = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.buckets
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "only_by_tls" {
  for_each = local.buckets
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets
  bucket   = each.value.id
  policy   = data.aws_iam_policy_document.only_by_tls[each.key].json
}
