# The state at a glance: first what is wrong, then the host, then the database.

locals {
  host_charts = [
    { title = "Processor of the host (%)", metrics = ["CPUUtilization"], statistic = "Average" },
    { title = "Processor credits of the host", metrics = ["CPUCreditBalance"], statistic = "Minimum" },
    { title = "Network of the host (bytes)", metrics = ["NetworkIn", "NetworkOut"], statistic = "Sum" },
  ]
  database_charts = [
    { title = "Processor of the database (%)", metrics = ["CPUUtilization"], statistic = "Average" },
    { title = "Connections (alarm above ${floor(0.8 * local.database_connections)})", metrics = ["DatabaseConnections"], statistic = "Maximum" },
    { title = "Free disk of the database (bytes)", metrics = ["FreeStorageSpace"], statistic = "Minimum" },
    { title = "Latency of the database's disk (s)", metrics = ["ReadLatency", "WriteLatency"], statistic = "Average" },
    { title = "Free memory of the database (bytes)", metrics = ["FreeableMemory"], statistic = "Minimum" },
    { title = "Processor credits of the database", metrics = ["CPUCreditBalance"], statistic = "Minimum" },
  ]

  charts = concat(
    [for chart in local.host_charts : merge(chart, { namespace = "AWS/EC2", dimension = ["InstanceId", aws_instance.host.id] })],
    [for chart in local.database_charts : merge(chart, { namespace = "AWS/RDS", dimension = ["DBInstanceIdentifier", aws_db_instance.main.identifier] })],
  )
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = local.name

  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type = "text", x = 0, y = 0, width = 24, height = 2
        properties = {
          markdown = "# ${local.name}\n[https://${var.domain}/livez](https://${var.domain}/livez) · host ${aws_eip.host.public_ip} · `make status ENV=${var.environment}` shows replicas, certificate and disk"
        }
      }],
      [{
        type = "alarm", x = 0, y = 2, width = 24, height = 4
        properties = {
          title  = "Alarms"
          alarms = [for alarm in aws_cloudwatch_metric_alarm.all : alarm.arn]
        }
      }],
      [for index, chart in local.charts : {
        type = "metric", x = 8 * (index % 3), y = 6 + 6 * floor(index / 3), width = 8, height = 6
        properties = {
          title   = chart.title
          region  = var.region
          view    = "timeSeries"
          stat    = chart.statistic
          period  = 300
          metrics = [for metric in chart.metrics : concat([chart.namespace, metric], chart.dimension)]
        }
      }],
    )
  })
}
