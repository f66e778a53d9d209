"""What Ansible makes of the templates of its roles and of their variables when it runs site.yml."""

import base64
import json
import os
import pathlib
import re
import shutil
import sys

import yaml
from support.commands import REPOSITORY, attempt

ROUTING = REPOSITORY / "traefik/routing.yml"
# What earlier releases stored: the certificates of all domains in one file.
FORMER_STORAGE = {
    "acme": {
        "Account": {"Email": "operator@example.com"},
        "Certificates": [
            {"domain": {"main": name}, "certificate": "...", "key": "...", "Store": "default"}
            for name in ("former.example.com", "herolo.example.com")
        ],
    }
}
HOSTS = [
    {
        "number": number,
        "id": f"i-{number}",
        "address": f"203.0.113.{number}",
        "private_address": f"10.20.0.{number}",
        "zone": "a",
    }
    for number in (1, 2, 3)
]
CANARY = "canary"  # is in every secret that the templates are given
DOMAIN = "herolo.example.com"
PINNED_IMAGE = f"registry.example.com:5000/haproxy:filter@sha256:{'0123456789abcdef' * 4}"


def write_inputs(folder: pathlib.Path) -> pathlib.Path:
    """What Terraform puts out, the operator's secrets, and what a host would answer."""
    authority = folder / "ca.pem"
    authority.write_text("an authority\n", encoding="utf-8")
    inputs = {
        "deployment": {
            "environment": "test",
            "region": "eu-central-1",
            "domain": DOMAIN,
            "replicas": 3,
            "ssh_user": "admin",
            "ssh_public_key": "ssh-ed25519 AAAA",
            "hosts": HOSTS[:1],
            "balancer": None,
            "entry": "host",
            "addresses": [HOSTS[0]["address"]],
            "database": {
                "host": "database.example.com",
                "port": 3306,
                "name": "herolo",
                "master_user": "herolo_master",
            },
            "monitoring": {"namespace": "herolo-test", "log_groups": {}},
            "acme": {"email": "operator@example.com", "directory": "https://acme.example.com/dir"},
            "dns_provider": "route53",
            "service_settings": {"HEROLO_CORS_ORIGINS": 'a $b "c" ü: #', "HEROLO_LIMIT_SENDS": "600"},
        },
        "database_master_password": f"{CANARY}-master",
        "database_migrate_password": f"{CANARY}-migrate",
        "database_service_password": f"{CANARY}-service",
        "token_keys": f"k1:{CANARY}-key",
        "duckdns_token": f"{CANARY}-token",
        "smtp_url": f"smtps://{CANARY}-user:password@mail.example.com",
        "database_ca_file": str(authority),
        "service_image": "herolo:release",
        "edge_image": "traefik:edge",
        "socket_filter_image": PINNED_IMAGE,
        "images_ids": {
            "herolo:release": "sha256:service",
            "traefik:edge": "sha256:edge",
            PINNED_IMAGE: "sha256:filter",
        },
        "edge_former_storage": {"content": base64.b64encode(json.dumps(FORMER_STORAGE).encode()).decode()},
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }
    file = folder / "inputs.json"
    file.write_text(json.dumps(inputs), encoding="utf-8")
    return file


class Sources:
    """A copy of ansible/ and traefik/ in which each role renders instead of doing its work."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for name in ("ansible", "traefik"):
            shutil.copytree(REPOSITORY / name, folder / name)
        for role in (folder / "ansible/roles").iterdir():
            shutil.copy(REPOSITORY / "tests/configuration/tasks/render.yml", role / "tasks/main.yml")

    def render(self, inputs: pathlib.Path, result: pathlib.Path, **variables: object) -> pathlib.Path:
        """Runs site.yml, so that the inputs go the way that they go in a deployment. Returns the folder of the first
        host, beside which are those of the others."""
        status, output = self.play(inputs, result, **variables)
        assert status == 0, output
        return result / "host-1"

    def refusal(self, inputs: pathlib.Path, result: pathlib.Path) -> str:
        """Runs site.yml, which must fail, and returns what it said."""
        status, output = self.play(inputs, result)
        assert status != 0, "it was accepted"
        return output

    def play(self, inputs: pathlib.Path, result: pathlib.Path, **variables: object) -> tuple[int, str]:
        """Runs site.yml; returns its status and what it said."""
        temporary = str(self.folder / "ansible-temporary")
        settings = {
            "ANSIBLE_CONFIG": str(self.folder / "ansible/ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": temporary,
            "ANSIBLE_REMOTE_TEMP": temporary,
        }
        extra = json.dumps({"rendered": str(result), **variables})
        playbook = self.folder / "ansible/site.yml"
        command = (pathlib.Path(sys.executable).with_name("ansible-playbook"), playbook)
        done = attempt(*command, "--extra-vars", f"@{inputs}", "--extra-vars", extra, env=settings)
        return done.returncode, done.stdout + done.stderr


class Rendered:
    """What was rendered, by role and file."""

    def __init__(self, folder: pathlib.Path, routing: pathlib.Path = ROUTING) -> None:
        self.folder = folder
        self.texts = {
            str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in sorted(folder.glob("*/*"))
        }
        self.edge = yaml.safe_load(self.texts["edge/stack.yml"])
        self.service = yaml.safe_load(self.texts["service/stack.yml"])
        self.variables_of_edge = yaml.safe_load(self.texts["edge/variables"])
        self.install_text = self.variables_of_edge["edge_install"]
        self.install = yaml.safe_load(self.install_text)
        self.unrouted_text = self.variables_of_edge["edge_unrouted"]
        self.problems_text = self.variables_of_edge["edge_problems_responder"]
        self.routing = yaml.safe_load(routing.read_text(encoding="utf-8"))["http"]

    def router(self, name: str) -> dict:
        """A router of the service's labels, as the file provider would have it."""
        prefix = f"traefik.http.routers.{name}."
        labels = self.service["services"]["api"]["deploy"]["labels"]
        found = {label.removeprefix(prefix): value for label, value in labels.items() if label.startswith(prefix)}
        return {"rule": found["rule"], "entryPoints": [found["entrypoints"]], "service": found["service"]}

    def services(self) -> dict:
        """The services of both stacks."""
        return {**self.edge["services"], **self.service["services"]}

    def connections_of_a_client(self) -> int:
        """How many the firewall takes."""
        return int(re.findall(r" ip saddr ct count over (\d+) ", self.texts["host/nftables.conf"])[0])

    def connections_of_all(self) -> int:
        """How many the firewall takes."""
        return int(re.findall(r"(?m)^ *ct count over (\d+) drop$", self.texts["host/nftables.conf"])[0])


def validations() -> list[tuple[str, str]]:
    """What the roles validate with: role/file, and a command with %s for the file."""
    found = []
    for path in sorted((REPOSITORY / "ansible/roles").glob("*/tasks/*.yml")):
        for task in yaml.safe_load(path.read_text(encoding="utf-8")):
            template = task.get("ansible.builtin.template", {})
            if "validate" in template:
                found.append((f"{path.parts[-3]}/{template['src'].removesuffix('.j2')}", template["validate"]))
    return found


def change(file: pathlib.Path, right: str, wrong: str) -> None:
    """Replaces what matches the pattern, which must be there."""
    text, count = re.subn(right, wrong, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count, f"{right!r} is not in {file.name}: mend this test"
    file.write_text(text, encoding="utf-8")


def make_readable(folder: pathlib.Path) -> None:
    """For other users, such as that of a container to which it is copied."""
    for path in (folder, *folder.rglob("*")):
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
