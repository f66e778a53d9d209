#!/usr/bin/env python3
"""Makes a copy of infra/ that the stand-in provider understands and that talks to a stand-in of the AWS API.

    translate.py SOURCE TARGET ENDPOINT     translate.py infra /tmp/copy http://127.0.0.1:5000
    translate.py list                       prints what is translated, and why

The stand-in is hashicorp/aws 3.39.0, of 2021: the newest that can be had where the provider registry cannot be reached.
What it does not know is below, and nowhere else. Every line must apply: a translation that finds nothing to translate
is an error, so that this list does not outlive its use. That the names of the original are right for the provider that
it asks for, tests/infra/names.py says.
"""

import pathlib
import re
import sys

# (file, what the product says (a regular expression), what the stand-in understands, why)
DIFFERENCES = [
    ("terraform.tf", r'version = "~> 6\.\d+"', 'version = "3.39.0"', "the version that can be had"),
    ("compute.tf", r'domain   = "vpc"', "vpc      = true", "aws_eip: its older name"),
    (
        "balancer.tf",
        r"  target_health_state \{[^}]*\}\n",
        "",
        "aws_lb_target_group: this block is younger than the stand-in",
    ),
    ("balancer.tf", r'domain = "vpc"', "vpc = true", "aws_eip: its older name"),
    ("database.tf", r"db_name  ", "name     ", "aws_db_instance: its older name"),
    (
        "database.tf",
        r"password_wo +=.*",
        'password = "stand-in-${var.database_master_password_version}"',
        "no write-only arguments: the password stays what it is in the product, ephemeral, but goes nowhere; "
        "the rehearsal sets it in the real MySQL itself, when this one changes with its version",
    ),
    ("database.tf", r"password_wo_version += .*\n", "\n", "likewise"),
    (
        "database.tf",
        r"engine_lifecycle_support += .*\n",
        "\n",
        "Extended Support is younger than the stand-in",
    ),
    (
        "backups.tf",
        r'data "aws_kms_key"[\s\S]+',
        "",
        "aws_db_instance_automated_backups_replication is younger than the stand-in",
    ),
    (
        "firewall.tf",
        r'"aws_vpc_security_group_(in|e)gress_rule" "(\w+)" \{',
        r'"aws_security_group_rule" "\1gress_\2" {\n  type = "\1gress"',
        "the older resource for the same rule",
    ),
    ("firewall.tf", r"ip_protocol ", "protocol ", "likewise"),
    ("firewall.tf", r"cidr_ipv4 += (.*)", r"cidr_blocks = [\1]", "likewise"),
    ("firewall.tf", r"referenced_security_group_id", "source_security_group_id", "likewise"),
]

# The services whose API the stand-in plays. (The current provider reads AWS_ENDPOINT_URL instead.)
SERVICES = ["cloudwatch", "cloudwatchlogs", "ec2", "elb", "iam", "rds", "route53", "sns", "sts"]

PROVIDER = """\
provider "aws" {{{alias}
  access_key                  = "stand-in"
  secret_key                  = "stand-in"
  skip_credentials_validation = true
  skip_metadata_api_check     = true

  endpoints {{
{endpoints}
  }}
}}
"""


def main(source, target, endpoint):
    source, target = pathlib.Path(source), pathlib.Path(target)
    target.mkdir(parents=True, exist_ok=True)
    texts = {path.name: path.read_text() for path in source.glob("*.tf") if not path.name.endswith("_override.tf")}
    for file, product, stand_in, _ in DIFFERENCES:
        texts[file], count = re.subn(product, stand_in, texts[file])
        if count == 0:
            sys.exit(
                f"error: {source / file} has nothing like '{product}': take that line out of DIFFERENCES in {__file__}"
            )
    # Terraform merges this into the product's own provider block.
    endpoints = "\n".join(f'    {service} = "{endpoint}"' for service in SERVICES)
    aliases = ("", '\n  alias                       = "us_east_1"')
    texts["providers_override.tf"] = "\n".join(PROVIDER.format(alias=alias, endpoints=endpoints) for alias in aliases)
    for name, text in texts.items():
        (target / name).write_text(text)


def show():
    """One line for each reason."""
    reasons = {}
    for file, product, _, why in DIFFERENCES:
        if why != "likewise":
            reason = f"{file}: {why}"
        # The first word of the expression names the argument, block or resource.
        reasons.setdefault(reason, []).append(re.search(r"[a-z]{2}[a-z0-9_]*", product).group())
    for reason, names in reasons.items():
        print(f"{', '.join(names)} ({reason})")


if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        show()
    elif len(sys.argv) == 4:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)
