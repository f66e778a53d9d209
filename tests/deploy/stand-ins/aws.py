#!/usr/bin/env python3
"""Plays the AWS API on this machine, by moto. Run it with the Python that stand-ins/install prepares.

    aws.py PORT_FILE [ADDRESS]

Listens on a free port of ADDRESS (127.0.0.1), writes the port to PORT_FILE when it answers, and ends when it is told to
(SIGTERM), or when whoever started it is gone, unless HEROLO_STAND_IN_STAYS is set. Nothing outlives it.

Where moto differs from AWS in what Terraform reads back, it is mended here, and nowhere else.
"""

import json
import os
import signal
import sys
import tempfile
import threading

# The image of the Debian project, which data.aws_ami.debian looks for.
DEBIAN = {
    "ami_id": "ami-0debian13amd64",
    "name": "debian-13-amd64-20251117-2299",
    "owner_id": "136693071363",
    "description": "Debian 13",
    "state": "available",
    "public": True,
    "image_type": "machine",
    "image_location": "debian/debian-13-amd64",
    "architecture": "x86_64",
    "virtualization_type": "hvm",
    "hypervisor": "xen",
    "root_device_type": "ebs",
    "root_device_name": "/dev/xvda",
    "sriov": "simple",
    "creation_date": "2025-11-17T00:00:00.000Z",
}


def main(port_file, address="127.0.0.1"):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as images:
        json.dump([DEBIAN], images)
        images.flush()
        os.environ["MOTO_AMIS_PATH"] = images.name
        from moto.server import ThreadedMotoServer

        mend_groups_of_instances()  # which makes moto read the images
        mend_source_of_parameters()
    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    with open(port_file + ".new", "w") as file:
        file.write(str(port))
    os.rename(port_file + ".new", port_file)

    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    parent = os.getppid()
    stays = "HEROLO_STAND_IN_STAYS" in os.environ
    while not over.wait(1) and (stays or os.getppid() == parent):
        pass
    os._exit(0)


def mend_groups_of_instances():
    """AWS reports an instance's security groups on the instance, too; moto 5.2.5 only on its network interface when the
    instance is in a subnet, so that each plan would add them again."""
    from moto.ec2.models.instances import Instance

    original = Instance.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if not self.security_groups:
            self.security_groups = [group for nic in self.nics.values() for group in nic.group_set]

    Instance.__init__ = init


def mend_source_of_parameters():
    """AWS says of a parameter that somebody has set that its source is the user; moto 5.2.5 says nothing, so that
    Terraform takes it for a default, and would set it again each time."""
    from moto.rds.models import DBParameterGroup

    original = DBParameterGroup.update_parameters

    def update_parameters(self, new_parameters):
        original(self, [{**parameter, "Source": "user"} for parameter in new_parameters])

    DBParameterGroup.update_parameters = update_parameters


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
