locals {
  name = "herolo-${var.environment}" # of all resources with a name

  domain_labels = split(".", var.domain)
  parent_domain = join(".", slice(local.domain_labels, 1, length(local.domain_labels)))
  route53_zone = coalesce(
    var.route53_zone,
    length(local.domain_labels) > 2 ? local.parent_domain : var.domain,
  )

  acme_directories = {
    production = "https://acme-v02.api.letsencrypt.org/directory"
    staging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
  }

  # The zones that offer the hosts' instance type, and those of the subnets: the former first.
  host_zones = [
    for zone in data.aws_availability_zones.available.names : zone
    if length(data.aws_ec2_instance_type_offerings.host[zone].instance_types) > 0
  ]
  zones       = distinct(concat(local.host_zones, data.aws_availability_zones.available.names))
  other_zones = [for zone in local.zones : zone if !contains(aws_subnet.public[*].availability_zone, zone)]

  # Two, and with several hosts a third one in another zone, if there is one. Hosts are placed in turn in those whose
  # zone offers their instance type; if none does, a precondition in compute.tf says so.
  public_subnets = concat(aws_subnet.public, aws_subnet.third)
  offering       = [for subnet in local.public_subnets : subnet if contains(local.host_zones, subnet.availability_zone)]
  host_subnets   = length(local.offering) > 0 ? local.offering : aws_subnet.public

  # The limits in the stack files of ansible/roles/service and ansible/roles/edge, and what Debian and Docker use.
  memory_mib = {
    replica = 256
    edge    = 384 + 64 + 64
    system  = 400
  }
  needed_memory_mib = (var.replicas + 1) * local.memory_mib.replica + local.memory_mib.edge + local.memory_mib.system

  # Those of each replica, with two more replicas of each host during an update, and some for migrations, backups and
  # administrators.
  replica_connections  = try(tonumber(var.service_settings["HEROLO_DATABASE_MAX_CONNECTIONS"]), 16)
  database_connections = var.hosts * (var.replicas + 2) * local.replica_connections + 20

  # The databases by name. The one that a first deployment makes is named after the environment alone.
  database_identifiers = {
    for name in keys(var.databases) : name => name == "first" ? local.name : "${local.name}-${name}"
  }
  has_standby = var.database_multi_az == null ? local.balanced : var.database_multi_az
  multi_az    = { for name, database in var.databases : name => local.has_standby && !database.drill }

  # Unique, since RDS refuses to delete a database whose final snapshot exists already.
  final_snapshot_suffix = coalesce(var.final_snapshot_suffix, trimprefix(aws_vpc.main.id, "vpc-"))
  database              = aws_db_instance.main[var.database_current]
}
