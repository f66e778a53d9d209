# The hosts: bare Debians with an SSH key. Ansible installs everything else. They are numbered from 1; the first has an
# Elastic IP, which does not change when it is replaced.

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"] # the Debian project

  filter {
    name   = "name"
    values = ["debian-13-amd64-*"]
  }

  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
}

# Not every availability zone of a region offers every instance type.
data "aws_ec2_instance_type_offerings" "host" {
  for_each = toset(data.aws_availability_zones.available.names)

  location_type = "availability-zone"

  filter {
    name   = "location"
    values = [each.key]
  }

  filter {
    name   = "instance-type"
    values = [var.instance_type]
  }
}

data "aws_ec2_instance_type" "host" {
  instance_type = var.instance_type
}

resource "aws_key_pair" "operator" {
  key_name   = local.name
  public_key = var.ssh_public_key

  tags = { Name = local.name }
}

resource "aws_instance" "host" {
  #checkov:skip=CKV_AWS_126:Five-minute metrics are free and suffice for the alarms; one-minute metrics are not free.
  #checkov:skip=CKV_AWS_88:Without a NAT gateway, which costs more, a host reaches the internet by its own address only.
  for_each = toset([for index in range(var.hosts) : tostring(index + 1)])

  ami                    = data.aws_ami.debian.id
  instance_type          = var.instance_type
  subnet_id              = local.host_subnets[(each.key - 1) % length(local.host_subnets)].id
  vpc_security_group_ids = [aws_security_group.host.id]
  key_name               = aws_key_pair.operator.key_name
  iam_instance_profile   = aws_iam_instance_profile.host.name
  ebs_optimized          = true

  # The first has the Elastic IP.
  associate_public_ip_address = each.key == "1" ? null : true

  # Requires a session token, and is out of reach of containers, which are one hop further away.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.disk_gib
    encrypted   = true
  }

  tags = { Name = each.key == "1" ? local.name : "${local.name}-${each.key}" }

  lifecycle {
    # A running host is not replaced for a newer image, since it installs updates itself; nor for another zone, if AWS
    # offers its type in a further one; nor because a stopped host has no public address.
    ignore_changes = [ami, subnet_id, associate_public_ip_address]

    precondition {
      condition = length(local.host_zones) > 0
      error_message = join(" ", [
        "AWS does not offer ${var.instance_type} in ${var.region}:",
        "change instance_type or region in the form.",
      ])
    }

    precondition {
      condition = contains(local.host_zones, aws_subnet.public[0].availability_zone)
      error_message = join(" ", [
        "AWS does not offer ${var.instance_type} in ${aws_subnet.public[0].availability_zone},",
        "the zone of the ${local.balanced ? "first " : ""}host's subnet,",
        "only in ${join(", ", local.host_zones)}:",
        "choose another instance_type in the form.",
      ])
    }

    precondition {
      condition = var.hosts == 1 || length(local.host_subnets) > 1
      error_message = join(" ", [
        "AWS offers ${var.instance_type} in a single zone of the public subnets, ${join(", ", local.host_zones)},",
        "but several hosts must not share one:",
        "choose another instance_type in the form, or set hosts = 1.",
      ])
    }

    precondition {
      condition = contains(data.aws_ec2_instance_type.host.supported_architectures, "x86_64")
      error_message = join(" ", [
        "${var.instance_type} has no Intel or AMD processor, but the image of the service is built for x86-64:",
        "change instance_type in the form, to \"t3.small\" for example.",
      ])
    }

    precondition {
      condition = local.needed_memory_mib <= data.aws_ec2_instance_type.host.memory_size
      error_message = join(" ", [
        "${var.replicas} replicas do not fit into the memory of ${var.instance_type}:",
        "${var.replicas + 1} during an update x ${local.memory_mib.replica} MiB",
        "+ ${local.memory_mib.edge} for Traefik, its filter and its error pages",
        "+ ${local.memory_mib.system} for the system = ${local.needed_memory_mib} MiB, and it has",
        "${data.aws_ec2_instance_type.host.memory_size}. Lower replicas or choose a larger instance_type in the form.",
      ])
    }
  }
}

resource "aws_eip" "host" {
  domain   = "vpc"
  instance = aws_instance.host["1"].id

  tags = { Name = local.name }

  depends_on = [aws_internet_gateway.main]
}

# Environments that were deployed before there were several hosts.
moved {
  from = aws_instance.host
  to   = aws_instance.host["1"]
}
