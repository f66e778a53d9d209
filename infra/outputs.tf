# --- The input of Ansible ---

locals {
  hosts = [for number in sort(keys(aws_instance.host)) : {
    number          = tonumber(number)
    id              = aws_instance.host[number].id
    address         = number == "1" ? aws_eip.host.public_ip : aws_instance.host[number].public_ip
    private_address = aws_instance.host[number].private_ip
    zone            = aws_instance.host[number].availability_zone
  }]

  balancer_addresses = [for number in sort(keys(aws_eip.balancer)) : aws_eip.balancer[number].public_ip]
  addresses          = var.entry == "host" ? [aws_eip.host.public_ip] : local.balancer_addresses
}

output "deployment" {
  description = "The input of Ansible: the addresses of the hosts and the database, and settings of the form."
  value = {
    environment  = var.environment
    region       = var.region
    domain       = var.domain
    dns_provider = var.dns_provider
    replicas     = var.replicas
    hosts        = local.hosts
    ssh_user     = "admin" # of Debian's images
    entry        = var.entry
    addresses    = local.addresses

    balancer = local.balanced ? {
      name          = one(aws_lb.main[*].dns_name)
      addresses     = local.balancer_addresses
      target_groups = { for name, group in aws_lb_target_group.main : name => group.arn }
    } : null

    # An older release does not know these settings, so their defaults are left out.
    service_settings = merge(
      var.sign_ups == "open" ? {} : { HEROLO_SIGN_UPS = var.sign_ups },
      var.mail_from == "" ? {} : { HEROLO_MAIL_FROM = var.mail_from },
      var.service_settings,
    )

    ssh_public_key = var.ssh_public_key # EC2 installs it only at the first boot

    database = {
      host        = local.database.address
      port        = local.database.port
      name        = "herolo"
      master_user = local.database.username
    }

    monitoring = {
      namespace  = local.name
      log_groups = local.log_groups
    }

    acme = {
      email     = var.acme_email
      directory = lookup(local.acme_directories, var.acme_authority, var.acme_authority)
    }
  }
}

# --- For operators ---

output "url" {
  description = "The URL of the API."
  value       = "https://${var.domain}"
}

output "addresses" {
  description = "The addresses to which the domain must lead now: the first host's, or those of the balancer."
  value       = local.addresses
}

output "dns_record_to_enter" {
  description = "The DNS records to add at your provider, with dns_provider = \"none\"; otherwise empty."
  value = var.dns_provider == "none" ? join("\n", [
    for address in local.addresses : "${var.domain}. 60 IN A ${address}"
  ]) : ""
}

output "dashboard_url" {
  description = "The URL of the CloudWatch dashboard."
  value = join("", [
    "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}",
    "#dashboards/dashboard/${local.name}",
  ])
}

# --- For the next deployment ---

output "secrets_fingerprints" {
  description = "Salted hashes of the secrets by name: a file with other secrets is not the file of this deployment."
  value       = var.secrets_fingerprints
}

output "deployment_format" {
  description = "The deployment format: an older version of Herolo refuses to change this environment."
  value       = var.deployment_format
}

output "database_current" {
  description = "The name of the database that the service uses."
  value       = var.database_current
}

output "database_hosts" {
  description = "The host names of the databases by name."
  value       = { for name, database in aws_db_instance.main : name => database.address if !var.databases[name].drill }
}
