"""The DNS record that leads to the host."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from herolo_operator import console, record
from herolo_operator.aws import Aws
from herolo_operator.console import Failure
from herolo_operator.deployment import Deployment
from herolo_operator.environment import Environment, Options
from herolo_operator.record import RecordAnnouncer, settle_record
from support.name_server import Records, serving

DOMAIN = "herolo.example.com"
ADDRESS = "192.0.2.1"
LINE = f"{DOMAIN}. 60 IN A {ADDRESS}"
CREATED = "aws_eip.host: Creation complete after 1s [id=eipalloc-0123456789abcdef0]\n"


@pytest.fixture
def records() -> Records:
    """What the name servers have."""
    return {("example.com", "NS"): ["ns1.example.com."]}


@pytest.fixture
def server(records: Records) -> Iterator[str]:
    """The name server, as HEROLO_DNS_SERVER names it."""
    with serving(records) as (_, port):
        yield f"127.0.0.1:{port}"


def deployment(provider: str = "none") -> Deployment:
    return Deployment({"domain": DOMAIN, "host_address": ADDRESS, "dns_provider": provider}, {})


def settle(environment: Environment, server: str, **options: Any) -> str:
    return settle_record(deployment(), environment, Options(dns_server=server, **options))


def test_a_record_that_leads_to_the_host_is_settled(environment: Environment, server: str, records: Records) -> None:
    records[DOMAIN, "A"] = [ADDRESS]
    assert settle(environment, server) == f"{DOMAIN} leads to {ADDRESS}"


@pytest.mark.parametrize(("found", "leads"), [([], "has no A record"), (["192.0.2.9"], "leads to 192.0.2.9")])
def test_a_record_that_does_not_come_is_told_in_the_failure(
    found: list[str], leads: str, environment: Environment, server: str, records: Records
) -> None:
    records[DOMAIN, "A"] = found
    with pytest.raises(Failure) as failure:
        settle(environment, server, wait="0")
    assert f"{DOMAIN} {leads}, but must have the record {LINE}: enter it" in str(failure.value)
    records[DOMAIN, "A"] = [ADDRESS]
    assert settle(environment, server, wait="0") == f"{DOMAIN} leads to {ADDRESS}"


def test_a_second_address_is_not_settled(environment: Environment, server: str, records: Records) -> None:
    records[DOMAIN, "A"] = [ADDRESS, "192.0.2.9"]
    with pytest.raises(Failure, match=r"leads to 192\.0\.2\.1, 192\.0\.2\.9, but"):
        settle(environment, server, wait="0")


def test_the_record_to_enter_is_shown_and_waited_for(
    environment: Environment, server: str, records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = threading.Event()

    def enter() -> None:
        shown.wait(60)
        records[DOMAIN, "A"] = [ADDRESS]

    operator = threading.Thread(target=enter)
    operator.start()

    def announce(message: str) -> None:
        console.step(message)
        shown.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record.console, "announce", announce)
        patch.setattr(record, "PAUSE", 0.1)
        assert settle(environment, server, wait="600") == f"{DOMAIN} leads to {ADDRESS}"
    operator.join()
    assert f"waiting for this record, to enter at your DNS provider: {LINE}" in capsys.readouterr().err


def test_without_a_terminal_the_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert record.longest_wait(Options()) == record.WAIT
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert record.longest_wait(Options()) is None
    assert record.longest_wait(Options(yes=True)) == record.WAIT
    with pytest.raises(Failure, match="WAIT='soon' is not a number"):
        record.longest_wait(Options(wait="soon"))


def test_the_host_waits_if_no_name_server_can_be_asked(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("herolo_operator.nameservers.TIMEOUT", 0.1)
    monkeypatch.setattr(record, "PAUSE", 0)
    assert settle(environment, "127.0.0.1:1").startswith("unknown, so the host waits for it (no name server of com")


def test_the_record_is_announced_as_soon_as_there_is_an_address(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    described = SimpleNamespace(describe_addresses=lambda **_: {"Addresses": [{"PublicIp": ADDRESS}]})
    monkeypatch.setattr(Aws, "client", lambda *_: described)
    with console.phase("cloud", tmp_path) as phase:
        announce = RecordAnnouncer(environment)
        announce("aws_vpc.main: Creation complete after 1s [id=vpc-1]\n")
        announce(CREATED)
        phase.outcome = "45 added"
    begin, told, end = capsys.readouterr().err.splitlines()
    assert (begin, end.split()) == ("  cloud        ", ["cloud", "45", "added", "0", "s"])
    assert told == f"==> enter this record at your DNS provider now, while the rest is made: {LINE}"


def test_an_announcement_that_fails_does_not_end_terraform(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise Failure("AWS cannot be reached")

    monkeypatch.setattr(Aws, "client", fail)
    RecordAnnouncer(environment)(CREATED)
    assert "the new address is not known yet: AWS cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize("provider", ["route53", "duckdns"])
def test_a_record_that_is_not_entered_by_hand_is_not_announced(
    provider: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.form.write_text(f'domain = "{DOMAIN}"\ndns_provider = "{provider}"\n')
    monkeypatch.setattr(Aws, "client", None)
    RecordAnnouncer(environment)(CREATED)
