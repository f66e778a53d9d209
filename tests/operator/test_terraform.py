"""Where Terraform runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from herolo_operator.environment import Environment
from herolo_operator.terraform import LOCK_FILE, Terraform

# Records its arguments and the backend, and writes a lock file as `terraform init` does.
STAND_IN = """#!/bin/sh
folder=${1#-chdir=}
echo "$*" >>"$RECORD"
cat "$folder"/backend*.tf >>"$RECORD"
echo locked >"$folder/.terraform.lock.hcl"
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
