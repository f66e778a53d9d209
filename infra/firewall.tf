# The allowed connections. One rule per resource, so that a change of one never affects another. The VPC's name server
# and the time service of AWS need no rule.

# --- The host ---

resource "aws_security_group" "host" {
  name        = "${local.name}-host"
  description = "The host of ${local.name}: HTTP and HTTPS from anywhere, SSH from the operator"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-host" }
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.host.id
  description       = "The API, from anywhere"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  #checkov:skip=CKV_AWS_260:The certificate authority asks its questions on port 80 (ACME HTTP-01); everything else there is sent on to HTTPS.
  security_group_id = aws_security_group.host.id
  description       = "Certificate checks and the way to HTTPS, from anywhere"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
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

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.host.id
  description                  = "MySQL, to the database"
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
  referenced_security_group_id = aws_security_group.database.id
}

# --- The database, which opens no connection itself ---

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
