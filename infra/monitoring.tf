# The alarms for the operator: of each host, of the balancer and of the database. Ten alarms, ten metrics of our own and
# three dashboards are free; docs/operate.md has the price of the rest.

locals {
  # By the beginning of their alarms' names: nothing for a single host, or the number. The metrics that each of several
  # hosts writes have its number as their dimension.
  watched_hosts = {
    for host in local.hosts : local.balanced ? "${host.number}-" : "" => {
      id         = host.id
      name       = local.balanced ? "Host ${host.number}: " : ""
      logs       = local.balanced ? "${local.logs} HOST=${host.number}" : local.logs
      dimensions = local.balanced ? { Host = tostring(host.number) } : {}
    }
  }

  database_dimensions = { DBInstanceIdentifier = local.database.identifier }

  status = "`make status ENV=${var.environment}`"
  logs   = "make logs ENV=${var.environment}"

  # What each host itself measures every minute (ansible/roles/monitoring/files/collector.py).
  own_alarms = {
    host-disk-full = {
      description = "More than 80 % of the host's disk are used: raise disk_gib, or see what fills it (du -xh /)."
      metric      = "DiskUsed", statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 80
      period      = 300, periods = 2, missing = "missing"
    }
    host-memory-low = {
      description = "More than 90 % of the host's memory are used: choose a larger instance_type or fewer replicas."
      metric      = "MemoryUsed", statistic = "Average", comparison = "GreaterThanThreshold", threshold = 90
      period      = 300, periods = 3, missing = "missing"
    }
    replicas-missing = {
      description = join(" ", [
        "A replica is not ready, or the host does not report: ${local.status} shows which,",
        "`${local.logs}` has the reason, `make deploy ENV=${var.environment}` repairs it.",
      ])
      metric = "ReplicasReady", statistic = "Maximum", comparison = "LessThanThreshold", threshold = var.replicas
      period = 60, periods = 5, missing = "breaching" # a collector that has stopped is a fault as well
    }
    edge-down = {
      description = "Traefik is not healthy, so nothing is served: `${local.logs}` has the reason."
      metric      = "EdgeHealthy", statistic = "Maximum", comparison = "LessThanThreshold", threshold = 1
      period      = 60, periods = 3, missing = "missing"
    }
    certificate-expires = {
      description = join(" ", [
        "The certificate is valid for less than 20 days, and Traefik should have renewed it 30 days before its end:",
        "`${local.logs}` has the authority's reason; then `make deploy` orders it again.",
      ])
      metric = "CertificateDays", statistic = "Maximum", comparison = "LessThanThreshold", threshold = 20
      period = 300, periods = 3, missing = "missing"
    }
    server-errors = {
      description = "Ten responses or more within five minutes were errors of the service (5xx): see ${local.status}."
      metric      = "ServerErrors", statistic = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 10
      period      = 300, periods = 1, missing = "notBreaching"
    }
  }

  low_storage_gib = ceil(0.15 * var.database_storage_gib)

  # Instances of the t families accumulate CPU credits while idle; without credits they are slow or cost more.
  host_has_credits     = can(regex("^t[0-9]", var.instance_type))
  database_has_credits = can(regex("^db\\.t[0-9]", var.database_class))

  # What AWS measures of each host.
  host_alarms = merge(
    {
      host-down = {
        description = "The host fails AWS's status checks: if AWS does not restart it, see the console."
        namespace   = "AWS/EC2", metric = "StatusCheckFailed"
        statistic   = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
        period      = 60, periods = 3, missing = "breaching"
      }
      host-busy = {
        description = "The host's CPU is busy: reduce requests, or choose a larger instance_type."
        namespace   = "AWS/EC2", metric = "CPUUtilization"
        statistic   = "Average", comparison = "GreaterThanThreshold", threshold = 80
        period      = 300, periods = 3, missing = "missing"
      }
    },
    local.host_has_credits ? {
      host-credits = {
        description = "The host has used up its CPU credits: choose a larger instance_type or the m family."
        namespace   = "AWS/EC2", metric = "CPUCreditBalance"
        statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 10
        period      = 300, periods = 12, missing = "missing" # a new one has none yet
      }
    } : {},
  )

  alarms_of_hosts = merge(flatten([
    for prefix, host in local.watched_hosts : [
      { for name, alarm in local.own_alarms : "${prefix}${name}" => merge(alarm, {
        description = "${host.name}${replace(alarm.description, local.logs, host.logs)}"
        namespace   = local.name
        dimensions  = host.dimensions
      }) },
      { for name, alarm in local.host_alarms : "${prefix}${name}" => merge(alarm, {
        description = "${host.name}${alarm.description}"
        dimensions  = { InstanceId = host.id }
      }) },
    ]
  ])...)

  # A host that leaves for an update or a reboot is back within a few minutes.
  alarms_of_balancer = {
    for name, group in aws_lb_target_group.main : "host-out-of-service" => {
      description = "For 15 minutes, the balancer has sent a host no connections: ${local.status} shows which."
      namespace   = "AWS/NetworkELB", metric = "UnHealthyHostCount"
      dimensions  = { LoadBalancer = aws_lb.main[0].arn_suffix, TargetGroup = group.arn_suffix }
      statistic   = "Minimum", comparison = "GreaterThanThreshold", threshold = 0
      period      = 60, periods = 15, missing = "missing"
    } if name == "https"
  }

  alarms = merge(
    local.alarms_of_hosts,
    local.alarms_of_balancer,
    {
      database-busy = {
        description = "The database's CPU is busy: see sys.statement_analysis, or choose a larger database_class."
        namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database_dimensions
        statistic   = "Average", comparison = "GreaterThanThreshold", threshold = 80
        period      = 300, periods = 3, missing = "breaching" # a database without metrics is unavailable
      }
      database-storage-low = {
        # RDS adds storage itself when 10 % are free, up to twice database_storage_gib; the alarm comes before that.
        description = join(" ", [
          "Less than ${local.low_storage_gib} GiB of the database's disk are free.",
          "It grows automatically, up to ${2 * var.database_storage_gib} GiB: raise database_storage_gib in time.",
        ])
        namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database_dimensions
        statistic = "Minimum", comparison = "LessThanThreshold", threshold = local.low_storage_gib * 1024 * 1024 * 1024
        period    = 300, periods = 2, missing = "missing"
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
        statistic   = "Maximum", comparison = "GreaterThanThreshold"
        threshold   = floor(0.8 * local.database_connections)
        period      = 300, periods = 3, missing = "missing"
      }
    },
    local.database_has_credits ? {
      database-credits = {
        description = "The database has used up its CPU credits: choose a larger database_class or the m family."
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

# --- Who is told ---

locals {
  subscriptions = { for protocol, endpoint in { email = var.alarm_email, https = var.alarm_webhook } :
    protocol => endpoint if endpoint != ""
  }
  notifies = length(local.subscriptions) > 0
}

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:CloudWatch cannot publish to a topic with the free AWS key; alarms contain no user data.
  count = local.notifies ? 1 : 0

  name = "${local.name}-alarms"
}

resource "aws_sns_topic_subscription" "operator" {
  for_each = local.subscriptions

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = each.key
  endpoint  = each.value
}

# An address that has confirmed its subscription is not asked again.
moved {
  from = aws_sns_topic_subscription.operator[0]
  to   = aws_sns_topic_subscription.operator["email"]
}
