# The dashboard: alarms, the edge, the hosts, the balancer, the database.

locals {
  own_charts = [
    { title = "Requests a minute, and server errors (5xx)", metrics = ["Requests", "ServerErrors"], statistic = "Sum" },
    { title = "Duration of requests, 99th percentile (s)", metrics = ["DurationP99"], statistic = "Maximum" },
    { title = "Ready replicas (of ${var.replicas})", metrics = ["ReplicasReady"], statistic = "Minimum" },
    { title = "Disk and memory of the host (% used)", metrics = ["DiskUsed", "MemoryUsed"], statistic = "Maximum" },
    { title = "Traefik (1: healthy)", metrics = ["EdgeHealthy"], statistic = "Minimum" },
    { title = "Days left of the certificate", metrics = ["CertificateDays"], statistic = "Minimum" },
  ]
  host_charts = [
    { title = "Processor of the host (%)", metrics = ["CPUUtilization"], statistic = "Average" },
    { title = "Processor credits of the host", metrics = ["CPUCreditBalance"], statistic = "Minimum" },
    { title = "Network of the host (bytes)", metrics = ["NetworkIn", "NetworkOut"], statistic = "Sum" },
  ]
  database_charts = [
    { title = "Processor of the database (%)", metrics = ["CPUUtilization"], statistic = "Average" },
    {
      title     = "Connections (alarm above ${floor(0.8 * local.database_connections)})"
      metrics   = ["DatabaseConnections"]
      statistic = "Maximum"
    },
    { title = "Free disk of the database (bytes)", metrics = ["FreeStorageSpace"], statistic = "Minimum" },
    { title = "Latency of the database's disk (s)", metrics = ["ReadLatency", "WriteLatency"], statistic = "Average" },
    { title = "Free memory of the database (bytes)", metrics = ["FreeableMemory"], statistic = "Minimum" },
    { title = "Processor credits of the database", metrics = ["CPUCreditBalance"], statistic = "Minimum" },
  ]

  balancer_charts = [
    {
      title     = "Hosts out of service, as the balancer sees them"
      metrics   = ["UnHealthyHostCount"]
      statistic = "Maximum"
      of        = "group"
    },
    { title = "New connections a minute", metrics = ["NewFlowCount"], statistic = "Sum", of = "balancer" },
    { title = "Open connections", metrics = ["ActiveFlowCount"], statistic = "Maximum", of = "balancer" },
  ]

  # The dimensions of the lines of a chart: with several hosts, a line for each host.
  lines = {
    own      = { for host in local.hosts : host.number => local.balanced ? ["Host", tostring(host.number)] : [] }
    host     = { for host in local.hosts : host.number => ["InstanceId", host.id] }
    database = { first = ["DBInstanceIdentifier", local.database.identifier] }
    balancer = { for index, balancer in aws_lb.main : index => ["LoadBalancer", balancer.arn_suffix] }
    group = { for index, balancer in aws_lb.main : index => [
      "TargetGroup", aws_lb_target_group.main["https"].arn_suffix, "LoadBalancer", balancer.arn_suffix,
    ] }
  }

  all_charts = concat(
    [for chart in local.own_charts : merge(chart, { namespace = local.name, of = "own", period = 60 })],
    [for chart in local.host_charts : merge(chart, { namespace = "AWS/EC2", of = "host", period = 300 })],
    [for chart in local.balancer_charts : merge(chart, { namespace = "AWS/NetworkELB", period = 60 })],
    [for chart in local.database_charts : merge(chart, { namespace = "AWS/RDS", of = "database", period = 300 })],
  )
  charts = [for chart in local.all_charts : chart if length(local.lines[chart.of]) > 0]

  entrance = local.balanced ? "balancer ${join(", ", local.balancer_addresses)}" : "host ${aws_eip.host.public_ip}"
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = local.name

  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type = "text", x = 0, y = 0, width = 24, height = 2
        properties = {
          markdown = join("", [
            "# ${local.name}\n[https://${var.domain}/livez](https://${var.domain}/livez) · ",
            "${local.entrance} · ",
            "`make status ENV=${var.environment}` shows replicas, certificate and disk",
          ])
        }
      }],
      [{
        type = "alarm", x = 0, y = 2, width = 24, height = 4
        properties = {
          title = "Alarms"
          alarms = concat(
            [aws_cloudwatch_metric_alarm.https.arn],
            [for alarm in aws_cloudwatch_metric_alarm.all : alarm.arn],
          )
        }
      }],
      [for index, chart in local.charts : {
        type = "metric", x = 8 * (index % 3), y = 6 + 6 * floor(index / 3), width = 8, height = 6
        properties = {
          title  = chart.title
          region = var.region
          view   = "timeSeries"
          stat   = chart.statistic
          period = chart.period
          metrics = concat([for metric in chart.metrics : [
            for dimensions in values(local.lines[chart.of]) : concat([chart.namespace, metric], dimensions)
          ]]...)
        }
      }],
    )
  })
}
