"""The rotation of secrets, with a deployment that only notes what is rolled out."""

from __future__ import annotations

import io
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from herolo_operator import rotate
from herolo_operator.console import Failure, Refusal
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.history import Entry
from herolo_operator.plans import Plan
from herolo_operator.secrets_file import (
    DATABASE_PASSWORDS,
    change_lines,
    forget_old_passwords,
    provide_secrets,
    read_lines,
)
from herolo_operator.token_ring import TokenRing
from rehearsal.duckdns import DuckDns

DOMAIN = "herolo.duckdns.org"
OLD, NEW = "0" * 8 + "-0000-0000-0000-" + "0" * 12, "1" * 8 + "-1111-1111-1111-" + "1" * 12


class Deployer:
    """Stands for the real one: a roll-out is a copy of the secrets, unless it is to fail."""

    fails_at = 0

    def __init__(self, environment: Environment, options: Options) -> None:
        self.environment, self.options = environment, options
        self.rolled_out: list[dict[str, str]] = []
        DEPLOYERS.append(self)

    def find_current_release(self, entry: Entry) -> str:
        return "herolo:1234"

    def plan_secrets(self) -> str:
        return "none"

    def roll_out_secrets(self, release: str) -> None:
        assert release == "herolo:1234"
        if len(self.rolled_out) + 1 == self.fails_at:
            raise KeyboardInterrupt
        self.rolled_out.append(read_lines(self.environment))
        forget_old_passwords(self.environment, self.rolled_out[-1])

    def find_token_lifetime(self) -> int:
        return 86400

    def deployment(self) -> Deployment:
        return Deployment({"domain": DOMAIN, "host_address": "192.0.2.1"}, {})


DEPLOYERS: list[Deployer] = []


@pytest.fixture(autouse=True)
def without_a_host(monkeypatch: pytest.MonkeyPatch, environment: Environment) -> None:
    DEPLOYERS.clear()
    monkeypatch.setattr(rotate, "Deployer", Deployer)
    provide_secrets(environment)


def run(environment: Environment, what: str = "", **options: Any) -> list[dict[str, str]]:
    rotate.rotate_secrets(environment, Options(yes=True, what=what, **options), Entry("rotate"))
    return DEPLOYERS[-1].rolled_out


def interrupt(environment: Environment, monkeypatch: pytest.MonkeyPatch, roll_out: int) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Deployer, "fails_at", roll_out)
        run(environment)


def ids(lines: dict[str, str]) -> list[str]:
    return [key.partition(":")[0] for key in lines["token_keys"].split(",")]


def test_everything_is_rotated_in_two_roll_outs(environment: Environment) -> None:
    before = read_lines(environment)
    first, second = run(environment)
    after = read_lines(environment)
    for name in DATABASE_PASSWORDS:
        assert first[name] == second[name] == after[name] != before[name]
        assert first[f"old_{name}"] == before[name] and f"old_{name}" not in after
    assert (ids(first), ids(second), ids(after)) == (["k1", "k2"], ["k2", "k1"], ["k2", "k1"])
    assert "new_token_key" not in after and after["old_token_keys"].startswith("k1 ")


@pytest.mark.parametrize(("what", "roll_outs", "changed"), [("database", 1, 3), ("tokens", 2, 1)])
def test_a_part_is_rotated_alone(environment: Environment, what: str, roll_outs: int, changed: int) -> None:
    before = read_lines(environment)
    assert len(run(environment, what)) == roll_outs
    after = read_lines(environment)
    assert sum(after[name] != value for name, value in before.items()) == changed


@pytest.mark.parametrize(("interrupted", "left"), [(1, 2), (2, 1)])
def test_the_next_run_finishes_an_interrupted_one(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, interrupted: int, left: int
) -> None:
    interrupt(environment, monkeypatch, interrupted)
    between = read_lines(environment)
    rolled_out = run(environment)
    after = read_lines(environment)
    assert len(rolled_out) == left
    assert all(after[name] == between[name] for name in DATABASE_PASSWORDS)
    assert set(after["token_keys"].split(",")) == set(between["token_keys"].split(","))
    assert ids(after) == ["k2", "k1"]


