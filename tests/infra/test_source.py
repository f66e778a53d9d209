"""infra/ as it is written: formatting, names, settings, and what Checkov finds."""

import pathlib
import re
import shutil
import subprocess

import pytest
from infra.environments import INFRA, SCHEMA, STAND_INS
from infra.names import check_names
from support.commands import REPOSITORY, environment, run

LONGEST_DOWNLOAD = 300  # seconds, for the current provider


def read(pattern: str) -> str:
    """The files of infra/ with such names, one after the other."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted(INFRA.glob(pattern)))


def blocks_of(kind: str) -> dict[str, str]:
    """The bodies of all blocks of a kind, by their names."""
    return dict(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', read("*.tf"), re.MULTILINE | re.DOTALL))


def test_terraform_files_are_formatted():
    run("terraform", "fmt", "-check", "-diff", "-recursive", "infra")


def test_the_example_form_is_formatted():
    for example in ("example", "example-trial"):
        run("terraform", "fmt", "-check", "-diff", f"environments/{example}.tfvars")


def test_every_name_is_one_that_the_provider_knows():
    faults, checked = check_names(INFRA, SCHEMA)
    assert not faults
    assert checked > 100


def test_the_list_of_translations_names_each_that_applies():
    listed = run(STAND_INS / "translate.py", "list").splitlines()
    assert "target_health_state (balancer.tf: aws_lb_target_group: this block is younger than the stand-in)" in listed
    assert any(line.startswith("password_wo, password_wo_version (database.tf: ") for line in listed)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "complaint"),
    [
        pytest.param("compute.tf", 'domain   = "vpc"', "vpc = true", "no 'vpc'", id="an unknown argument"),
        pytest.param("compute.tf", "http_tokens  ", "http_token   ", "no 'http_token'", id="an argument of a block"),
        pytest.param(
            "balancer.tf", "allocation_id", "allocation", "no 'allocation'", id="an argument of a dynamic block"
        ),
        pytest.param("compute.tf", "root_block_device {", "root_device {", "no 'root_device'", id="a block"),
        pytest.param("dns.tf", 'type    = "A"', "", "'type' is missing", id="a missing argument"),
        pytest.param(
            "outputs.tf",
            "aws_eip.host.public_ip",
            "aws_eip.host.public_address",
            "no attribute 'public_address'",
            id="an attribute",
        ),
        pytest.param(
            "database.tf",
            '"aws_db_parameter_group" "main"',
            '"aws_db_parameters" "main"',
            "no such resource",
            id="a resource",
        ),
    ],
)
def test_a_name_that_the_provider_does_not_know_is_found(tmp_path, file, right, wrong, complaint):
    copy = pathlib.Path(shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform")))
    text = (copy / file).read_text(encoding="utf-8")
    assert right in text, f"{file} has no {right!r}: mend this test"
    (copy / file).write_text(text.replace(right, wrong), encoding="utf-8")
    faults, _ = check_names(copy, SCHEMA)
    assert any(complaint in fault for fault in faults), faults


def test_checkov_finds_nothing_that_is_not_explained():
    folder = run("scripts/python", "checkov").strip()
    # Without a look at the network: what it would fetch is advice for sale.
    options = ("--framework", "terraform", "--compact", "--quiet", "--skip-download")
    run(f"{folder}/checkov", "--directory", "infra", *options)


def test_the_form_and_its_example_have_the_same_settings_in_the_same_order():
    asked = read("variables.tf").split("# --- Set by the scripts")[0]
    example = (REPOSITORY / "environments/example.tfvars").read_text(encoding="utf-8")
    variables = re.findall(r'^variable "(.*)" \{', asked, re.MULTILINE)
    assert re.findall(r"^#* *([a-z0-9_]+) *= ", example, re.MULTILINE) == variables


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_variable_and_every_output_is_described(kind):
    blocks = blocks_of(kind)
    assert blocks
    assert not [name for name, body in blocks.items() if not re.search(r'^  description = "', body, re.MULTILINE)]


def test_the_password_of_the_database_ends_in_a_write_only_argument_and_nowhere_else():
    uses = [
        (path.name, line.split("=")[0].strip())
        for path in sorted(INFRA.glob("*.tf"))
        if path.name != "variables.tf"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"var\.database_master_password\b", line)
    ]
    assert uses == [("database.tf", "password_wo")]
    assert re.search(r"^  ephemeral +=\s+true$", blocks_of("variable")["database_master_password"], re.MULTILINE)


def test_the_current_provider_finds_infra_valid(tmp_path):
    # What this proves is proven by the names and by an older provider where the registry is out of reach.
    for path in (*INFRA.glob("*.tf"), *INFRA.glob(".terraform.lock.hcl")):
        shutil.copy(path, tmp_path)
    command = ["terraform", f"-chdir={tmp_path}", "init", "-backend=false", "-input=false", "-no-color"]
    done = subprocess.run(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_DOWNLOAD,
    )
    if re.search("could not (connect|query)|failed to request discovery", done.stdout):
        pytest.skip("the provider registry is out of reach")
    assert done.returncode == 0, done.stdout
    run("terraform", f"-chdir={tmp_path}", "validate", "-no-color")
