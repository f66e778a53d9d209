"""Deployments that end between any two steps: the next one goes on, wherever the form leads by then, and no request is
lost. The hosts, AWS and Ansible are a model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from herolo_operator import balancer, in_service, rollout
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.host import Host
from herolo_operator.process import Result
from herolo_operator.stages import settled
from support.simulated import Interrupted, World

Make = Callable[[], World]
Action = Callable[[World], None]


@pytest.fixture
def make(environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a world without hosts, in which all programs act from then on."""
    options = Options(yes=True)
    monkeypatch.setattr("herolo_operator.host.find_ssh_key", lambda *_: tmp_path / "key")
    monkeypatch.setattr(rollout, "lacks_own_password", lambda _: False)
    monkeypatch.setattr(rollout, "RecordAnnouncer", lambda *_: None)
    monkeypatch.setattr(balancer, "LIMIT", 0)

    def make() -> World:
        world = World(environment, options)
        monkeypatch.setattr(Host, "read", lambda host, script: Result(*world.ssh(host.number, script)))
        monkeypatch.setattr(rollout, "settle_record", lambda found, *_: world.settle(found))
        monkeypatch.setattr(rollout, "move_record", lambda found, *_, **__: world.move(found))
        for module in (balancer, in_service, rollout):
            monkeypatch.setattr(module, "read_health", lambda found, _: world.health(found))
        return world

    return make


def require_settled(world: World, wanted: int) -> None:
    """All that the form says is there, and no request was lost."""
    assert world.losses == []
    assert world.shape == settled(wanted)
    assert sorted(world.machines) == list(range(1, wanted + 1))
    assert all(machine.serves and not machine.drained for machine in world.machines.values())
    assert world.leads_to == ("host" if wanted == 1 else "balancer")


def interrupt_everywhere(make: Make, begin: Action, first: Action, seconds: dict[str, tuple[Action, int]]) -> None:
    """Begins, does the first action, which is interrupted at each of its steps, and then each of the others, which have
    a number of hosts in the end."""
    for step in itertools.count():
        for name, (second, wanted) in seconds.items():
            world = make()
            begin(world)
            world.interrupted_at = len(world.actions) + step
            try:
                first(world)
            except Interrupted as interrupted:
                at = f"interrupted at step {step}, {interrupted}"
            else:
                assert step
                require_settled(world, len(world.machines))
                return
            world.interrupted_at = None
            try:
                second(world)
                require_settled(world, wanted)
            except (AssertionError, Failure) as error:
                raise AssertionError(f"{at}, and then {name}: {error}") from error


def to(hosts: int) -> Action:
    """A deployment of that many hosts."""
    return lambda world: world.deploy(hosts)


def replacing(number: int, hosts: int) -> Action:
    """A deployment that makes a host anew."""
    return lambda world: world.deploy(hosts, replace=number)


@pytest.mark.parametrize("begin", [0, 1, 2, 3])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_change_of_the_number_can_be_continued_or_changed_at_every_step(begin: int, first: int, make: Make) -> None:
    others = {f"{hosts} hosts": (to(hosts), hosts) for hosts in (1, 2, 3)}
    interrupt_everywhere(make, to(begin) if begin else lambda _: None, to(first), others)


@pytest.mark.parametrize(("hosts", "number"), [(2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_a_replacement_can_be_continued_at_every_step(hosts: int, number: int, make: Make) -> None:
    interrupt_everywhere(make, to(hosts), replacing(number, hosts), {f"{hosts} hosts": (to(hosts), hosts)})


@pytest.mark.parametrize("action", [*(to(hosts) for hosts in (1, 2, 3)), *(replacing(n, 3) for n in (1, 2, 3))])
@pytest.mark.parametrize("change", ["due", "type"])
def test_hosts_restart_while_others_serve(change: str, action: Action, make: Make) -> None:
    world = make()
    world.deploy(3)
    change_all(world, change)
    action(world)
    require_settled(world, len(world.machines))
    assert all(machine.type == world.type and not machine.due for machine in world.machines.values())


@pytest.mark.parametrize("change", ["due", "type"])
@pytest.mark.parametrize("number", [1, 2])
def test_one_of_two_hosts_is_made_anew_once_the_other_has_restarted(change: str, number: int, make: Make) -> None:
    world = make()
    world.deploy(2)
    change_all(world, change)
    world.deploy(2, replace=number)
    require_settled(world, 2)


def change_all(world: World, change: str) -> None:
    """All hosts need a restart: by Ansible, or for another type."""
    if change == "type":
        world.type = "large"
        return
    for machine in world.machines.values():
        machine.due = True


@pytest.mark.parametrize(("begin", "first"), [(1, 2), (1, 3), (2, 3)])
def test_hosts_that_cannot_be_reached_from_the_start_can_be_given_up(begin: int, first: int, make: Make) -> None:
    for second in range(1, begin + 1):
        world = make()
        world.deploy(begin)
        world.new_are_reachable = False
        with pytest.raises(Failure, match="SSH does not reach host"):
            world.deploy(first)
        world.deploy(second)
        require_settled(world, second)


@pytest.mark.parametrize("reached", ["ansible 3", "record both"])
@pytest.mark.parametrize("wanted", [1, 2])
def test_a_host_that_dies_on_the_way_to_the_balancer_can_be_given_up(reached: str, wanted: int, make: Make) -> None:
    world = make()
    world.deploy(1)
    world.deploy(3)
    step = world.actions.index(reached)
    world = make()
    world.deploy(1)
    world.interrupted_at = step
    with pytest.raises(Interrupted, match=reached):
        world.deploy(3)
    world.interrupted_at, world.machines[3].reachable = None, False
    world.deploy(wanted)
    require_settled(world, wanted)


@pytest.mark.parametrize(("dead", "wanted"), [((3,), 2), ((3,), 1), ((2,), 1), ((2, 3), 1)])
def test_dead_hosts_that_are_not_wanted_are_removed(dead: tuple[int, ...], wanted: int, make: Make) -> None:
    world = make()
    world.deploy(3)
    for number in dead:
        world.machines[number].reachable = False
    world.deploy(wanted)
    require_settled(world, wanted)


@pytest.mark.parametrize("hosts", [2, 3])
@pytest.mark.parametrize("number", [1, 2])
def test_a_dead_host_is_made_anew(hosts: int, number: int, make: Make) -> None:
    world = make()
    world.deploy(hosts)
    world.machines[number].reachable = False
    world.deploy(hosts, replace=number)
    require_settled(world, hosts)


@pytest.mark.parametrize("numbers", [(1,), (2,), (3,), (2, 3)])
@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_hosts_that_were_terminated_in_the_console_are_made_anew_or_forgotten(
    numbers: tuple[int, ...], wanted: int, make: Make
) -> None:
    world = make()
    world.deploy(3)
    for number in numbers:
        world.terminate(number)
    world.deploy(wanted)
    require_settled(world, wanted)
