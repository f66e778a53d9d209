locals {
  name = "herolo-${var.environment}" # of everything that has a name

  domain_labels = split(".", var.domain)
  route53_zone = coalesce(
    var.route53_zone,
    length(local.domain_labels) > 2 ? join(".", slice(local.domain_labels, 1, length(local.domain_labels))) : var.domain,
  )

  acme_directories = {
    production = "https://acme-v02.api.letsencrypt.org/directory"
    staging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
  }

  # 16 for each replica (the service's HEROLO_DATABASE_MAX_CONNECTIONS), two replicas more during an update, and some
  # for migrations, backups and people.
  database_connections = (var.replicas + 2) * 16 + 20
}
