# The DNS record of the domain, with dns_provider = "route53". Ansible updates DuckDNS; with "none", the output
# dns_record_to_enter is the record to add.

data "aws_route53_zone" "main" {
  count = var.dns_provider == "route53" ? 1 : 0

  name         = local.route53_zone
  private_zone = false
}

resource "aws_route53_record" "domain" {
  count = var.dns_provider == "route53" ? 1 : 0

  zone_id = data.aws_route53_zone.main[0].zone_id
  name    = var.domain
  type    = "A"

  # To the first host, or to the balancer, whose own records have the same time to live.
  ttl     = var.entry == "host" ? 60 : null
  records = var.entry == "host" ? [aws_eip.host.public_ip] : null

  dynamic "alias" {
    for_each = var.entry == "host" ? [] : aws_lb.main

    content {
      name                   = alias.value.dns_name
      zone_id                = alias.value.zone_id
      evaluate_target_health = false # the balancer leaves out its own addresses that do not work
    }
  }
}
