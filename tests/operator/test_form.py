"""What Terraform says about a form, in the operator's terms."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from herolo_operator import checks_machine
from herolo_operator.checks import Known
from herolo_operator.environment import Environment, Options
from herolo_operator.form import explain_messages, find_placeholders, setting_of, setting_or_default
from herolo_operator.host import public_key_of
from support.commands import REPOSITORY, errors_of, operate


def diagnostic(summary: str, detail: str, line: int | None = None, severity: str = "error") -> str:
    message: dict[str, Any] = {"summary": summary, "detail": detail, "severity": severity}
    if line:
        message["range"] = {"filename": "../somewhere/prod.tfvars", "start": {"line": line}}
    return json.dumps({"type": "diagnostic", "diagnostic": message})


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (
            diagnostic("No value for required variable", 'The root module input variable "acme_email" is not set.'),
            "environments/prod.tfvars: a line is missing: acme_email = ... (environments/example.tfvars explains it)",
        ),
        (
            diagnostic(
                "Value for undeclared variable", 'a value for the variable "domain" of no module', None, "warning"
            ),
            'environments/prod.tfvars line 1: there is no setting "domain": correct its name '
            "(environments/example.tfvars has them all)",
        ),
        (
            diagnostic("Invalid value for variable", "Type 2.\n\nThis was checked by the validation rule at x", 7),
            "environments/prod.tfvars line 7: Type 2.",
        ),
        (
            diagnostic("Variables not allowed", "Variables may not be used here.", 3),
            "environments/prod.tfvars line 3: put the value in double quotes",
        ),
        (diagnostic("Odd", "in  some\nway", 2), "environments/prod.tfvars line 2: Odd: in some way"),
    ],
)
def test_a_fault_is_explained(message: str, complaint: str, environment: Environment) -> None:
    assert explain_messages([message], environment) == [complaint]


def test_faults_come_in_the_order_of_lines_and_once(environment: Environment) -> None:
    messages = [diagnostic("B", "b", 10), diagnostic("A", "a", 9), diagnostic("B", "b", 10)]
    assert [complaint.split(":")[0] for complaint in explain_messages(messages, environment)] == [
        "environments/prod.tfvars line 9",
        "environments/prod.tfvars line 10",
    ]


def test_a_line_that_cannot_be_read_is_not_missing_as_well(environment: Environment) -> None:
    messages = [
        diagnostic("Variables not allowed", "Variables may not be used here.", 1),
        diagnostic("No value for required variable", 'The root module input variable "domain" is not set.'),
    ]
    assert explain_messages(messages, environment) == [
        "environments/prod.tfvars line 1: put the value in double quotes"
    ]


def test_a_line_within_a_comment_is_missing(environment: Environment) -> None:
    message = diagnostic("No value for required variable", 'The root module input variable "domain" is not set.')
    assert explain_messages([message], environment) == [
        "environments/prod.tfvars: a line is missing: domain = ... (environments/example.tfvars explains it)"
    ]


def test_a_right_form_has_no_complaints(environment: Environment) -> None:
    messages = ['{"type": "change_summary"}', "no JSON", diagnostic("Deprecated", "soon", 1, "warning")]
    assert explain_messages(messages, environment) == []


def test_a_silent_terraform_is_a_fault(environment: Environment) -> None:
    assert "terraform version" in explain_messages(["Segmentation fault"], environment)[0]


def test_a_setting_is_read_as_written(environment: Environment) -> None:
    environment.form.write_text('# dns_provider = "none"\n dns_provider  = "duckdns" # ours\n', encoding="utf-8")
    assert setting_of(environment, "dns_provider") == "duckdns"
    assert setting_of(environment, "domain") == ""


@pytest.mark.parametrize(
    ("domain", "email", "complaints"),
    [
        ("herolo.example.com", "ops@example.org", 2),
        ("example.net", "ops@mail.example.com", 2),
        ("yourname.duckdns.org", "ops@herolo.dev", 1),
        ("example.com.herolo.dev", "example.com@herolo.dev", 0),
        ("myexample.com", "ops@myexample.com", 0),
    ],
)
def test_the_values_of_the_examples_are_placeholders(
    environment: Environment, domain: str, email: str, complaints: int
) -> None:
    form = f'domain = "{domain}"\nacme_email = "{email}"\n'
    environment.form.write_text(form, encoding="utf-8")
    assert len(find_placeholders(environment)) == complaints
    environment.form.write_text(f'{form}acme_authority = "https://ca.example.net/directory"\n', encoding="utf-8")
    assert find_placeholders(environment) == []


@pytest.mark.parametrize("has_key", [False, True])
@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_all_complaints_of_a_form_that_was_copied_come_before_anything_is_done(
    tmp_path: Path, command: str, has_key: bool
) -> None:
    form = (REPOSITORY / "environments/example.tfvars").read_text(encoding="utf-8")
    if has_key:
        form = form.replace("AAAA... you@example.com", "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43)
    (tmp_path / "prod.tfvars").write_text(form, encoding="utf-8")
    errors = errors_of(*operate(command, "prod"), env={"HEROLO_ENVIRONMENTS": str(tmp_path)})
    fixes = ["enter your own domain", "enter an address that you read", "Type the one line of a public key file"]
    assert len(errors) == len(fixes) - has_key
    assert all(fix in error for fix, error in zip(fixes, errors))
    assert not (tmp_path / ".prod/terraform.log").exists() and not (tmp_path / "prod.history.jsonl").exists()


FORM = """\
/* The former domain:
domain = "old.example.com" */
\tdomain\t=\t"herolo.example.com"  # with tabs
disk_gib = 30# GiB
acme_authority = "https://acme.example.com/directory" // has slashes
ssh_public_key = "ssh-ed25519 AAAA a@b"
ssh_cidrs = [
  "203.0.113.7/32", # the "office" [first floor]
  "198.51.100.0/24",
]
"""


def test_a_form_is_read_as_terraform_does(environment: Environment) -> None:
    environment.form.write_text(FORM)
    assert setting_of(environment, "domain") == "herolo.example.com"
    assert setting_or_default(environment, "disk_gib") == "30"
    assert setting_or_default(environment, "acme_authority") == "https://acme.example.com/directory"
    assert public_key_of(environment) == "ssh-ed25519 AAAA"


def test_the_networks_of_ssh_are_read_without_their_comments(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.form.write_text(FORM)
    monkeypatch.setattr(checks_machine.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"198.51.100.9\n"))
    row = checks_machine.check_own_address(Known(environment, Options(), "", {}))
    assert row == ("own address", "ok", "198.51.100.9 is in ssh_cidrs")
