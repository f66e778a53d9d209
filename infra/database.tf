# MySQL 8.4 in the private subnets, encrypted on the disk and on the way.

resource "aws_db_subnet_group" "main" {
  name        = local.name
  description = "Where the database of ${local.name} may be"
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

  # What does not fit is an error and is not shortened silently, whatever RDS takes for its default.
  parameter {
    name  = "sql_mode"
    value = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
  }

  parameter {
    name  = "character_set_server"
    value = "utf8mb4"
  }

  # Enough for all replicas during an update, however small the class.
  parameter {
    name  = "max_connections"
    value = tostring(local.database_connections)
  }

  # Seconds after which an idle connection is closed. The service closes its own earlier.
  parameter {
    name  = "wait_timeout"
    value = "600"
  }

  # No client may hand the server a file.
  parameter {
    name  = "local_infile"
    value = "0"
  }

  # The slow query log writes statements out with their values: texts of messages, addresses, words that were searched for.
  # The digests of performance_schema have the same statements and their times, without values.
  parameter {
    name  = "slow_query_log"
    value = "0"
  }

  parameter {
    name         = "performance_schema"
    value        = "1"
    apply_method = "pending-reboot" # a new database starts with it
  }

  tags = { Name = local.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "main" {
  #checkov:skip=CKV_AWS_118:The free metrics are enough for alarms and dashboard; enhanced monitoring costs and needs a role.
  #checkov:skip=CKV_AWS_157:A choice of the form (database_multi_az), because it doubles the price.
  #checkov:skip=CKV_AWS_161:The service logs in by password over TLS; tokens of IAM would need a role on the host.
  #checkov:skip=CKV_AWS_293:A choice of the form (protect), on by default.
  identifier = local.name

  # A version past its standard support is upgraded and not charged for as Extended Support, and a change that was planned
  # and confirmed takes effect now, not in the maintenance window.
  engine                      = "mysql"
  engine_version              = "8.4"
  instance_class              = var.database_class
  parameter_group_name        = aws_db_parameter_group.main.name
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  engine_lifecycle_support    = "open-source-rds-extended-support-disabled"
  apply_immediately           = true

  db_name             = "herolo"
  username            = "herolo_master"
  password_wo         = var.database_master_password
  password_wo_version = var.database_master_password_version

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  multi_az               = var.database_multi_az
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  storage_type          = "gp3"
  storage_encrypted     = true
  allocated_storage     = var.database_storage_gib
  max_allocated_storage = 2 * var.database_storage_gib

  backup_retention_period  = var.backup_days
  backup_window            = "02:00-03:00" # UTC
  maintenance_window       = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot    = true
  delete_automated_backups = true

  deletion_protection       = var.protect && !var.lift_protection
  skip_final_snapshot       = !var.protect
  final_snapshot_identifier = "${local.name}-final-${trimprefix(aws_vpc.main.id, "vpc-")}" # another each time

  enabled_cloudwatch_logs_exports = ["error"]

  tags = { Name = local.name }

  depends_on = [aws_cloudwatch_log_group.database]
}

# RDS would make it itself, without an end and outside of `destroy`.
resource "aws_cloudwatch_log_group" "database" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch; a key of our own costs, and the logs hold no messages.
  #checkov:skip=CKV_AWS_338:A month is enough to find a fault; a year of error logs has no use.
  for_each = toset(["error"])

  name              = "/aws/rds/instance/${local.name}/${each.value}"
  retention_in_days = 30
}
