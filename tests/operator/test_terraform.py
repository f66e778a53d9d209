"""Where Terraform runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.terraform import LOCK_FILE, Terraform

# Records its arguments and the backend, and writes a lock file as `terraform init` does.
STAND_IN = """#!/bin/sh
folder=${1#-chdir=}
echo "$*" >>"$RECORD"
cat "$folder"/backend*.tf >>"$RECORD"
echo locked >"$folder/.terraform.lock.hcl"
if [ "$2 $3" = "state pull" ]; then printf %s "$PULLED"; fi
if [ "$2" = apply ]; then echo "{}" >"$folder/errored.tfstate"; exit 1; fi
"""


@pytest.fixture
def record(stand_in: Callable[[str, str], Path]) -> Path:
    return stand_in("terraform", STAND_IN)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "backend.tf").write_text('terraform { backend "local" {} }\n')
    return source


def test_two_environments_have_a_copy_each(tmp_path: Path, source: Path, record: Path) -> None:
    here, in_s3 = Environment("here", tmp_path), Environment("there", tmp_path)
    in_s3.s3_backend.write_text('bucket = "states"\n')
    for environment in (here, in_s3):
        environment.work.mkdir()
        Terraform(environment, source).initialise()
    assert record.read_text().splitlines() == [
        f"-chdir={here.work}/infra init -no-color -reconfigure -backend-config=path={here.state}",
        'terraform { backend "local" {} }',
        f"-chdir={in_s3.work}/infra init -no-color -reconfigure -backend-config={in_s3.s3_backend}",
        'terraform { backend "local" {} }',
        "terraform {",
        '  backend "s3" {}',
        "}",
    ]
    assert sorted(path.name for path in source.iterdir()) == [LOCK_FILE, "backend.tf"]


def test_the_copy_follows_its_source(environment: Environment, source: Path, record: Path) -> None:
    (source / "dns.tf").write_text("# old\n")
    Terraform(environment, source).initialise()
    (source / "dns.tf").rename(source / "names.tf")
    Terraform(environment, source).initialise()
    names = sorted(path.name for path in (environment.work / "infra").glob("*.tf"))
    assert names == ["backend.tf", "names.tf"]


def test_the_versions_of_providers_belong_to_the_source(environment: Environment, source: Path, record: Path) -> None:
    Terraform(environment, source).initialise()
    assert (source / LOCK_FILE).read_text() == "locked\n"


@pytest.fixture
def move(environment: Environment, source: Path, record: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Moves the state to a bucket that has this state; returns how Terraform was called last."""

    def move(pulled: str) -> str:
        monkeypatch.setenv("PULLED", pulled)
        environment.state.write_text("{}")
        environment.s3_backend.write_text('bucket = "states"\n')
        Cloud(environment, Options(infra=source)).move_state()
        return [line for line in record.read_text().splitlines() if line.startswith("-chdir")][-1]

    return move


@pytest.mark.parametrize("there", ["", '{"serial": 7, "outputs": {}, "resources": []}'])
def test_a_state_moves_to_a_bucket_that_has_none_or_that_of_a_removed_environment(
    there: str, move: Callable[[str], str], environment: Environment
) -> None:
    assert "init -no-color -migrate-state -force-copy" in move(there)
    assert not environment.state.exists()


@pytest.mark.parametrize("there", ['{"resources": [{}]}', '{"outputs": {"url": {}}, "resources": []}'])
def test_a_state_in_the_bucket_is_not_replaced_by_one_that_may_be_older(
    there: str, move: Callable[[str], str], environment: Environment, record: Path
) -> None:
    with pytest.raises(Failure, match=r"has a state already, .*: move environments/prod\.tfstate away.*another key in"):
        move(there)
    assert environment.state.exists() and "-migrate-state" not in record.read_text()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ('region = "eu-central-1"', 'The attribute "key" is required by the backend'),
        ('key = "herolo/prod.tfstate"', 'The "region" attribute or the "AWS_REGION" or "AWS_DEFAULT_REGION"'),
        ("key = herolo", "Variables may not be used here"),
        ('path = "herolo"', 'An argument named "path" is not expected here'),
    ],
)
def test_a_bucket_that_is_not_described_in_full_is_explained(
    environment: Environment, source: Path, monkeypatch: pytest.MonkeyPatch, setting: str, reason: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    environment.state.write_text("{}")
    environment.s3_backend.write_text(f'bucket = "states"\n{setting}\n')
    with pytest.raises(Failure, match=r"infra/backend\.tf says what to write into it$") as failure:
        Cloud(environment, Options(infra=source)).move_state()
    assert str(failure.value).startswith(f"Terraform refuses environments/prod.s3.tfbackend ({reason}")
    assert environment.state.exists()


def test_a_warning_about_the_bucket_does_not_hide_the_error(
    environment: Environment, source: Path, record: Path
) -> None:
    terraform = Terraform(environment, source)
    warning = (
        'Warning: Deprecated Parameter\n\n  on prod.s3.tfbackend line 5:\n   5: dynamodb_table = "locks"\n\n'
        'The parameter "dynamodb_table" is deprecated.\n'
    )
    terraform.log.write_text(f"{warning}\nError: No valid credential sources found\n\nPlease see the documentation.\n")
    assert "refuses" not in terraform.explain_failure("init")
    terraform.log.write_text(f"{warning}\n{warning.replace('Warning: D', 'Error: D')}")
    assert 'refuses environments/prod.s3.tfbackend (The parameter "dynamodb_table"' in terraform.explain_failure("init")


def in_bucket(environment: Environment) -> None:
    environment.s3_backend.write_text('bucket = "states"\n')


def test_a_state_that_could_not_be_written_stops_everything_until_it_was_pushed(
    environment: Environment, source: Path, record: Path
) -> None:
    in_bucket(environment)
    terraform, file = Terraform(environment, source), environment.work / "infra/errored.tfstate"
    terraform.initialise()
    with pytest.raises(Failure, match=r"is missing in the state in the bucket .*: renew the credentials") as failure:
        terraform.aloud("apply", "plan")
    (push, unlock) = re.findall(r"'(TF_DATA_DIR=.*?)'", str(failure.value))
    assert " force-unlock ID" in unlock
    assert "refuses it as older than the state that is there, move that file away, and remove" in str(failure.value)
    for action in (Cloud.state, Cloud.has_state, Cloud.outputs, Cloud.prepare, Cloud.destroy):
        with pytest.raises(Failure) as refusal:
            action(Cloud(environment, Options(infra=source)))
        assert str(refusal.value) == str(failure.value)
    environment.state.write_text("{}")
    with pytest.raises(Failure, match=r"^what Terraform has done last"):
        Cloud(environment, Options(infra=source)).move_state()
    environment.state.unlink()
    record.unlink()
    subprocess.run(push, shell=True, check=True, cwd="/")
    assert record.read_text().startswith(f"-chdir={environment.work}/infra state push errored.tfstate\n")
    assert not file.exists()
    Terraform(environment, source).initialise()


def test_the_lock_of_a_state_in_a_file_ends_with_the_command_that_holds_it(
    environment: Environment, source: Path, record: Path
) -> None:
    terraform = Terraform(environment, source)
    terraform.initialise()
    with pytest.raises(Failure, match=r"is missing in environments/prod\.tfstate") as failure:
        terraform.aloud("apply", "plan")
    assert "force-unlock" not in str(failure.value)


LOCKED = """
Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error StatusCode: 412, PreconditionFailed
Lock Info:
  ID:        4d42d3c1-0c9d-6f4b-7a54-0f2f4f9f2a11
  Path:      states/herolo/prod.tfstate
  Operation: OperationTypeApply
"""


@pytest.mark.parametrize("prefix", ["", "│ "])
def test_a_lock_is_explained_with_the_command_that_breaks_it(
    prefix: str, environment: Environment, source: Path, record: Path
) -> None:
    terraform = Terraform(environment, source)
    terraform.log.write_text("".join(f"{prefix}{line}\n" for line in LOCKED.splitlines()))
    assert terraform.explain_failure("plan") == "another command is changing prod: wait until it has ended"
    in_bucket(environment)
    explanation = terraform.explain_failure("plan")
    (command,) = re.findall("if you know that it was killed, type '(.*)'$", explanation)
    subprocess.run(command, shell=True, check=True, cwd="/")
    folder, lock = environment.work / "infra", "4d42d3c1-0c9d-6f4b-7a54-0f2f4f9f2a11"
    assert record.read_text().startswith(f"-chdir={folder} force-unlock {lock}\n")
    assert command.startswith(f"TF_DATA_DIR={environment.work}/terraform /")


PRECONDITION = """
Error: Resource precondition failed

  on compute.tf line 83, in resource "aws_instance" "host":
  83:       condition = local.needed <= data.aws_ec2_instance_type.host.memory_size
    ├────────────────
    │ local.needed is 3664

10 replicas do not fit
into t3.small.
"""
ANOTHER = """
Error: Another

Its details.
"""


@pytest.mark.parametrize("log", [PRECONDITION, PRECONDITION + ANOTHER], ids=["alone", "with another"])
def test_a_failed_precondition_is_explained_by_its_own_message(
    environment: Environment, source: Path, log: str
) -> None:
    environment.work.mkdir(exist_ok=True)
    terraform = Terraform(environment, source)
    terraform.log.write_text(log)
    assert terraform.explain_failure("plan") == "10 replicas do not fit into t3.small."
