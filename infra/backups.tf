# A copy of the automated backups in another region, if backup_region is set.

# The key that RDS has there for the account. KMS creates it when it is first asked for.
data "aws_kms_key" "backup" {
  count = var.backup_region == "" ? 0 : 1

  region = var.backup_region
  key_id = "alias/aws/rds"
}

resource "aws_db_instance_automated_backups_replication" "main" {
  count = var.backup_region == "" ? 0 : 1

  region                 = var.backup_region
  source_db_instance_arn = local.database.arn
  kms_key_id             = data.aws_kms_key.backup[0].arn
  retention_period       = var.backup_days
}
