"""Checks of the operator's machine, and how doctor shows what all checks have found."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from herolo_operator import checks_machine, doctor
from herolo_operator.checks import Known
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.form import setting_or_default
from support.commands import REPOSITORY, attempt, operate

ROWS = [("docker", "ok", "28.1"), ("own address", "WARNING", "not in ssh_cidrs"), ("vcpus", "unknown", "not allowed")]
FAULT = ("ipv6", "NOT REACHABLE", "there is an AAAA record: remove it")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key", "")


def make_key(file: Path, passphrase: str) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "operator", "-f", file]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file


def fill_in(environment: Environment, key: Path) -> None:
    public = key.with_name(f"{key.name}.pub").read_text().strip()
    environment.form.write_text(f'ssh_public_key = "{public}"\nssh_cidrs = ["203.0.113.7/32"]\n')


# --- What is shown


def test_a_table_without_a_fault_succeeds(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: ROWS)
    doctor.show_doctor(environment, Options(), as_json=False)
    assert capsys.readouterr().out.splitlines()[1] == "  own address    WARNING          not in ssh_cidrs"


def test_a_fault_fails_after_the_table(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: [*ROWS, FAULT])
    with pytest.raises(Failure, match="each line with NOT says how to fix it"):
        doctor.show_doctor(environment, Options(), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["healthy"] is False
    assert [check["healthy"] for check in document["checks"]] == [True, True, True, False]


def test_a_command_ends_at_its_beginning_with_each_fault(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(environment, Options())
    monkeypatch.setattr(doctor, "examine", lambda *_: ROWS)
    assert doctor.check_before(cloud) == "1 warning, 1 unknown: see make doctor"
    monkeypatch.setattr(doctor, "examine", lambda *_: [*ROWS, FAULT, ("caa", "NOT PERMITTED", "add a CAA record")])
    with pytest.raises(Failure, match="ipv6: there is an AAAA record: remove it\nerror: caa: add a CAA record"):
        doctor.check_before(cloud)


def test_a_record_that_deploy_waits_for_does_not_end_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: [("address record", "NOT THE HOST", "leads to 192.0.2.9")])
    assert doctor.check_before(Cloud(environment, Options())) == "all well"


def test_without_a_form_the_tools_are_checked_and_the_form_is_asked_for(tmp_path: Path) -> None:
    done = attempt(*operate("doctor", "prod"), env={"HEROLO_ENVIRONMENTS": str(tmp_path)})
    assert done.returncode == 1
    assert "  tools          ok               Terraform " in done.stdout
    assert "  form           NOT THERE        cp environments/example.tfvars environments/prod.tfvars" in done.stdout


def test_a_form_with_a_fault_is_told_and_the_rest_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "prod.tfvars").write_text('domain = "https://example.com"\n')
    done = attempt(*operate("doctor", "--json", "prod"), env={"HEROLO_ENVIRONMENTS": str(tmp_path)})
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["form"]["state"] == "NOT VALID"
    assert "environments/prod.tfvars: a line is missing: acme_email" in checks["form"]["details"]
    assert checks["account"] == {
        "name": "account",
        "state": "unknown",
        "details": "needs a valid form",
        "healthy": True,
    }


@pytest.mark.parametrize("form", ["example.tfvars", "example-trial.tfvars"])
def test_a_form_that_is_copied_and_has_a_key_is_not_filled_in(environment: Environment, key: Path, form: str) -> None:
    text = (REPOSITORY / "environments" / form).read_text(encoding="utf-8")
    public = key.with_name(f"{key.name}.pub").read_text(encoding="utf-8").strip()
    environment.form.write_text(text.replace("ssh-ed25519 AAAA... you@example.com", public), encoding="utf-8")
    _, state, details = checks_machine.check_settings(environment)
    assert state == "NOT FILLED IN"
    assert "is the example's: enter your own domain" in details
    assert "ops@example.com is the example's: enter an address that you read" in details


def test_a_form_with_faults_and_values_of_the_example_is_told_all_at_once(environment: Environment) -> None:
    form = (REPOSITORY / "environments/example.tfvars").read_text(encoding="utf-8")
    environment.form.write_text(form, encoding="utf-8")
    _, state, details = checks_machine.check_settings(environment)
    assert state == "NOT VALID"
    for complaint in ("Type the one line of a public key file", "enter your own domain", "an address that you read"):
        assert complaint in details


def test_others_that_do_not_answer_are_unknown(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def be_silent(_: object) -> list[tuple[str, str, str]]:
        over.wait(60)
        return []

    monkeypatch.setattr(doctor, "LONGEST", 0.5)
    monkeypatch.setattr(doctor.AccountChecks, "run", be_silent)
    monkeypatch.setattr(doctor.DomainChecks, "run", lambda _: ROWS)
    monkeypatch.setattr(checks_machine, "check_own_address", lambda _: ROWS[1])
    rows = doctor._ask_others(Known(environment, Options(), "", {}))
    over.set()
    assert rows == [("account", "unknown", "no answer within 0.5 s"), *ROWS, ROWS[1]]


# --- The machine


def test_docker_on_another_architecture_is_a_fault_unless_an_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_machine, "require_docker", lambda: None)
    monkeypatch.setattr(
        checks_machine.process, "run", lambda *_, **__: checks_machine.process.Result(0, "linux/arm64 28.1\n")
    )
    assert checks_machine.check_docker(Options())[:2] == ("docker", "NOT RIGHT")
    assert checks_machine.check_docker(Options(image="ghcr.io/herolo:1"))[1] == "WARNING"
    monkeypatch.setattr(
        checks_machine.process, "run", lambda *_, **__: checks_machine.process.Result(0, "linux/amd64 28.1\n")
    )
    assert checks_machine.check_docker(Options()) == ("docker", "ok", "28.1, linux/amd64")


def test_a_key_of_the_form_is_well(environment: Environment, key: Path) -> None:
    fill_in(environment, key)
    assert checks_machine.check_ssh_key(environment, Options(ssh_key=str(key))) == ("ssh key", "ok", str(key))


def test_a_key_that_others_may_read_is_a_fault(environment: Environment, key: Path) -> None:
    fill_in(environment, key)
    key.chmod(0o644)
    row = checks_machine.check_ssh_key(environment, Options(ssh_key=str(key)))
    assert row[1] == "NOT USABLE"
    assert f"type 'chmod 600 {key}'" in row[2]


def test_a_key_with_a_passphrase_is_a_fault(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    locked = make_key(tmp_path / "locked", "a pass phrase")
    fill_in(environment, locked)
    row = checks_machine.check_ssh_key(environment, Options(ssh_key=str(locked)))
    assert row == ("ssh key", "NOT USABLE", f"{locked} has a passphrase: type 'ssh-add {locked}' first")


def test_another_key_than_the_forms_is_a_warning(environment: Environment, key: Path, tmp_path: Path) -> None:
    fill_in(environment, key)
    other = make_key(tmp_path / "other", "")
    assert checks_machine.check_ssh_key(environment, Options(ssh_key=str(other)))[1] == "WARNING"


def test_secrets_that_others_could_read_are_a_warning(environment: Environment) -> None:
    assert checks_machine.check_secrets(environment)[1] == "ok"
    environment.secrets.write_text("---\n")
    environment.secrets.chmod(0o640)
    row = checks_machine.check_secrets(environment)
    assert (row[1], "(mode 640)" in row[2]) == ("WARNING", True)


def test_an_empty_token_of_duckdns_is_a_fault(environment: Environment) -> None:
    environment.form.write_text('dns_provider = "duckdns"\n', encoding="utf-8")
    state, details = checks_machine.check_secrets(environment)[1:]
    assert state == "ok" and "you then enter duckdns_token" in details
    environment.secrets.write_text('---\nduckdns_token: ""\n', encoding="utf-8")
    environment.secrets.chmod(0o600)
    state, details = checks_machine.check_secrets(environment)[1:]
    assert state == "NOT COMPLETE" and "line 2: enter the token that duckdns.org shows you" in details
    environment.secrets.write_text('---\nduckdns_token: "x"\n', encoding="utf-8")
    assert checks_machine.check_secrets(environment)[1] == "ok"


@pytest.mark.parametrize(("address", "state"), [("203.0.113.7", "ok"), ("203.0.113.8", "WARNING")])
def test_the_own_address_should_be_among_those_for_ssh(
    address: str, state: str, environment: Environment, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_in(environment, key)
    (tmp_path / "address").write_text(f"{address}\n")
    monkeypatch.setattr(checks_machine, "OWN_ADDRESS", (tmp_path / "address").as_uri())
    assert checks_machine.check_own_address(Known(environment, Options(), "", {}))[1] == state


def test_an_own_address_that_nobody_tells_is_unknown(
    environment: Environment, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_in(environment, key)
    monkeypatch.setattr(checks_machine, "OWN_ADDRESS", "http://127.0.0.1:1")
    row = checks_machine.check_own_address(Known(environment, Options(), "", {}))
    assert row[1] == "unknown"


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ('instance_type = "m7i.large"', "instance_type", "m7i.large"),
        ("backup_days = 3 # enough", "backup_days", "3"),
        ("", "backup_days", "7"),
        ("", "dns_provider", "none"),
        ("", "route53_zone", ""),
        ("", "domain", ""),
    ],
)
def test_a_setting_that_is_absent_has_its_default(line: str, name: str, value: str, environment: Environment) -> None:
    environment.form.write_text(f"{line}\n")
    assert setting_or_default(environment, name) == value


def test_options_name_the_wait_and_the_name_server() -> None:
    options = Options.read({"WAIT": "5", "HEROLO_DNS_SERVER": "127.0.0.1:53"})
    assert options == replace(Options.read({}), wait="5", dns_server="127.0.0.1:53")
