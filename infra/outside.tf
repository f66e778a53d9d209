# HTTPS as clients see it: Route 53 requests /livez from several continents. Its metrics exist in us-east-1 only, and so
# the alarm and its topic are there. It does not judge the certificate, whose days the host counts (monitoring.tf).

resource "aws_route53_health_check" "https" {
  type              = "HTTPS"
  fqdn              = var.domain
  port              = 443
  resource_path     = "/livez"
  request_interval  = 30
  failure_threshold = 3

  tags = { Name = local.name }
}

resource "aws_cloudwatch_metric_alarm" "https" {
  provider = aws.us_east_1

  alarm_name = "${local.name}-https-down"
  alarm_description = join(" ", [
    "https://${var.domain}/livez does not answer from outside: `make status ENV=${var.environment}` names the fault.",
    "If it finds none, check the DNS record and that ports 80 and 443 are open.",
  ])
  namespace           = "AWS/Route53"
  metric_name         = "HealthCheckStatus"
  dimensions          = { HealthCheckId = aws_route53_health_check.https.id }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  alarm_actions       = aws_sns_topic.https[*].arn
  ok_actions          = aws_sns_topic.https[*].arn
}

resource "aws_sns_topic" "https" {
  #checkov:skip=CKV_AWS_26:CloudWatch cannot publish to a topic with the free AWS key; alarms contain no user data.
  provider = aws.us_east_1
  count    = local.notifies ? 1 : 0

  name = "${local.name}-https"
}

resource "aws_sns_topic_subscription" "https" {
  provider = aws.us_east_1
  for_each = local.subscriptions

  topic_arn = aws_sns_topic.https[0].arn
  protocol  = each.key
  endpoint  = each.value
}
