"""From one host to several and back, stage by stage, with Terraform and a stand-in of the AWS API."""

import json
import re

import pytest
from infra.environments import PRODUCTION
from support.cloud import REGION
from support.commands import REPOSITORY, TOOLS, run, write_program
from support.name_server import NameServer

NAME = "many"
SSH = """\
#!/bin/sh
echo "$*" >>"{record}"
cat >>"{record}"
"""


@pytest.fixture(scope="module")
def fleet(operator):
    """Changes the number of hosts of an environment of its own; returns what was done."""
    form, key = operator.environments.form(NAME), operator.environments.key
    text = PRODUCTION.format(region=REGION, public_key=key.with_suffix(".pub").read_text().strip())
    text = text.replace("herolo.example.com", "many.example.com")
    write_program(operator.folder / "fleet/ssh", SSH.format(record=operator.folder / "ssh"))

    def outputs():
        return json.loads(run("terraform", "output", f"-state={form.parent}/{NAME}.tfstate", "-json"))

    def records():
        names = operator.cloud.names()
        if ("many.example.com", "A") in names and not names["many.example.com", "A"]:  # an alias
            names["many.example.com", "A"] = outputs()["addresses"]["value"]
        return names

    server = NameServer(records).start()
    variables = {
        **operator.variables,
        "PATH": f"{operator.folder / 'fleet'}:{operator.variables['PATH']}",
        "PYTHONPATH": f"{REPOSITORY}/scripts",
        "SSH_KEY": str(key),
        "HEROLO_DNS_SERVER": f"127.0.0.1:{server.server_address[1]}",
        "HEROLO_SETTLING": "0",
        "HEROLO_DRAINED": "0",
        "WAIT": "30",
    }

    def change(hosts, settings="", **more):
        form.write_text(f"{text}hosts = {hosts}\n{settings}")
        if not operator.environments.secrets(NAME).exists():
            operator.operate("secrets", NAME)
        return run(
            TOOLS / "python/operate/bin/python",
            REPOSITORY / "tests/infra/change_hosts.py",
            NAME,
            env={**variables, **more},
        )

    yield change
    server.shutdown()


def count_drains(operator):
    """Since the last question."""
    record = operator.folder / "ssh"
    drains = record.read_text().count("herolo-drain start") if record.exists() else 0
    record.unlink(missing_ok=True)
    return drains


def test_the_number_of_hosts_changes_stage_by_stage(fleet, operator):
    (first,) = re.findall(r"^addresses (.*)$", fleet(1), re.MULTILINE)
    grown = fleet(3).splitlines()
    assert grown[0] == "configure 1 2 3" and len(grown[-1].split()) == 4  # an address in each zone
    assert fleet(2).splitlines()[:2] == ["configure 1 2 3", "configure 1 2"]
    assert count_drains(operator) == 1
    larger = 'instance_type = "t3.medium"\n'
    assert fleet(2, larger, REPLACE="2").splitlines()[:2] == ["configure 1 2", "configure 1 2"]
    assert count_drains(operator) == 3  # both restart, and then the second leaves
    assert fleet(1, larger).splitlines() == ["configure 1 2", "configure 1", f"addresses {first}"]
    assert count_drains(operator) == 0
