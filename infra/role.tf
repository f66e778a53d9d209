# The role of the host: it writes its metrics and, with logs = "cloudwatch", the logs of its containers. Nothing else is
# allowed. Containers cannot use it, because the instance metadata is out of their reach (compute.tf).

locals {
  # By the stack's part that writes them; without one, Docker keeps the logs on the host.
  log_groups = var.logs == "cloudwatch" ? {
    service = "/${local.name}/service"
    edge    = "/${local.name}/edge"
  } : {}
}

resource "aws_cloudwatch_log_group" "containers" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch; a key of our own has a price, and the logs contain no messages.
  #checkov:skip=CKV_AWS_338:A setting of the form (log_days).
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_days
}

resource "aws_iam_role" "host" {
  name        = "${local.name}-host"
  description = "The host of ${local.name}: writes its metrics and logs"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "host" {
  name = "write-metrics-and-logs"
  role = aws_iam_role.host.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = ["*"] # CloudWatch has no resources to name, but the namespace is a condition
        Condition = { StringEquals = { "cloudwatch:namespace" = local.name } }
      }],
      [for group in aws_cloudwatch_log_group.containers : {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${group.arn}:log-stream:*"]
      }],
    )
  })
}

resource "aws_iam_instance_profile" "host" {
  name = "${local.name}-host"
  role = aws_iam_role.host.name
}
