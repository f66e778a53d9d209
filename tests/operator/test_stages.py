"""The stages between one number of hosts and another."""

from __future__ import annotations

from typing import Any

import pytest
from herolo_operator.stages import Shape, Stage, name_hosts, plan_replacement, plan_stages, read_shape, settled

ONE, TWO, THREE = settled(1), settled(2), settled(3)


def shapes(now: Shape | None, wanted: int) -> list[tuple[int, str]]:
    return [(stage.shape.hosts, stage.shape.entry) for stage in plan_stages(now, wanted)]


@pytest.mark.parametrize(("wanted", "entry"), [(1, "host"), (3, "balancer")])
def test_a_first_deployment_has_one_stage(wanted: int, entry: str) -> None:
    (stage,) = plan_stages(None, wanted)
    assert (stage.shape, stage.configures, stage.moves) == (Shape(wanted, entry), True, False)


@pytest.mark.parametrize("hosts", [1, 3])
def test_a_deployment_with_as_many_hosts_keeps_its_shape(hosts: int) -> None:
    (stage,) = plan_stages(settled(hosts), hosts)
    assert stage.shape == settled(hosts) and stage.configures and not stage.drains and not stage.requires


def test_the_domain_moves_to_the_balancer_once_all_hosts_are_healthy_and_ports_close_last() -> None:
    made, moved, closed = plan_stages(ONE, 3)
    assert [stage.shape for stage in (made, moved, closed)] == [
        Shape(3, "host"),
        Shape(3, "both"),
        Shape(3, "balancer"),
    ]
    assert made.configures and not made.moves and made.words == "makes hosts 2 and 3 and the balancer"
    assert moved.requires == (1, 2, 3) and moved.moves and not moved.outlives
    assert not closed.configures


def test_the_domain_moves_back_to_host_1_before_the_balancer_goes() -> None:
    opened, moved, removed = plan_stages(THREE, 1)
    assert opened.configures  # while the others serve
    assert [stage.shape for stage in (opened, moved, removed)] == [Shape(3, "both"), Shape(3, "host"), ONE]
    assert moved.requires == (1,) and moved.moves and moved.outlives
    assert removed.configures and not removed.awaits and removed.words == "removes hosts 2 and 3 and the balancer"


def test_hosts_are_drained_before_some_of_them_go() -> None:
    _, stage = plan_stages(settled(4), 2)
    assert (stage.shape, stage.drains, stage.requires) == (TWO, (3, 4), (1, 2))
    assert stage.words == "drains hosts 3 and 4, and removes them"


def test_more_hosts_join_in_one_stage() -> None:
    (stage,) = plan_stages(TWO, 4)
    assert (stage.shape, stage.drains, stage.words) == (settled(4), (), "makes hosts 3 and 4")


@pytest.mark.parametrize(
    ("reached", "wanted", "left"),
    [
        # On the way from one host to three.
        (Shape(3, "host"), 3, [(3, "host"), (3, "both"), (3, "balancer")]),
        (Shape(3, "both"), 3, [(3, "both"), (3, "balancer")]),
        # On the way back.
        (Shape(3, "both"), 1, [(3, "both"), (3, "host"), (1, "host")]),
        (Shape(3, "host"), 1, [(1, "host")]),
        # The form has changed in the meantime. Nothing waits for hosts that are not wanted any more.
        (Shape(2, "both"), 3, [(3, "both"), (3, "balancer")]),
        (Shape(3, "host"), 2, [(2, "host"), (2, "both"), (2, "balancer")]),
        (Shape(4, "both"), 2, [(2, "both"), (2, "balancer")]),
    ],
)
def test_an_interrupted_change_goes_on_where_it_stopped(
    reached: Shape, wanted: int, left: list[tuple[int, str]]
) -> None:
    assert not reached.is_settled
    assert shapes(reached, wanted) == left


def test_a_move_that_was_interrupted_is_awaited_again() -> None:
    assert plan_stages(Shape(3, "both"), 3)[0].moves
    assert plan_stages(Shape(3, "both"), 2)[0].moves
    assert plan_stages(Shape(3, "host"), 1)[0].awaits


def test_the_last_stage_is_what_the_form_says() -> None:
    for now in (None, *(Shape(hosts, entry) for hosts in (2, 3) for entry in ("host", "both", "balancer")), ONE):
        for wanted in range(1, 7):
            assert plan_stages(now, wanted)[-1].shape == settled(wanted)


def test_hosts_are_configured_in_every_deployment() -> None:
    for now in (None, ONE, TWO, Shape(2, "both"), Shape(2, "host")):
        for wanted in range(1, 4):
            assert any(stage.configures for stage in plan_stages(now, wanted))


def test_a_host_is_replaced_while_the_others_are_healthy() -> None:
    _, stage = plan_replacement(THREE, 2)
    assert (stage.shape, stage.drains, stage.requires) == (THREE, (2,), (1, 3))
    assert stage.arguments == ['-replace=aws_instance.host["2"]']
    (stage,) = plan_replacement(ONE, 1)
    assert stage.drains == () and stage.arguments == ['-replace=aws_instance.host["1"]']


@pytest.mark.parametrize("stages", [plan_stages(THREE, 2), plan_replacement(THREE, 3)])
def test_hosts_that_stay_are_updated_before_others_leave(stages: list[Stage]) -> None:
    first, last = stages
    assert first.shape == THREE and first.configures and first.leaving == ()
    assert last.drains == (3,)


def test_no_update_waits_for_hosts_that_leave_and_are_not_in_service() -> None:
    assert [stage.drains for stage in plan_stages(settled(4), 2, in_service=(1, 2, 3))] == [(3, 4)]
    assert [stage.drains for stage in plan_replacement(THREE, 2, in_service=(1, 3))] == [(2,)]
    assert not plan_stages(THREE, 1, in_service=(1, 3))[0].configures
    assert not plan_stages(Shape(3, "both"), 1)[0].configures  # the domain may not lead to the balancer yet


@pytest.mark.parametrize(
    ("deployment", "shape"),
    [
        ({}, None),
        ({"host_id": "i-1", "host_address": "192.0.2.1"}, ONE),
        ({"hosts": [{"number": 1}, {"number": 2}], "entry": "both"}, Shape(2, "both")),
    ],
)
def test_the_shape_is_read_from_the_state(deployment: dict[str, Any], shape: Shape | None) -> None:
    assert read_shape({"deployment": deployment}) == shape
    assert read_shape({}) is None


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([2], "host 2"), ([2, 3], "hosts 2 and 3"), ([2, 3, 4], "hosts 2 to 4"), ([1, 3, 4], "hosts 1, 3 and 4")],
)
def test_hosts_are_named(numbers: list[int], words: str) -> None:
    assert name_hosts(numbers) == words
