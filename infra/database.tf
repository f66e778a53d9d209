# MySQL 8.4 in the private subnets, encrypted at rest and in transit.

resource "aws_db_subnet_group" "main" {
  name        = local.name
  description = "Subnets of the database of ${local.name}"
  subnet_ids  = aws_subnet.private[*].id

  tags = { Name = local.name }
}

resource "aws_db_parameter_group" "main" {
  name_prefix = "${local.name}-"
  description = "Settings of the database of ${local.name}"
  family      = "mysql8.4"

  # Connections without TLS are rejected.
  parameter {
    name  = "require_secure_transport"
    value = "1"
  }

  # Strict mode, independent of RDS's default: a value that does not fit is an error rather than truncated.
  parameter {
    name = "sql_mode"
    value = join(",", [
      "ONLY_FULL_GROUP_BY", "STRICT_TRANS_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO",
      "NO_ENGINE_SUBSTITUTION",
    ])
  }

  parameter {
    name  = "character_set_server"
    value = "utf8mb4"
  }

  # Enough for all replicas during an update, regardless of the instance class.
  parameter {
    name  = "max_connections"
    value = tostring(local.database_connections)
  }

  # Seconds after which an idle connection is closed. The service sets its own for its sessions.
  parameter {
    name  = "wait_timeout"
    value = "600"
  }

  # Clients cannot load files into the server.
  parameter {
    name  = "local_infile"
    value = "0"
  }

  # The slow query log contains the values of statements: texts of messages, e-mail addresses, search terms. The digests
  # of performance_schema contain the same statements and their times without values.
  parameter {
    name  = "slow_query_log"
    value = "0"
  }

  parameter {
    name         = "performance_schema"
    value        = "1"
    apply_method = "pending-reboot" # a new database starts with it
  }

  # Each connection prepares up to 300 statements (service/src/db/pool.rs), of which MySQL allows 16,382 in total.
  parameter {
    name  = "max_prepared_stmt_count"
    value = tostring(300 * local.database_connections)
  }

  # For several hosts only: a single one keeps the settings that it has. With a standby, what was acknowledged must
  # outlive the failure of either instance; both are MySQL's own defaults, set so that no change from elsewhere lasts.
  dynamic "parameter" {
    for_each = local.balanced ? {
      innodb_flush_log_at_trx_commit = 1
      sync_binlog                    = 1
    } : {}

    content {
      name  = parameter.key
      value = tostring(parameter.value)
    }
  }

  tags = { Name = local.name }

  lifecycle {
    create_before_destroy = true
  }
}

# Usually one. While a backup is restored, the database from it is beside the one that it is to replace
# (scripts/herolo_operator/databases.py).
resource "aws_db_instance" "main" {
  #checkov:skip=CKV_AWS_118:Free metrics suffice for alarms and dashboard; enhanced ones have a price and need a role.
  #checkov:skip=CKV_AWS_133:A setting of the form (backup_days); only the database of a drill has no backups.
  #checkov:skip=CKV_AWS_353:The digests of performance_schema suffice, and small classes do not offer it.
  #checkov:skip=CKV_AWS_157:A setting of the form (database_multi_az), because it doubles the price.
  #checkov:skip=CKV_AWS_161:The service logs in by password over TLS; containers cannot use the role of the host.
  #checkov:skip=CKV_AWS_293:A setting of the form (protect), on by default.
  for_each = var.databases

  identifier = local.database_identifiers[each.key]

  # A version past its standard support is upgraded rather than charged for as Extended Support. A change that was
  # planned and confirmed takes effect immediately rather than in the maintenance window.
  engine                      = "mysql"
  engine_version              = "8.4"
  instance_class              = each.value.drill ? "db.t4g.micro" : var.database_class
  parameter_group_name        = aws_db_parameter_group.main.name
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  engine_lifecycle_support    = "open-source-rds-extended-support-disabled"
  apply_immediately           = true

  # The backup from which the database is made: a snapshot, or a second of a source's automated backups.
  snapshot_identifier = each.value.snapshot

  dynamic "restore_to_point_in_time" {
    for_each = each.value.source == null ? [] : [each.value]

    content {
      source_db_instance_identifier = restore_to_point_in_time.value.source
      restore_time                  = restore_to_point_in_time.value.time
      use_latest_restorable_time    = restore_to_point_in_time.value.time == null ? true : null
    }
  }

  # A backup has its own, and AWS refuses a name for the database of one.
  db_name             = each.value.snapshot == null && each.value.source == null ? "herolo" : null
  username            = "herolo_master"
  password_wo         = var.database_master_password
  password_wo_version = var.database_master_password_version

  # Beside the first host, unless a standby is in the other zone: traffic between zones costs money and time.
  availability_zone = local.multi_az[each.key] ? null : aws_subnet.private[0].availability_zone

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  multi_az               = local.multi_az[each.key]
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  storage_type          = "gp3"
  storage_encrypted     = true
  allocated_storage     = var.database_storage_gib
  max_allocated_storage = 2 * var.database_storage_gib

  backup_retention_period  = each.value.drill ? 0 : var.backup_days
  backup_window            = "02:00-03:00"         # UTC
  maintenance_window       = "sun:04:30-sun:05:30" # after the host's own reboot at 03:30
  copy_tags_to_snapshot    = true
  delete_automated_backups = true

  deletion_protection       = var.protect && !var.lift_protection && !each.value.drill && !each.value.retired
  skip_final_snapshot       = !var.protect || each.value.drill
  final_snapshot_identifier = "${local.database_identifiers[each.key]}-final-${local.final_snapshot_suffix}"

  enabled_cloudwatch_logs_exports = ["error"]

  tags = { Name = local.database_identifiers[each.key] }

  lifecycle {
    # It moves when its standby takes over, and a move by Terraform would delete it.
    ignore_changes = [availability_zone]
  }

  depends_on = [aws_cloudwatch_log_group.database]
}

# Otherwise RDS would create it, without a retention period and outside of `destroy`.
resource "aws_cloudwatch_log_group" "database" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch; a key of our own has a price, and the logs contain no messages.
  #checkov:skip=CKV_AWS_338:A month of error logs suffices to find a fault.
  for_each = var.databases

  name              = "/aws/rds/instance/${local.database_identifiers[each.key]}/error"
  retention_in_days = 30
}

# Environments that were deployed before databases had names.
moved {
  from = aws_db_instance.main
  to   = aws_db_instance.main["first"]
}

moved {
  from = aws_cloudwatch_log_group.database["error"]
  to   = aws_cloudwatch_log_group.database["first"]
}