def test_the_old_passwords_are_in_the_file_before_a_new_one_is_used(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_lines(environment)
    interrupt(environment, monkeypatch, 1)
    lines = read_lines(environment)
    assert {lines[f"old_{name}"] for name in DATABASE_PASSWORDS} == {before[name] for name in DATABASE_PASSWORDS}


def test_a_key_of_another_operator_is_not_lost(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose rotation ends while this one rolls out, so that the key signs already."""
    roll_out = Deployer.roll_out_secrets

    def be_overtaken(deployer: Deployer, release: str) -> None:
        roll_out(deployer, release)
        ring = TokenRing.read(read_lines(environment)).signing_with_new_key().rotated(datetime.now(UTC), timedelta(1))
        change_lines(environment, ring.with_new_key().signing_with_new_key().lines)

    monkeypatch.setattr(Deployer, "roll_out_secrets", be_overtaken)
    with pytest.raises(Failure, match=r"was changed by another operator meanwhile: wait until their command has ended"):
        run(environment)
    assert ids(read_lines(environment)) == ["k3", "k2", "k1"]


def test_old_passwords_of_another_rotation_stay(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(environment, monkeypatch, 1)
    used = read_lines(environment)
    other = dict.fromkeys(DATABASE_PASSWORDS, "N" * 32)
    change_lines(environment, {**other, **{f"old_{name}": used[name] for name in other}})
    forget_old_passwords(environment, used)
    lines = read_lines(environment)
    assert {lines[f"old_{name}"] for name in other} == {used[name] for name in other}
    forget_old_passwords(environment, lines)
    assert not any(f"old_{name}" in read_lines(environment) for name in other)


def test_without_an_answer_nothing_is_changed(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    before = environment.secrets.read_bytes()
    with pytest.raises(Failure, match="set YES=1"):
        rotate.rotate_secrets(environment, Options(), Entry("rotate"))
    assert environment.secrets.read_bytes() == before


@pytest.mark.parametrize(("what", "fix"), [("passwords", "it is database, tokens or"), ("duckdns", "dns_provider")])
def test_what_cannot_be_rotated_is_refused(environment: Environment, what: str, fix: str) -> None:
    with pytest.raises(Refusal, match=fix):
        run(environment, what)


@pytest.fixture
def duckdns(environment: Environment, tmp_path: Path) -> dict[str, str]:
    """An environment at DuckDNS, where the token is NEW already; the option that leads there."""
    environment.form.write_text(f'domain = "{DOMAIN}"\ndns_provider = "duckdns"\n', encoding="utf-8")
    text = environment.secrets.read_text().replace('duckdns_token: ""', f'duckdns_token: "{OLD}"')
    environment.secrets.write_text(text)
    server = HTTPServer(("127.0.0.1", 0), DuckDns("herolo", lambda: NEW, lambda _: None)._handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = tmp_path / "settings.json"
    settings.write_text(f'{{"duckdns_url": "http://127.0.0.1:{server.server_port}"}}')
    return {"settings": str(settings)}


def test_a_duckdns_token_is_taken_once_duckdns_accepts_it(
    environment: Environment, duckdns: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NEW}\n"))
    assert run(environment, "duckdns", **duckdns) == []
    assert read_lines(environment)["duckdns_token"] == NEW


@pytest.mark.parametrize(("typed", "fix"), [("mine", "copy it from"), ("2" + NEW[1:], "does not accept that token")])
def test_a_wrong_duckdns_token_changes_nothing(
    environment: Environment, duckdns: dict[str, str], monkeypatch: pytest.MonkeyPatch, typed: str, fix: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    with pytest.raises(Failure, match=fix) as failure:
        run(environment, "duckdns", **duckdns)
    assert typed not in str(failure.value)
    assert read_lines(environment)["duckdns_token"] == OLD


def test_without_a_new_duckdns_token_all_else_is_rotated(
    environment: Environment, duckdns: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert len(run(environment, **duckdns)) == 2
    assert read_lines(environment)["duckdns_token"] == OLD


def change(address: str, *actions: str, **after: object) -> dict[str, Any]:
    before = {"id": "a", "password_wo_version": 1, "instance_class": "small"}
    return {"address": address, "type": "x", "change": {"actions": actions, "before": before, "after": after}}


@pytest.mark.parametrize(
    ("changes", "only_password"),
    [
        ([], True),
        ([change("aws_db_instance.main", "update", id="a", password_wo_version=2)], True),
        ([change("aws_db_instance.main", "update", instance_class="large", password_wo_version=2)], False),
        ([change("aws_instance.host", "update", id="b")], False),
        ([change("aws_instance.host", "create", id="b")], False),
        ([change("aws_instance.host", "no-op"), change("data.aws_ami.debian", "read")], True),
    ],
)
def test_a_plan_of_more_than_a_password_is_told(changes: list[dict[str, Any]], only_password: bool) -> None:
    for one in changes:
        one["change"]["actions"] = list(one["change"]["actions"])
    assert Plan({"resource_changes": changes}).changes_only_password is only_password
