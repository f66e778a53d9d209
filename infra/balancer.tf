# The balancer in front of several hosts: AWS's Network Load Balancer, which passes TCP connections through to Traefik,
# each with the client's address in a header of the PROXY protocol. A single host has none.
#
# In every zone of the public subnets regardless of the number of hosts, because AWS adds a zone to such a balancer in
# place, but the provider replaces the balancer to remove one.

locals {
  balanced         = var.hosts > 1
  balancer_ports   = local.balanced ? { http = 80, https = 443 } : {}
  health_port      = 8081 # where Traefik says whether this host takes requests
  balancer_subnets = local.balanced ? { for index, subnet in local.public_subnets : index + 1 => subnet.id } : {}

  # Each host at each port, by names such as "2-https".
  targets = merge([
    for name, port in local.balancer_ports : {
      for number in keys(aws_instance.host) : "${number}-${name}" => { host = number, group = name, port = port }
    }
  ]...)
}

resource "aws_eip" "balancer" {
  #checkov:skip=CKV2_AWS_19:They belong to the balancer, below.
  for_each = local.balancer_subnets

  domain = "vpc"

  tags = { Name = "${local.name}-balancer-${each.key}" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_lb" "main" {
  #checkov:skip=CKV_AWS_91:A balancer writes access logs of TLS listeners only, and this one passes TLS through.
  #checkov:skip=CKV_AWS_150:Nothing is lost with it, and fewer hosts or `destroy` remove it.
  #checkov:skip=CKV2_AWS_20:Port 80 is for the certificate authority; Traefik serves nothing else there.
  #checkov:skip=CKV2_AWS_28:A WAF needs a balancer that terminates TLS.
  count = local.balanced ? 1 : 0

  name                             = local.name
  load_balancer_type               = "network"
  internal                         = false
  ip_address_type                  = "ipv4"
  security_groups                  = [aws_security_group.balancer[0].id]
  enable_cross_zone_load_balancing = true # each of its addresses leads to all hosts

  dynamic "subnet_mapping" {
    for_each = local.balancer_subnets

    content {
      subnet_id     = subnet_mapping.value
      allocation_id = aws_eip.balancer[subnet_mapping.key].id
    }
  }

  tags = { Name = local.name }
}

resource "aws_lb_target_group" "main" {
  for_each = local.balancer_ports

  name        = "${local.name}-${each.value}"
  vpc_id      = aws_vpc.main.id
  port        = each.value
  protocol    = "TCP"
  target_type = "instance"

  # The client's address is in the header. Preserved instead, it would break connections of a host to the domain, and
  # those of clients that use one port for two addresses of the balancer.
  preserve_client_ip = "false"
  proxy_protocol_v2  = true

  # A host that leaves says so at its health port, and then serves its connections to their end.
  target_health_state {
    enable_unhealthy_connection_termination = false
    unhealthy_draining_interval             = 300 # seconds, longer than any stream of events
  }

  health_check {
    protocol            = "HTTP"
    port                = local.health_port
    path                = "/healthz"
    matcher             = "200"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  tags = { Name = "${local.name}-${each.value}" }
}

resource "aws_lb_listener" "main" {
  #checkov:skip=CKV_AWS_2:Traefik terminates TLS, and serves nothing over plain HTTP.
  #checkov:skip=CKV_AWS_103:Likewise.
  for_each = local.balancer_ports

  load_balancer_arn = aws_lb.main[0].arn
  port              = each.value
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.main[each.key].arn
  }
}

resource "aws_lb_target_group_attachment" "host" {
  for_each = local.targets

  target_group_arn = aws_lb_target_group.main[each.value.group].arn
  target_id        = aws_instance.host[each.value.host].id
  port             = each.value.port
}
