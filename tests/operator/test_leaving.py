"""Hosts that leave, and those that were never set up, with the stand-ins of test_rollout.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from herolo_operator.console import Failure
from herolo_operator.in_service import Fleet, examine
from herolo_operator.plans import Plan
from herolo_operator.stages import Shape, plan_replacement, plan_stages, settled
from support.fleet import ADDRESSES, deployment
from support.name_server import Records
from support.rollouts import FakeCloud, lead_to, run


@pytest.fixture
def restarting(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The hosts whose type the next plans change; the last entry stays."""
    restarting: list[list[int]] = [[]]
    monkeypatch.setattr(Plan, "restarted_hosts", property(lambda _: restarting[0]))
    return restarting


def drained(ssh: Path) -> list[str]:
    """The ends of the addresses of the hosts that have drained, in order."""
    return [line.split()[0].rpartition(".")[2] for line in ssh.read_text().splitlines()]


# --- Hosts that were never set up


@pytest.mark.parametrize("reach", ["BARE", "SILENT"])
def test_hosts_that_were_never_set_up_are_removed_without_a_drain(
    reach: str, cloud: FakeCloud, records: Records, ssh: Path, unhealthy: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached = settled(4)
    unhealthy.update((3, 4))
    monkeypatch.setenv(reach, "192.0.2.3 192.0.2.4")
    run(cloud, plan_stages(cloud.reached, 2, in_service=(1, 2)))
    assert cloud.events == ["apply 2 balancer", "configure 2"]
    assert ssh.read_text() == ""


@pytest.mark.parametrize("wanted", [1, 2])
def test_hosts_on_which_a_first_deployment_failed_are_removed_although_no_host_is_healthy(
    wanted: int, cloud: FakeCloud, records: Records, unhealthy: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.zone, cloud.reached = records, settled(3)
    lead_to(records, *ADDRESSES)
    unhealthy.update((1, 2, 3))
    monkeypatch.setenv("BARE", "192.0.2.1 192.0.2.2 192.0.2.3")
    run(cloud, plan_stages(cloud.reached, wanted, in_service=()))
    assert cloud.events[-2:] == [f"apply {wanted} {settled(wanted).entry}", f"configure {wanted}"]
    assert "configure 3" not in cloud.events


def test_hosts_to_which_no_domain_has_ever_led_are_removed_at_once(
    cloud: FakeCloud, unhealthy: set[int], monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    lead_to(records, "192.0.2.1")
    cloud.reached = Shape(3, "host")
    unhealthy.update((1, 2, 3))  # host 1 is of a version without health checks
    monkeypatch.setenv("SILENT", "192.0.2.2 192.0.2.3")
    run(cloud, plan_stages(cloud.reached, 1))
    assert cloud.events == ["apply 1 host", "configure 1"]


@pytest.mark.parametrize(("entry", "leads"), [("host", ["192.0.2.1"]), ("both", ADDRESSES)])
def test_ansible_need_not_reach_hosts_that_are_not_wanted_any_more(
    entry: str,
    leads: list[str],
    cloud: FakeCloud,
    records: Records,
    unhealthy: set[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud.zone, cloud.reached = records, Shape(3, entry)
    lead_to(records, *leads)
    unhealthy.add(3)
    monkeypatch.setenv("SILENT", "192.0.2.3")
    run(cloud, plan_stages(cloud.reached, 2))
    assert "configure 3" not in cloud.events
    assert cloud.events[-1] == "apply 2 balancer"


def test_the_balancer_goes_once_the_domain_leads_to_host_1_if_its_hosts_are_in_service(
    cloud: FakeCloud, records: Records
) -> None:
    lead_to(records, *ADDRESSES)  # a run was interrupted before the record was entered
    cloud.reached = Shape(3, "host")
    with pytest.raises(Failure, match=r"must have the record herolo\.example\.com\. 60 IN A 192\.0\.2\.1: enter it"):
        run(cloud, plan_stages(cloud.reached, 1))
    assert cloud.events == []
    lead_to(records, "192.0.2.1")
    run(cloud, plan_stages(cloud.reached, 1))
    assert cloud.events == ["apply 1 host", "configure 1"]


def test_a_move_to_the_balancer_can_be_given_up_without_its_record(cloud: FakeCloud, records: Records) -> None:
    lead_to(records, "192.0.2.1")  # the record of the balancer was never entered
    cloud.reached = Shape(2, "both")
    run(cloud, plan_stages(cloud.reached, 1))
    assert cloud.events[-2:] == ["apply 1 host", "configure 1"]


def test_a_host_that_serves_may_be_out_of_reach(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILENT", "192.0.2.2")
    fleet = examine(deployment(3), cloud.environment, cloud.options)
    assert (fleet.in_service, fleet.silent, fleet.dead) == ({1, 2, 3}, {2}, frozenset())


@pytest.mark.parametrize(
    ("variable", "fleet"),
    [
        ("BARE", Fleet(frozenset({1, 3}), frozenset({2}), frozenset())),
        ("SILENT", Fleet(frozenset({1, 3}), frozenset(), frozenset({2}))),
        ("NONE", Fleet(frozenset({1, 2, 3}), frozenset(), frozenset())),
    ],
)
def test_a_host_that_is_not_healthy_may_be_bare_or_dead_or_drained(
    variable: str, fleet: Fleet, cloud: FakeCloud, unhealthy: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    unhealthy.add(2)
    monkeypatch.setenv(variable, "192.0.2.2")
    assert examine(deployment(3), cloud.environment, cloud.options) == fleet


# --- Restarts


def test_hosts_that_stay_have_restarted_before_others_leave(
    cloud: FakeCloud,
    records: Records,
    ssh: Path,
    unhealthy: set[int],
    restarting: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached, restarting[0] = settled(4), [1, 2]
    unhealthy.add(4)
    monkeypatch.setenv("SILENT", "192.0.2.4")
    run(cloud, plan_stages(cloud.reached, 2, in_service=(1, 2, 3)))
    assert drained(ssh) == ["1", "2", "3"]


def test_a_host_is_made_anew_after_the_others_have_restarted(
    cloud: FakeCloud, records: Records, ssh: Path, restarting: list[list[int]]
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached, restarting[0] = settled(3), [1, 3]
    (_, stage) = plan_replacement(cloud.reached, 2)
    run(cloud, [stage])
    assert drained(ssh) == ["1", "3", "2"]
    assert cloud.events[-3:] == [
        'plan 3 balancer -replace=aws_instance.host["2"]',
        "apply 3 balancer",
        "configure 3",
    ]


def test_hosts_that_were_not_set_up_restart_with_the_rest_and_nothing_waits_for_them(
    cloud: FakeCloud,
    records: Records,
    ssh: Path,
    unhealthy: set[int],
    restarting: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached, restarting[0] = settled(4), [1, 2, 3, 4]
    unhealthy.update((3, 4))
    monkeypatch.setenv("BARE", "192.0.2.3 192.0.2.4")
    run(cloud, plan_stages(cloud.reached, 4))
    assert drained(ssh) == ["1", "2"]
    assert cloud.events[-2:] == ["apply 4 balancer", "configure 4"]


def test_nothing_waits_for_a_host_that_was_terminated_in_the_console(
    cloud: FakeCloud,
    records: Records,
    ssh: Path,
    unhealthy: set[int],
    restarting: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_to(records, *ADDRESSES)
    cloud.reached, restarting[0] = settled(3), [1, 3]
    unhealthy.add(2)
    monkeypatch.setenv("SILENT", "192.0.2.2")
    monkeypatch.setattr(Plan, "created_hosts", property(lambda _: [2]))
    run(cloud, plan_stages(cloud.reached, 3))
    assert drained(ssh) == ["1", "3"] and cloud.events[-1] == "configure 3"


def test_the_last_host_that_serves_does_not_restart(
    cloud: FakeCloud,
    ssh: Path,
    unhealthy: set[int],
    restarting: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud.reached, restarting[0] = settled(2), [1]
    unhealthy.add(2)
    monkeypatch.setenv("SILENT", "192.0.2.2")
    with pytest.raises(Failure, match=r"^host 1 would restart while no other host serves: set instance_type back"):
        run(cloud, plan_replacement(cloud.reached, 2, in_service=(1,)))
    assert cloud.events == [] and ssh.read_text() == ""
