"""Saved summaries, Ansible's output, and the state of a host."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from herolo_operator import process, saved
from herolo_operator.cloud import password_version
from herolo_operator.console import Failure
from herolo_operator.deploy import Deployer
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.history import Entry
from herolo_operator.host import Host
from herolo_operator.playbook import ANSIBLE_PLAYBOOK, Playbook, count_changes, without_retries
from herolo_operator.status import as_document, is_fault
from herolo_operator.terraform import Terraform

SUMMARY = saved.Summary("none", "2 to change", "herolo:1234")


@pytest.fixture
def options(tmp_path: Path) -> Options:
    infra = tmp_path / "infra"
    infra.mkdir()
    (infra / "main.tf").write_text("# none\n")
    return Options(infra=infra)


def test_a_saved_summary_holds(environment: Environment, options: Options) -> None:
    environment.plan.touch()
    saved.save_summary(SUMMARY, environment, options)
    assert saved.read_summary("herolo:1234", environment, options) == SUMMARY


@pytest.mark.parametrize("change", ["release", "form", "secrets", "infra", "settings", "profile", "plan", "forget"])
def test_a_summary_holds_no_longer_than_its_inputs(
    change: str, environment: Environment, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.plan.touch()
    saved.save_summary(SUMMARY, environment, options)
    release = "herolo:1234"
    match change:
        case "release":
            release = "herolo:5678"
        case "form":
            environment.form.write_text('domain = "example.org"\n')
        case "secrets":
            environment.secrets.write_text("---\n")
        case "infra":
            (options.infra / "more.tf").touch()
        case "settings":
            (tmp_path / "settings.json").write_text("{}")
            options = replace(options, settings=str(tmp_path / "settings.json"))
        case "profile":
            monkeypatch.setenv("AWS_PROFILE", "another")
        case "plan":
            environment.plan.unlink()
        case "forget":
            saved.forget_summary(environment)
    assert saved.read_summary(release, environment, options) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"fingerprint": "x", "changes": "none", "colour": "red"}'])
def test_a_summary_that_is_damaged_or_of_another_version_does_not_hold(
    text: str, environment: Environment, options: Options
) -> None:
    environment.plan.touch()
    (environment.work / "planned").write_text(text)
    assert saved.read_summary("herolo:1234", environment, options) is None


def test_a_wait_that_is_no_number_is_refused_before_anything_is_done(environment: Environment) -> None:
    deployer: Any = object.__new__(Deployer)
    deployer.options = Options(wait="soon")
    with pytest.raises(Failure, match=r"^WAIT='soon' is not a number of seconds"):
        deployer.deploy(Entry("deploy"))


def test_ansible_runs_in_any_locale(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host("192.0.2.1", "admin", "22", Path("key"), Path("known_hosts"))
    variables = Playbook(environment, Options(), Deployment({}, {}), [host])._variables(None)
    monkeypatch.setenv("LC_ALL", "xx_XX.ISO-8859-1")
    assert process.run([ANSIBLE_PLAYBOOK, "--version"], variables=variables).succeeded


def test_an_interruption_ends_the_line_of_the_role(
    environment: Environment, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_role(_playbook: Playbook, _release: str, _log: Path, *, descriptor: int) -> bool:
        os.write(descriptor, b"  host         ")
        raise KeyboardInterrupt

    monkeypatch.setattr(Playbook, "_play", begin_role)
    host = Host("192.0.2.1", "admin", "22", Path("key"), Path("known_hosts"))
    with pytest.raises(KeyboardInterrupt):
        Playbook(environment, Options(), Deployment({}, {}), [host]).apply("herolo:1234")
    assert capfd.readouterr().err == "  host         interrupted\n"


def test_ansible_changes_are_counted() -> None:
    recap = "PLAY RECAP ***\nherolo : ok=9 changed={} unreachable=0\nlocalhost : ok=1 changed=7 unreachable=0\n"
    assert count_changes(recap.format(12)) == "12 to change"
    assert count_changes(recap.format(0)) == "nothing to change"


@pytest.mark.parametrize(
    ("log", "restarts"),
    [
        ("TASK [host : Docker | Upgrade Docker and containerd] ***\n+ containerd\nchanged: [herolo]\n", True),
        (
            "TASK [host : Docker | Upgrade Docker and containerd] ***\nok: [herolo]\n\nTASK [x]\nchanged: [herolo]",
            False,
        ),
        ("RUNNING HANDLER [host : Restart Docker] ***\nchanged: [herolo]\n", True),
        ("TASK [host : Reload SSH] ***\nchanged: [herolo]\n", False),
    ],
)
def test_a_restart_of_docker_is_announced(log: str, restarts: bool) -> None:
    recap = "PLAY RECAP ***\nherolo : ok=9 changed=1 unreachable=0\n"
    assert ("Docker restarts" in count_changes(log + recap)) is restarts


def test_lines_of_waiting_are_left_out() -> None:
    assert without_retries("a\nFAILED - RETRYING: wait (3 left)\nb") == "a\nb"


def test_the_version_of_a_password_depends_on_it_alone() -> None:
    assert password_version("a" * 32) == password_version("a" * 32) != password_version("b" * 32)
    assert password_version("a" * 32) > 0


@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        ("Error: No valid credential sources found", "export AWS_PROFILE="),
        ("api error ExpiredToken: The security token is expired", "renew them"),
        ("api error UnauthorizedOperation", "give it the permission named above"),
        ("Error: no matching Route 53 Hosted Zone found", "route53_zone or dns_provider in environments/prod.tfvars"),
        ("Error: Saved plan is stale", "prod has changed since the plan was saved"),
        ("Error acquiring the state lock", "another command is changing prod"),
        ("Error: Failed to read the given file as a state or plan file", "the saved plan of prod is damaged"),
        ('Error: Failed to load "prod.tfplan" as a plan file', "plan again"),
        ("- Unsupported state file format: The state file could", "environments/prod.tfstate is damaged: restore it"),
        ("Unsupported state file format: The state file uses format version 99", "a newer Terraform has written"),
        ("api error InvalidParameter: Invalid parameter: Unreachable Endpoint", "alarm_webhook, which must answer"),
        ("api error DBInstanceAlreadyExists: DB instance already exists", "delete it in AWS's console (RDS)"),
        ("Error: anything else", "terraform plan failed"),
    ],
)
def test_failures_of_terraform_are_explained(words: str, explanation: str, environment: Environment) -> None:
    terraform = Terraform(environment, environment.folder)
    terraform.log.write_text(f"{words}\n")
    assert explanation in terraform.explain_failure("plan")


def test_the_document_of_a_status_names_the_faults() -> None:
    deployment = Deployment({"domain": "herolo.example.com", "host_address": "192.0.2.1"}, {})
    rows = [("https", "answers", "200"), ("service", "NOT COMPLETE", "0 of 3")]
    document = as_document("prod", deployment, rows[:1], {1: rows[1:]}, [])
    assert document["healthy"] is False
    assert document["checks"] == [
        {"name": "https", "state": "answers", "details": "200", "healthy": True},
        {"name": "service", "state": "NOT COMPLETE", "details": "0 of 3", "healthy": False, "host": 1},
    ]
    assert [is_fault(row) for row in rows] == [False, True]
