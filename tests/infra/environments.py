"""The environments that the tests of infra/ have: their forms, and what the operator does with them in a stand-in of
the AWS API."""

import dataclasses
import json
import pathlib
import shutil

from support.cloud import REGION, Cloud
from support.commands import REPOSITORY, TOOLS, environment, operate, run, write_program

STAND_INS = REPOSITORY / "tests/deploy/stand-ins"
INFRA = REPOSITORY / "infra"
SCHEMA = TOOLS / "deploy/schema.whl"
TERRAFORM_SETTINGS = TOOLS / "deploy/terraform.rc"  # the provider comes from a folder

PRODUCTION = """\
domain         = "herolo.example.com"
region         = "{region}"
dns_provider   = "route53"
acme_email     = "ops@example.com"
acme_authority = "staging"
ssh_cidrs      = ["203.0.113.7/32", "198.51.100.0/24"]
ssh_public_key = "{public_key}"
alarm_email    = "ops@example.com"
alarm_webhook  = "https://alarms.example.com/herolo"
logs           = "cloudwatch"
log_days       = 14
backup_days    = 14

service_settings = {{
  HEROLO_DATABASE_MAX_CONNECTIONS = 20
  HEROLO_LIMIT_SENDS              = "600"
}}
"""
TRIAL = """\
domain               = "herolo.example.com"
region               = "{region}"
acme_email           = "ops@example.com"
instance_type        = "m7i.large"
disk_gib             = 40
database_class       = "db.m7g.large"
database_storage_gib = 50
database_multi_az    = true
ssh_cidrs            = ["203.0.113.7/32"]
ssh_public_key       = "{public_key}"
protect              = false
"""


@dataclasses.dataclass(frozen=True)
class Environments:
    """A folder with the forms of the environments prod and trial."""

    folder: pathlib.Path
    key: pathlib.Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        public_key = self.key.with_suffix(".pub").read_text(encoding="utf-8").strip()
        for name, form in (("prod", PRODUCTION), ("trial", TRIAL)):
            self.form(name).write_text(form.format(region=REGION, public_key=public_key), encoding="utf-8")

    @property
    def variables(self) -> dict[str, str]:
        """What makes the commands use this folder."""
        return {"HEROLO_ENVIRONMENTS": str(self.folder)}

    def form(self, name: str) -> pathlib.Path:
        """The form of an environment."""
        return self.folder / f"{name}.tfvars"

    def own_form(self, name: str) -> str:
        """The form, with a domain and an address that Let's Encrypt would not refuse."""
        return (
            self.form(name)
            .read_text(encoding="utf-8")
            .replace("@example.com", "@herolo.dev")
            .replace("herolo.example.com", "herolo.dev")
        )

    def secrets(self, name: str) -> pathlib.Path:
        """The secrets of an environment."""
        return self.folder / f"{name}.secrets.yml"


def translate(target: pathlib.Path, endpoint: str) -> pathlib.Path:
    """A copy of infra/ that the stand-in of the provider understands."""
    run(STAND_INS / "translate.py", INFRA, target, endpoint)
    return target


@dataclasses.dataclass(frozen=True)
class Operator:
    """The operator of prod and trial, whose every file is in one folder."""

    folder: pathlib.Path
    environments: Environments
    cloud: Cloud

    def __post_init__(self) -> None:
        translate(self.infra, self.cloud.endpoint)
        # Each call of Terraform leaves its arguments in a file.
        real = shutil.which("terraform")
        write_program(self.folder / "bin/terraform", f'echo "$*" >>"{self.arguments}"\nexec "{real}" "$@"')

    @property
    def infra(self) -> pathlib.Path:
        """The Terraform files."""
        return self.folder / "infra"

    @property
    def arguments(self) -> pathlib.Path:
        """The arguments of all calls of Terraform."""
        return self.folder / "arguments"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every command."""
        return {
            **self.environments.variables,
            "HEROLO_INFRA": str(self.infra),
            "TF_CLI_CONFIG_FILE": str(TERRAFORM_SETTINGS),
            "PATH": f"{self.folder / 'bin'}:{environment()['PATH']}",
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            # For the state in S3, too.
            "AWS_ACCESS_KEY_ID": "stand-in",
            "AWS_SECRET_ACCESS_KEY": "stand-in",
        }

    def operate(self, *arguments: str) -> str:
        """Runs a command of the operator's tool, which must succeed."""
        return run(*operate(*arguments), env=self.variables)

    def change_databases(self, *arguments: str) -> str:
        """Changes the databases of prod; returns what the plan would change."""
        return self._run("change_databases.py", *arguments)

    def _run(self, program: str, *arguments: str) -> str:
        """Runs a program of this folder, for prod, with the packages of the operator's commands."""
        python, variables = TOOLS / "python/operate/bin/python", {"PYTHONPATH": f"{REPOSITORY}/scripts"}
        return run(
            python, REPOSITORY / "tests/infra" / program, "prod", *arguments, env={**self.variables, **variables}
        )

    def show_alarms(self) -> list[list[str]]:
        """What `make status` tells of the receivers of prod's alarms."""
        return json.loads(self._run("show_alarms.py"))

    def changes(self) -> str:
        """What the saved plan of prod would change."""
        return self.operate("infra", "changes", "prod").strip()

    def show(self, name: str, *plan: pathlib.Path) -> dict:
        """The state of an environment, or a plan, as Terraform tells it; a copy stays in the folder."""
        work = self.environments.folder / f".{name}"
        command = ("terraform", f"-chdir={work / 'infra'}", "show", "-json", *plan)
        text = run(*command, env={**self.variables, "TF_DATA_DIR": str(work / "terraform")})
        (self.folder / f"{name}-{'plan' if plan else 'state'}.json").write_text(text, encoding="utf-8")
        return json.loads(text)

    def plan(self, name: str) -> dict:
        """Plans an environment, and returns what was saved."""
        self.operate("infra", "plan", name)
        return self.show(name, self.environments.folder / f"{name}.tfplan")


class Made:
    """The resources that Terraform made or would make, by type, and the outputs."""

    def __init__(self, document: dict) -> None:
        values = document.get("planned_values") or document["values"]
        self.outputs = {name: output.get("value") for name, output in values["outputs"].items()}
        self.resources = [r for r in values["root_module"]["resources"] if r["mode"] == "managed"]

    def all(self, kind: str) -> list[dict]:
        """All of a type."""
        return [r["values"] for r in self.resources if r["type"] == kind]

    def one(self, kind: str, name: str | None = None) -> dict:
        """The only one of a type (with that name)."""
        found = [r["values"] for r in self.resources if r["type"] == kind and name in (None, r["name"])]
        assert len(found) == 1, f"there are {len(found)} of {kind} {name or ''}"
        return found[0]

    def rules(self, group: str, direction: str) -> list[dict]:
        """The rules of a security group."""
        group_id = self.one("aws_security_group", group)["id"]
        return [
            rule
            for rule in self.all("aws_security_group_rule")
            if rule["security_group_id"] == group_id and rule["type"] == direction
        ]


@dataclasses.dataclass(frozen=True)
class Applied:
    """What came of the first plan of production."""

    changes: str
    made: Made
