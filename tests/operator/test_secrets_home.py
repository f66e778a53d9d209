"""Secrets in SSM Parameter Store, and their way there and back."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import moto
import pytest
from herolo_operator import console, playbook, process, secrets_move
from herolo_operator.checks_machine import check_secrets
from herolo_operator.cloud import Cloud
from herolo_operator.console import Failure
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.host import Host
from herolo_operator.plans import State
from herolo_operator.safeguards import provide_own_secrets
from herolo_operator.secrets_file import change_lines, provide_secrets, read_lines, read_secrets
from herolo_operator.secrets_home import SecretsFile, SecretsParameter, home_of, secrets_as_file
from herolo_operator.secrets_move import move_secrets

FORM = 'region = "eu-central-1"\nsecrets = "{home}"\n'
NAME = "/herolo/prod/secrets"
MANAGED = {"address": "aws_db_instance.main", "mode": "managed", "values": {"engine": "mysql"}}
WITH_DATABASE = State({"values": {"root_module": {"resources": [MANAGED]}}})
YES = Options(yes=True)
BOTH_DIFFER = (
    r"^SSM parameter /herolo/prod/secrets \(of 20.* UTC\) and environments/prod\.secrets\.yml \(of 20.* UTC\) differ: "
    r"move the file away if the parameter is right, or else 'aws ssm delete-parameter --region eu-central-1 --name"
)


@pytest.fixture
def ssm(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with moto.mock_aws():
        choose(environment, "ssm")
        yield boto3.client("ssm", region_name="eu-central-1")


def choose(environment: Environment, home: str) -> None:
    environment.form.write_text(FORM.format(home=home), encoding="utf-8")


def value(ssm: Any) -> str:
    text: str = ssm.get_parameter(Name=NAME, WithDecryption=True)["Parameter"]["Value"]
    return text


def test_new_secrets_are_one_encrypted_document_and_no_file(environment: Environment, ssm: Any) -> None:
    provide_secrets(environment)
    parameter = ssm.get_parameter(Name=NAME)["Parameter"]
    assert parameter["Type"] == "SecureString" and len(read_secrets(environment)) == 6
    assert read_secrets(environment)["token_keys"] in value(ssm)
    assert not environment.secrets.exists()
    provide_secrets(environment)
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Version"] == 1


def test_a_missing_secret_is_added_and_the_others_are_kept(environment: Environment, ssm: Any) -> None:
    provide_secrets(environment)
    before = read_secrets(environment)
    text = "".join(line for line in value(ssm).splitlines(keepends=True) if "token_keys" not in line)
    ssm.put_parameter(Name=NAME, Value=text, Type="SecureString", Overwrite=True)
    provide_secrets(environment)
    after = read_secrets(environment)
    assert after["token_keys"] != before["token_keys"]
    assert {**after, "token_keys": ""} == {**before, "token_keys": ""}


def test_of_two_operators_who_generate_secrets_the_first_decides(environment: Environment, ssm: Any) -> None:
    first, second = SecretsParameter(environment), SecretsParameter(environment)
    assert first.read() is None and second.read() is None
    assert first.create("---\na\n") == "---\na\n"
    assert second.create("---\nb\n") == "---\na\n"


def test_a_change_by_another_operator_is_not_overwritten(environment: Environment, ssm: Any) -> None:
    first, second = SecretsParameter(environment), SecretsParameter(environment)
    first.create("---\n")
    second.read()
    first.write("---\nfirst\n")
    with pytest.raises(Failure, match="was changed by another operator meanwhile"):
        second.write("---\nsecond\n")
    assert value(ssm) == "---\nfirst\n"


def test_of_two_changes_at_once_the_first_stays(
    environment: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is written between the comparison of the first and its own writing."""
    first, second = SecretsParameter(environment), SecretsParameter(environment)
    first.create("---\n")
    second.read()
    put = SecretsParameter._put

    def be_late(parameter: SecretsParameter, text: str) -> int:
        if text == "---\nsecond\n":
            first.write("---\nfirst\n")
        return put(parameter, text)

    monkeypatch.setattr(SecretsParameter, "_put", be_late)
    with pytest.raises(Failure, match="was changed by another operator meanwhile: wait until"):
        second.write("---\nsecond\n")
    assert value(ssm) == "---\nfirst\n"
    first.write("---\nfirst again\n")
    assert value(ssm) == "---\nfirst again\n"


