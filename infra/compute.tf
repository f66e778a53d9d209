# The one host. What is on it is Ansible's business; here it gets a bare Debian, a key and an address that stays.

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

resource "aws_key_pair" "operator" {
  key_name   = local.name
  public_key = var.ssh_public_key

  tags = { Name = local.name }
}

resource "aws_instance" "host" {
  #checkov:skip=CKV_AWS_126:The metrics every five minutes are free and enough for the alarms; those every minute are not free.
  #checkov:skip=CKV2_AWS_41:Nothing on the host calls AWS, so it has no role whose credentials could be stolen.
  ami                    = data.aws_ami.debian.id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.public[0].id
  vpc_security_group_ids = [aws_security_group.host.id]
  key_name               = aws_key_pair.operator.key_name
  ebs_optimized          = true

  # Only with a session token, and not from inside a container.
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

  tags = { Name = local.name }

  lifecycle {
    # A newer image is not a reason to replace a running host, which updates itself.
    ignore_changes = [ami]
  }
}

resource "aws_eip" "host" {
  domain   = "vpc"
  instance = aws_instance.host.id

  tags = { Name = local.name }

  depends_on = [aws_internet_gateway.main]
}
