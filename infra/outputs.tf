# --- For Ansible, which reads nothing else ---

output "deployment" {
  description = "The input of Ansible: the addresses of the host and the database, and the settings of the form for the service."
  value = {
    environment  = var.environment
    region       = var.region
    domain       = var.domain
    dns_provider = var.dns_provider
    replicas     = var.replicas
    host_id      = aws_instance.host.id
    host_address = aws_eip.host.public_ip
    ssh_user     = "admin" # of Debian's images

    ssh_public_key = var.ssh_public_key # EC2 installs it only once

    database = {
      host        = aws_db_instance.main.address
      port        = aws_db_instance.main.port
      name        = "herolo"
      master_user = aws_db_instance.main.username
    }

    acme = {
      email     = var.acme_email
      directory = lookup(local.acme_directories, var.acme_authority, var.acme_authority)
    }
  }
}

# --- For people ---

output "url" {
  description = "The URL of the API."
  value       = "https://${var.domain}"
}

output "address" {
  description = "The host's address, which does not change when the host is replaced."
  value       = aws_eip.host.public_ip
}

output "dns_record_to_enter" {
  description = "The DNS record to add at your provider, with dns_provider = \"none\"; otherwise empty."
  value       = var.dns_provider == "none" ? "${var.domain}. 60 IN A ${aws_eip.host.public_ip}" : ""
}

output "dashboard_url" {
  description = "The URL of the CloudWatch dashboard."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${local.name}"
}
