# Two availability zones, because RDS requires subnets in two, and a third one for several hosts. The first host is in
# the first public subnet, the others are spread over all of them; the database is in the private ones, which have no
# route to or from the internet, and so need no NAT gateway.
#
# IPv4 only: Docker would forward IPv6 clients to Traefik with an address of its own, but the rate limits per client
# need the client's.

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:A zone that AWS adds later changes nothing, since the subnets ignore changes of their zone.
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"] # no local zones, which lack instance types
  }
}

resource "aws_vpc" "main" {
  #checkov:skip=CKV2_AWS_11:Flow logs would cost more than the only public host, where SSH and Traefik log connections.
  cidr_block           = "10.20.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = local.name }
}

# A resource in the VPC without a security group of its own has no access to the network.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-default-closed" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = local.name }
}

# --- Public: the hosts and the balancer ---

resource "aws_subnet" "public" {
  count = 2

  vpc_id                  = aws_vpc.main.id
  availability_zone       = local.zones[count.index]
  cidr_block              = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
  map_public_ip_on_launch = false # only the hosts and the balancer have public addresses

  tags = { Name = "${local.name}-public-${count.index + 1}" }

  lifecycle {
    ignore_changes = [availability_zone]
  }
}

# A resource of its own, since its zone has to differ from those of the other two, whatever AWS lists first by now.
resource "aws_subnet" "third" {
  count = local.balanced && length(local.other_zones) > 0 ? 1 : 0

  vpc_id                  = aws_vpc.main.id
  availability_zone       = local.other_zones[0]
  cidr_block              = cidrsubnet(aws_vpc.main.cidr_block, 8, 2)
  map_public_ip_on_launch = false

  tags = { Name = "${local.name}-public-3" }

  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  count = 2

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table_association" "third" {
  count = length(aws_subnet.third)

  subnet_id      = aws_subnet.third[count.index].id
  route_table_id = aws_route_table.public.id
}

# --- Private: the database ---

resource "aws_subnet" "private" {
  count = 2

  vpc_id                  = aws_vpc.main.id
  availability_zone       = local.zones[count.index]
  cidr_block              = cidrsubnet(aws_vpc.main.cidr_block, 8, 100 + count.index)
  map_public_ip_on_launch = false

  tags = { Name = "${local.name}-private-${count.index + 1}" }

  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-private" }
}

resource "aws_route_table_association" "private" {
  count = 2

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}