def test_a_parameter_that_is_deleted_by_hand_is_not_replaced_while_there_is_a_database(
    environment: Environment, ssm: Any
) -> None:
    provide_secrets(environment)
    before = value(ssm)
    ssm.delete_parameter(Name=NAME)
    environment.state.touch()
    cloud = cast(Cloud, SimpleNamespace(options=Options(confirm="prod"), state=lambda: WITH_DATABASE))
    with pytest.raises(
        Failure, match=r"^there is no SSM parameter .*: restore environments/prod\.secrets\.yml from a copy"
    ):
        provide_own_secrets(environment, cloud)
    moved(environment).write_text(before, encoding="utf-8")
    with pytest.raises(
        Failure, match=r"from environments/prod\.secrets\.yml\.moved, or a newer copy, which 'make deploy'"
    ):
        provide_own_secrets(environment, cloud)
    moved(environment).rename(environment.secrets)
    provide_own_secrets(environment, cloud)
    move_secrets(environment, YES)
    assert value(ssm) == before and not environment.secrets.exists()


def test_a_change_does_not_bring_a_deleted_parameter_back_without_its_secrets(
    environment: Environment, ssm: Any
) -> None:
    provide_secrets(environment)
    ssm.delete_parameter(Name=NAME)
    with pytest.raises(Failure, match=r"^there is no SSM parameter /herolo/prod/secrets"):
        read_lines(environment)
    with pytest.raises(Failure, match=r"^SSM parameter /herolo/prod/secrets was changed by another operator"):
        change_lines(environment, {"new_token_key": "k2"}, since={"token_keys": "k1:x"})
    assert ssm.describe_parameters()["Parameters"] == []


def test_more_than_a_parameter_holds_is_refused_before_it_is_sent(environment: Environment, ssm: Any) -> None:
    with pytest.raises(Failure, match="can hold 4096 bytes"):
        SecretsParameter(environment).create("x" * 4097)
    assert SecretsParameter(environment).read() is None


def test_another_program_gets_a_private_file_that_is_removed(environment: Environment, ssm: Any) -> None:
    provide_secrets(environment)
    with pytest.raises(KeyboardInterrupt), secrets_as_file(environment) as file:
        assert file.read_text() == value(ssm)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        raise KeyboardInterrupt
    assert not file.exists() and file.parent == environment.work


