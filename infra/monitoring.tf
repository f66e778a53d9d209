# What needs a person's attention. All of it is within what CloudWatch gives for nothing: ten alarms, three dashboards.

locals {
  host_dimensions     = { InstanceId = aws_instance.host.id }
  database_dimensions = { DBInstanceIdentifier = aws_db_instance.main.identifier }

  # Types of the t families save up credits while they idle; without any they are slow, or cost more.
  host_has_credits     = can(regex("^t[0-9]", var.instance_type))
  database_has_credits = can(regex("^db\\.t[0-9]", var.database_class))

  alarms = merge(
    {
      host-down = {
        description = "The host fails AWS's status checks. AWS restarts it on other hardware if that is the cause; otherwise see the console."
        namespace   = "AWS/EC2", metric = "StatusCheckFailed", dimensions = local.host_dimensions
        statistic   = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
        period      = 60, periods = 3, missing = "breaching"
      }
      host-busy = {
        description = "The host's CPU is busy: reduce requests, or choose a larger instance_type."
        namespace   = "AWS/EC2", metric = "CPUUtilization", dimensions = local.host_dimensions
        statistic   = "Average", comparison = "GreaterThanThreshold", threshold = 80
        period      = 300, periods = 3, missing = "missing"
      }
      database-busy = {
        description = "The database's CPU is busy: see sys.statement_analysis for the expensive statements, or choose a larger database_class."
        namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database_dimensions
        statistic   = "Average", comparison = "GreaterThanThreshold", threshold = 80
        period      = 300, periods = 3, missing = "breaching" # a database without metrics is unavailable
      }
      database-storage-low = {
        description = "Less than 2 GiB of the database's disk are free, although it grows automatically: raise database_storage_gib."
        namespace   = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database_dimensions
        statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 2 * 1024 * 1024 * 1024
        period      = 300, periods = 2, missing = "missing"
      }
      database-memory-low = {
        description = "Less than 64 MiB of the database's memory are free: choose a larger database_class."
        namespace   = "AWS/RDS", metric = "FreeableMemory", dimensions = local.database_dimensions
        statistic   = "Average", comparison = "LessThanThreshold", threshold = 64 * 1024 * 1024
        period      = 300, periods = 3, missing = "missing"
      }
      database-connections = {
        description = "More than 80 % of the database's connections are in use: look for stuck clients."
        namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.database_dimensions
        statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = floor(0.8 * local.database_connections)
        period      = 300, periods = 3, missing = "missing"
      }
    },
    local.host_has_credits ? {
      host-credits = {
        description = "The host has used up its CPU credits: choose a larger instance_type, or one of the m family."
        namespace   = "AWS/EC2", metric = "CPUCreditBalance", dimensions = local.host_dimensions
        statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 10
        period      = 300, periods = 12, missing = "missing" # a new one has none yet
      }
    } : {},
    local.database_has_credits ? {
      database-credits = {
        description = "The database has used up its CPU credits: choose a larger database_class, or one of the m family."
        namespace   = "AWS/RDS", metric = "CPUCreditBalance", dimensions = local.database_dimensions
        statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 10
        period      = 300, periods = 12, missing = "missing" # a new one has none yet
      }
    } : {},
  )
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = aws_sns_topic.alarms[*].arn
  ok_actions          = aws_sns_topic.alarms[*].arn
}

# --- The e-mail, if one is wanted ---

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:CloudWatch cannot send to a topic under the key that AWS gives for nothing; the alarms hold no user's data.
  count = var.alarm_email == "" ? 0 : 1

  name = "${local.name}-alarms"
}

resource "aws_sns_topic_subscription" "operator" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
