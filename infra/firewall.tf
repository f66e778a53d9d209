# The allowed connections. One rule per resource, so that a change of one never affects another. The name server and the
# time service of the VPC need no rule.

# --- The hosts ---

resource "aws_security_group" "host" {
  name = "${local.name}-host"
  # AWS replaces a group to change its description, so this one stays what it is while there is one host.
  description = "The host of ${local.name}: HTTP and HTTPS from anywhere, SSH from the operator"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-host" }
}

# From anywhere until the domain leads to the balancer, and everybody knows.

resource "aws_vpc_security_group_ingress_rule" "https" {
  count = var.entry == "balancer" ? 0 : 1

  security_group_id = aws_security_group.host.id
  description       = "The API, from anywhere"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  #checkov:skip=CKV_AWS_260:The certificate authority uses port 80 (ACME HTTP-01); Traefik serves nothing else there.
  count = var.entry == "balancer" ? 0 : 1

  security_group_id = aws_security_group.host.id
  description       = "Validation by the certificate authority, from anywhere"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

locals {
  inner_ports = local.balanced ? { http = 80, https = 443, health = local.health_port } : {}
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = local.inner_ports

  security_group_id            = aws_security_group.host.id
  description                  = "From the balancer: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.balancer[0].id
}

# The certificate, its validation, and whether all peers are healthy before one of them leaves.
resource "aws_vpc_security_group_ingress_rule" "peers" {
  for_each = local.inner_ports

  security_group_id            = aws_security_group.host.id
  description                  = "From the other hosts: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.host.id
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = toset(var.ssh_cidrs)

  security_group_id = aws_security_group.host.id
  description       = "SSH, from a network of the operator"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.host.id
  description       = "Certificate authority, DNS provider and packages"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "http" {
  security_group_id = aws_security_group.host.id
  description       = "Packages of Debian, which are signed"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "time" {
  security_group_id = aws_security_group.host.id
  description       = "Time servers"
  ip_protocol       = "udp"
  from_port         = 123
  to_port           = 123
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "mail" {
  count = var.mail_from == "" ? 0 : 1

  security_group_id = aws_security_group.host.id
  description       = "The mail server, for e-mails to users"
  ip_protocol       = "tcp"
  from_port         = var.smtp_port
  to_port           = var.smtp_port
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.host.id
  description                  = "MySQL, to the database"
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
  referenced_security_group_id = aws_security_group.database.id
}

# The other two ports are open to every address.
resource "aws_vpc_security_group_egress_rule" "peers" {
  count = local.balanced ? 1 : 0

  security_group_id            = aws_security_group.host.id
  description                  = "Health of the other hosts"
  ip_protocol                  = "tcp"
  from_port                    = local.health_port
  to_port                      = local.health_port
  referenced_security_group_id = aws_security_group.host.id
}

# --- The balancer ---

resource "aws_security_group" "balancer" {
  count = local.balanced ? 1 : 0

  name        = "${local.name}-balancer"
  description = "The balancer of ${local.name}: HTTP and HTTPS from anywhere, to the hosts"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "entry" {
  #checkov:skip=CKV_AWS_260:The certificate authority uses port 80 (ACME HTTP-01); Traefik serves nothing else there.
  for_each = local.balancer_ports

  security_group_id = aws_security_group.balancer[0].id
  description       = "The API and the validation by the certificate authority, from anywhere: ${each.key}"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "hosts" {
  for_each = local.inner_ports

  security_group_id            = aws_security_group.balancer[0].id
  description                  = "To the hosts: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.host.id
}

# --- The database, which opens no connections ---

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "The database of ${local.name}: MySQL from the host"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "mysql" {
  security_group_id            = aws_security_group.database.id
  description                  = "MySQL, from the host"
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
  referenced_security_group_id = aws_security_group.host.id
}
