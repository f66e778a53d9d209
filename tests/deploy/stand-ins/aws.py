#!/usr/bin/env python3
"""Plays the AWS API on this machine, by moto. scripts/python test has the packages.

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
        add_reset_of_parameters()
        mend_public_addresses()
        mend_addresses_of_balancers()
        mend_health_of_targets(port_file + ".targets")
        refuse_names_in_restores()
        mend_restored_databases()
        note_restored_databases(port_file + ".restored")
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
    """AWS reports `user` as the source of a modified parameter. moto 5.2.5 reports none, so Terraform would take it for
    a default and set it again each time."""
    from moto.rds.models import DBParameterGroup

    original = DBParameterGroup.update_parameters

    def update_parameters(self, new_parameters):
        original(self, [{**parameter, "Source": "user"} for parameter in new_parameters])

    DBParameterGroup.update_parameters = update_parameters


def add_reset_of_parameters():
    """AWS can reset some parameters of a group; moto 5.2.5 does not know the operation."""
    from moto.core.responses import ActionResult
    from moto.rds.responses import RDSResponse

    def reset_db_parameter_group(self):
        group = self.backend.db_parameter_groups[self.params["DBParameterGroupName"]]
        for parameter in self.params.get("Parameters", []):
            group.parameters.pop(parameter.original_dict()["ParameterName"], None)
        return ActionResult({"DBParameterGroupName": group.name})

    RDSResponse.reset_db_parameter_group = reset_db_parameter_group


def mend_public_addresses():
    """Those that moto gives to instances are AWS's; its Elastic IPs are in 127.0.0.0/8, which only this machine has."""
    from moto.ec2.models import elastic_network_interfaces
    from moto.ec2.utils import random_ip

    elastic_network_interfaces.random_public_ip = random_ip


def mend_addresses_of_balancers():
    """AWS reports the Elastic IP of a network load balancer in each zone; moto 5.2.5 forgets them."""
    from moto.ec2.models import ec2_backends
    from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

    create, zones = ELBv2Backend.create_load_balancer, FakeLoadBalancer.availability_zones.fget

    def create_load_balancer(self, *args, **kwargs):
        made = create(self, *args, **kwargs)
        mappings = kwargs.get("subnet_mappings") or []
        made.allocations = {m["SubnetId"]: m["AllocationId"] for m in mappings if "AllocationId" in m}
        made.account_id, made.region_name = self.account_id, self.region_name
        return made

    def availability_zones(self):
        ec2 = ec2_backends[self.account_id][self.region_name]
        found = zones(self)
        for zone in found:
            if allocation := self.allocations.get(zone.subnet_id):
                [address] = ec2.address_by_allocation([allocation])
                zone.load_balancer_addresses = [{"IpAddress": address.public_ip, "AllocationId": allocation}]
        return found

    ELBv2Backend.create_load_balancer = create_load_balancer
    FakeLoadBalancer.availability_zones = property(availability_zones)


def mend_health_of_targets(file):
    """moto calls every target healthy. If there is the file, its object has the state of each by the instance's id."""
    from moto.elbv2.models import ELBv2Backend

    original = ELBv2Backend.describe_target_health

    def describe_target_health(self, *args, **kwargs):
        found = original(self, *args, **kwargs)
        if os.path.exists(file):
            with open(file) as states:
                known = json.load(states)
            for health in found:
                if health.status == "healthy":
                    health.status = known.get(health.instance_id, "initial")
        return found

    ELBv2Backend.describe_target_health = describe_target_health


def refuse_names_in_restores():
    """AWS names no database in a MySQL that is made from a backup; moto 5.2.5 takes any name."""
    from moto.rds.exceptions import InvalidParameterValue
    from moto.rds.responses import RDSResponse

    def refuse(method):
        original = getattr(RDSResponse, method)

        def restore(self):
            if self.params.get("DBName"):
                raise InvalidParameterValue("DBName must be null when Restoring for this Engine.")
            return original(self)

        setattr(RDSResponse, method, restore)

    refuse("restore_db_instance_from_db_snapshot")
    refuse("restore_db_instance_to_point_in_time")


def mend_restored_databases():
    """AWS makes a database of its own from automated backups; moto 5.2.5 reports it as a replica of their source."""
    from moto.rds.models import RDSBackend

    original = RDSBackend.restore_db_instance_to_point_in_time

    def restore(self, *args):
        made = original(self, *args)
        made.source_db_instance_identifier = None
        return made

    RDSBackend.restore_db_instance_to_point_in_time = restore


def note_restored_databases(file):
    """moto makes a database from a backup, but does not tell from which. A line for each: its identifier, "snapshot" or
    "database", and the name of that."""
    from moto.rds.models import RDSBackend

    def note(method, kind):
        original = getattr(RDSBackend, method)

        def restore(self, source, *others):
            made = original(self, source, *others)
            with open(file, "a") as notes:
                print(made.db_instance_identifier, kind, source, file=notes)
            return made

        setattr(RDSBackend, method, restore)

    note("restore_db_instance_from_db_snapshot", "snapshot")
    note("restore_db_instance_to_point_in_time", "database")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
