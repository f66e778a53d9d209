# The address of the domain, with dns_provider = "route53". DuckDNS is told by Ansible; with "none" the output
# dns_record_to_enter says what to enter.

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
  ttl     = 60
  records = [aws_eip.host.public_ip]
}