def test_ansible_reads_the_secrets_from_that_file_only(
    environment: Environment, ssm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide_secrets(environment)
    read = []

    def run(arguments: list[str | Path], **_settings: Any) -> process.Result:
        read.extend(path.read_text() for path in environment.folder.rglob("secrets.yml"))
        assert f"@{environment.work / 'secrets.yml'}" in arguments
        return process.Result(0)

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(playbook, "fetch_database_ca", lambda *_: tmp_path / "ca.pem")
    deployment = Deployment({"region": "eu-central-1"}, {})
    host = Host("192.0.2.1", "admin", "22", Path("key"), Path("known_hosts"))
    assert playbook.Playbook(environment, Options(), deployment, [host]).preview("herolo:1", tmp_path / "log")
    assert read == [value(ssm)]
    assert not list(environment.folder.rglob("secrets.yml"))


def test_the_file_of_an_environment_is_its_own(environment: Environment) -> None:
    provide_secrets(environment)
    with secrets_as_file(environment) as file:
        assert file == environment.secrets
    assert file.exists()


# --- From the file to SSM ---


@pytest.fixture
def filled(environment: Environment, ssm: Any) -> Environment:
    """Its secrets are in a file, and its form wants them in SSM."""
    choose(environment, "file")
    provide_secrets(environment)
    choose(environment, "ssm")
    return environment


def moved(environment: Environment) -> Path:
    return environment.secrets.with_name("prod.secrets.yml.moved")


def test_until_they_are_moved_the_secrets_are_those_of_the_file(filled: Environment, ssm: Any) -> None:
    assert isinstance(home_of(filled), SecretsFile)
    provide_secrets(filled)
    assert ssm.describe_parameters()["Parameters"] == []


def test_the_file_is_moved_to_ssm_and_kept_aside(filled: Environment, ssm: Any) -> None:
    text, before = filled.secrets.read_text(), read_secrets(filled)
    move_secrets(filled, YES)
    assert value(ssm) == moved(filled).read_text() == text
    assert not filled.secrets.exists() and read_secrets(filled) == before


def test_nothing_moves_unless_yes_was_typed(filled: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "read_answer", lambda _question: "no")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(Failure, match="nothing was done: 'no' is not 'yes'"):
        move_secrets(filled, Options())
    assert filled.secrets.exists() and ssm.describe_parameters()["Parameters"] == []


def test_an_interrupted_move_goes_on(filled: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(secrets_move, "_require_same", interrupt)
        move_secrets(filled, YES)
    assert filled.secrets.exists() and value(ssm) == filled.secrets.read_text()
    assert isinstance(home_of(filled), SecretsParameter)
    move_secrets(filled, Options())
    assert not filled.secrets.exists() and moved(filled).exists()


def test_a_rotation_after_an_interrupted_move_finds_one_home(
    filled: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the file, which is as it was, would differ from the parameter in the midst of the rotation."""
    text = filled.secrets.read_text()
    ssm.put_parameter(Name=NAME, Value=text, Type="SecureString")
    change_lines(filled, {"new_token_key": "k2"})
    assert read_lines(filled)["new_token_key"] == "k2"
    assert moved(filled).read_text() == text and not filled.secrets.exists()


def test_two_different_homes_are_refused(filled: Environment, ssm: Any) -> None:
    ssm.put_parameter(Name=NAME, Value="---\n", Type="SecureString")
    move_secrets(filled, YES)
    with pytest.raises(Failure, match=BOTH_DIFFER):
        home_of(filled)
    assert filled.secrets.exists() and value(ssm) == "---\n"


# --- From SSM to the file ---


def test_the_secrets_are_moved_back_to_the_file(environment: Environment, ssm: Any) -> None:
    provide_secrets(environment)
    before = read_secrets(environment)
    choose(environment, "file")
    environment.state.touch()
    move_secrets(environment, YES)
    assert read_secrets(environment) == before
    assert environment.secrets.read_text() == value(ssm)
    assert stat.S_IMODE(environment.secrets.stat().st_mode) == 0o600


@pytest.mark.parametrize("state", [State({}), WITH_DATABASE], ids=["destroyed", "deployed"])
def test_no_other_command_replaces_secrets_that_are_still_in_ssm(
    state: State, environment: Environment, ssm: Any
) -> None:
    provide_secrets(environment)
    choose(environment, "file")
    environment.state.touch()
    cloud = cast(Cloud, SimpleNamespace(options=Options(confirm="prod"), state=lambda: state, has_state=lambda: True))
    with pytest.raises(
        Failure, match=r"^the secrets of prod are in SSM .* still: 'make deploy ENV=prod' moves them to env"
    ):
        provide_own_secrets(environment, cloud)
    assert not environment.secrets.exists()
    move_secrets(environment, YES)
    provide_own_secrets(environment, cloud)
    assert environment.secrets.read_text() == value(ssm)


def test_a_way_there_and_back_and_there_again_loses_no_rotation(environment: Environment, ssm: Any) -> None:
    provide_secrets(environment)
    environment.state.touch()
    choose(environment, "file")
    move_secrets(environment, YES)
    change_lines(environment, {"new_token_key": "k2"})
    choose(environment, "ssm")
    move_secrets(environment, YES)
    with pytest.raises(Failure, match=BOTH_DIFFER):
        home_of(environment)
    ssm.delete_parameter(Name=NAME)  # as the message says
    move_secrets(environment, YES)
    assert read_lines(environment)["new_token_key"] == "k2"


def test_an_interrupted_way_back_goes_on(environment: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    provide_secrets(environment)
    before = read_secrets(environment)
    environment.state.touch()
    choose(environment, "file")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for place in ("write", "_require_same"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(SecretsFile if place == "write" else secrets_move, place, interrupt)
            move_secrets(environment, YES)
    move_secrets(environment, YES)
    assert read_secrets(environment) == before


def test_without_permission_for_ssm_the_file_stays_missing(
    environment: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_parameter: SecretsParameter) -> str:
        raise Failure("the AWS user may not do this")

    monkeypatch.setattr(SecretsParameter, "read", refuse)
    choose(environment, "file")
    environment.state.touch()
    move_secrets(environment, YES)
    assert not environment.secrets.exists()


def test_the_doctor_reads_the_parameter(environment: Environment, ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_secrets(environment) == ("secrets", "ok", f"plan generates them, in SSM parameter {NAME}")
    provide_secrets(environment)
    assert check_secrets(environment) == ("secrets", "ok", f"SSM parameter {NAME}")

    def refuse(_parameter: SecretsParameter) -> str:
        raise Failure("the AWS user may not do this")

    monkeypatch.setattr(SecretsParameter, "read", refuse)
    state, details = check_secrets(environment)[1:]
    assert state == "NOT READABLE" and details.endswith("the AWS user may not do this")


def test_duckdns_begins_with_a_file_for_its_token(environment: Environment, ssm: Any) -> None:
    environment.form.write_text(FORM.format(home="ssm") + 'dns_provider = "duckdns"\n')
    with pytest.raises(Failure, match='begin with secrets = "file", for duckdns_token'):
        provide_secrets(environment)
    assert ssm.describe_parameters()["Parameters"] == []


# --- Rotation ---


def test_a_rotation_changes_lines_in_ssm_all_at_once(environment: Environment, ssm: Any) -> None:
    provide_secrets(environment)
    before = read_secrets(environment)
    changes = {"database_service_password": "N" * 32, "old_database_service_password": "O" * 32}
    change_lines(environment, changes)
    assert read_lines(environment) == {**before, **changes}
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Version"] == 2
