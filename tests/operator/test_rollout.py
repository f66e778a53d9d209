"""The stages of a deployment with several hosts, done with an AWS that only notes what is applied, a real name server,
and a program in the place of ssh."""

from __future__ import annotations

from pathlib import Path

import pytest
from herolo_operator import record
from herolo_operator.console import Failure
from herolo_operator.environment import Options
from herolo_operator.plans import Plan
from herolo_operator.stages import Shape, plan_replacement, plan_stages, read_shape, settled
from support.fleet import ADDRESSES, BALANCER, DOMAIN
from support.name_server import Records
from support.rollouts import FakeCloud, lead_to, run


def test_the_domain_moves_between_the_stages(
    cloud: FakeCloud, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(records, "192.0.2.1")
    moved: list[str] = []
    settle = record.time.sleep

    def enter_record(message: str) -> None:
        moved.append(message)
        records[DOMAIN, "CNAME"] = [f"{BALANCER}."]
        records.pop((DOMAIN, "A"))

    monkeypatch.setattr(record.console, "announce", enter_record)
    monkeypatch.setattr(record.time, "sleep", lambda seconds: settle(0))
    cloud.options = Options(dns_server=cloud.options.dns_server, wait="60", settling="0", drained="0")
    assert run(cloud, plan_stages(settled(1), 3)).entry == "balancer"
    assert cloud.events == [
        "apply 3 host",
        "configure 3",
        "plan 3 both",
        "apply 3 both",
        "plan 3 balancer",
        "apply 3 balancer",
    ]
    assert moved == [
        f"waiting for this record, to enter at your DNS provider: {DOMAIN}. 60 IN CNAME {BALANCER}. "
        "(at the top of a zone: A records 198.51.100.1 and 198.51.100.2)"
    ]


def test_a_record_that_does_not_come_stops_before_anything_closes_and_the_next_run_goes_on(
    cloud: FakeCloud, records: Records
) -> None:
    lead_to(records, "192.0.2.1")
    with pytest.raises(Failure, match=r"leads to 192\.0\.2\.1, but must have the record .* resumes there"):
        run(cloud, plan_stages(settled(1), 2))
    assert cloud.events[-1] == "apply 2 both"
    cloud.events.clear()
    lead_to(records, *ADDRESSES[:1])  # a balancer leaves out zones without a healthy host
    run(cloud, plan_stages(read_shape(cloud.outputs()), 2))
    assert cloud.events == ["apply 2 both", "configure 2", "plan 2 balancer", "apply 2 balancer"]


def test_name_servers_that_do_not_answer_stop_a_move(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("herolo_operator.nameservers.TIMEOUT", 0.1)
    cloud.options = Options(dns_server="127.0.0.1:1", wait="0")
    with pytest.raises(Failure, match=r"no name server of com answers.*: fix that and run this again"):
        run(cloud, plan_stages(settled(1), 2))
    assert cloud.events[-1] == "apply 2 both"


def test_the_domain_does_not_move_to_hosts_that_are_not_healthy(
    cloud: FakeCloud, records: Records, unhealthy: set[int]
) -> None:
    lead_to(records, "192.0.2.1")
    unhealthy.add(2)
    with pytest.raises(Failure, match=r"^host 2 is not healthy in the balancer's view"):
        run(cloud, plan_stages(settled(1), 2))
    assert cloud.events == ["apply 2 host", "configure 2"]


def test_an_interrupted_stage_is_done_again(cloud: FakeCloud, records: Records) -> None:
    cloud.zone, cloud.reached, cloud.fails_at = records, settled(3), Shape(3, "host")
    lead_to(records, *ADDRESSES)
    with pytest.raises(KeyboardInterrupt):
        run(cloud, plan_stages(settled(3), 1))
    assert cloud.events == ["apply 3 both", "configure 3", "plan 3 host"]
    cloud.events.clear()
    cloud.fails_at = None
    run(cloud, plan_stages(read_shape(cloud.outputs()), 1))
    assert cloud.events == [
        "apply 3 both",
        "plan 3 host",
        "apply 3 host",
        "plan 1 host",
        "apply 1 host",
        "configure 1",
    ]


def test_a_later_stage_changes_only_what_was_announced(cloud: FakeCloud, records: Records) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = Shape(2, "both")
    stages = plan_stages(cloud.reached, 2)
    cloud.changes['aws_instance.host["2"]'] = "delete"
    with pytest.raises(
        Failure, match=r'would change what was not announced \(aws_instance.host\["2"\]\), so nothing of it'
    ):
        run(cloud, stages, {'aws_instance.host["2"]': ["update"]})
    assert "apply 2 balancer" not in cloud.events
    run(cloud, stages, {'aws_instance.host["2"]': ["delete"]})
    assert cloud.events[-1] == "apply 2 balancer"


def test_hosts_drain_before_they_go(cloud: FakeCloud, records: Records, ssh: Path) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = settled(3)
    run(cloud, plan_stages(settled(3), 2))
    assert ssh.read_text() == "192.0.2.3 /usr/local/sbin/herolo-drain start\n"
    assert cloud.events == ["apply 3 balancer", "configure 3", "plan 2 balancer", "apply 2 balancer", "configure 2"]


def test_nothing_goes_while_a_host_that_stays_is_not_healthy(
    cloud: FakeCloud, records: Records, ssh: Path, unhealthy: set[int]
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = settled(3)
    unhealthy.add(1)
    with pytest.raises(Failure, match=r"^host 1 is not healthy"):
        run(cloud, plan_replacement(settled(3), 2))
    assert ssh.read_text() == "" and cloud.events == ["apply 3 balancer", "configure 3"]


def test_a_dead_host_is_replaced_without_draining(
    cloud: FakeCloud, records: Records, unhealthy: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = settled(3)
    monkeypatch.setenv("SILENT", "192.0.2.2")
    with pytest.raises(
        Failure, match=r"^SSH does not reach host 2, which serves requests: is your address in ssh_cidrs"
    ):
        run(cloud, plan_replacement(settled(3), 2, in_service=()))
    assert cloud.events == []
    unhealthy.add(2)
    run(cloud, plan_replacement(settled(3), 2, in_service=(1, 3)))
    assert cloud.events == ["apply 3 balancer", "configure 3"]


def test_a_host_that_cannot_drain_is_not_replaced(
    cloud: FakeCloud, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = settled(2)
    monkeypatch.setenv("REFUSING", "192.0.2.2")
    with pytest.raises(Failure, match=r"^host 2 does not drain, for the reason above"):
        run(cloud, plan_replacement(settled(2), 2))
    assert cloud.events == ["apply 2 balancer", "configure 2", 'plan 2 balancer -replace=aws_instance.host["2"]']


def test_hosts_restart_one_by_one_when_their_type_changes(
    cloud: FakeCloud, records: Records, ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = settled(2)
    restarted = [[1, 2], []]
    monkeypatch.setattr(Plan, "restarted_hosts", property(lambda _: restarted[0]))
    run(cloud, plan_stages(settled(2), 2))
    assert [line.split()[0] for line in ssh.read_text().splitlines()] == ["192.0.2.1", "192.0.2.2"]
    assert cloud.events == [
        'plan 2 balancer -target=aws_instance.host["1"]',
        "apply 2 balancer",
        'plan 2 balancer -target=aws_instance.host["2"]',
        "apply 2 balancer",
        "plan 2 balancer",
        "apply 2 balancer",
        "configure 2",
    ]


def test_one_host_restarts_at_once(
    cloud: FakeCloud, records: Records, ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(records, "192.0.2.1")
    monkeypatch.setattr(Plan, "restarted_hosts", property(lambda _: [1]))
    run(cloud, plan_stages(settled(1), 1))
    assert cloud.events == ["apply 1 host", "configure 1"] and ssh.read_text() == ""
